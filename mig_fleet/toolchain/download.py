"""Downloads official binaries and verifies each with its publisher's SHA-256 list.

The list is downloaded first, and a file that does not match is not kept. It comes from the same publisher over the same
TLS, so it detects a broken or mixed-up transfer; it is not a signature. The sums in ``pins.toml`` detect a file that
was replaced at its publisher, together with the list. Kubernetes publishes ``<binary>.sha256`` beside each binary, etcd
``SHA256SUMS`` and Pulumi ``pulumi-<version>-checksums.txt`` with each release. The list of the
Kubernetes provider has the default name of its release tool (goreleaser); its release configuration sets no other.
"""

import hashlib
import http.client
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.parse
from pathlib import Path, PurePosixPath
from typing import Final

from mig_fleet.confidential import masked_address
from mig_fleet.toolchain import connection
from mig_fleet.toolchain.errors import DownloadFailed
from mig_fleet.toolchain.pins import Artifact, Family

_NO_URL: Final = "MIG_FLEET_MIRROR or the address of a proxy is not a URL"
_CHUNK: Final = 1 << 20
_LIST_LIMIT: Final = 1 << 20
"""In bytes. A list of checksums has a few kB; a larger answer is something else."""


class Downloads:
    """The downloads of one search. A host that did not answer is not tried again."""

    def __init__(self, mirror: str | None = None) -> None:
        self._mirror = mirror.rstrip("/") if mirror else None
        self._open = connection.opener_with_timeouts().open
        self._unreachable: dict[str, str] = {}

    def get(self, family: Family, into: Path) -> None:
        """Downloads the family's tools, and the companions in their archive, into a folder.

        Raises :class:`DownloadFailed`.
        """
        if not family.artifacts:
            raise DownloadFailed("the publisher has no archive for this machine")
        for artifact in family.artifacts:
            self._get(artifact, into)

    def _get(self, artifact: Artifact, into: Path) -> None:
        name = artifact.name
        with tempfile.TemporaryDirectory(dir=into) as scratch:
            sha256 = expected_sha256(self.text(artifact.sums), name)
            if sha256 is None:
                raise DownloadFailed(f"{masked_address(self._at(artifact.sums))} has no SHA-256 for {name}")
            if artifact.sha256 and sha256 != artifact.sha256:
                raise DownloadFailed(
                    f"the publisher lists SHA-256 {sha256[:12]}… for {name}, pins.toml has {artifact.sha256[:12]}…: "
                    "the file was replaced at its publisher"
                )
            file = Path(scratch) / name
            found = self._save(artifact.url, file)
            if found != sha256:
                raise DownloadFailed(f"{name} has SHA-256 {found[:12]}…, its publisher lists {sha256[:12]}…")
            if name.endswith(".tar.gz"):
                unpack(file, into, artifact)
            else:
                file.chmod(0o755)
                file.rename(into / artifact.files[0])

    def text(self, url: str) -> str:
        """A list of checksums. Raises :class:`DownloadFailed`."""
        with tempfile.NamedTemporaryFile() as file:
            self._save(url, Path(file.name), limit=_LIST_LIMIT)
            return Path(file.name).read_text(errors="replace")

    def _save(self, url: str, to: Path, limit: int | None = None) -> str:
        """Writes the content of a URL to a file and returns its SHA-256."""
        url = self._at(url)
        shown = masked_address(url)
        try:
            host = urllib.parse.urlsplit(url).netloc
        except ValueError:
            raise DownloadFailed(_NO_URL) from None
        if host in self._unreachable:
            raise DownloadFailed(self._unreachable[host])
        digest, size = hashlib.sha256(), 0
        try:
            with self._open(url) as answer, to.open("wb") as file:
                length = answer.headers.get("Content-Length")
                while chunk := answer.read(_CHUNK):
                    size += file.write(chunk)
                    digest.update(chunk)
                    if limit is not None and size > limit:
                        raise DownloadFailed(f"{shown} is larger than {limit} bytes, too large for a checksum list")
        except urllib.error.HTTPError as refusal:
            raise DownloadFailed(f"{shown} returns {refusal.code} {refusal.reason}") from None
        except (ValueError, http.client.InvalidURL):  # the text has the address, with a password
            raise DownloadFailed(_NO_URL) from None
        except (OSError, http.client.HTTPException) as problem:  # URLError and TimeoutError are OSErrors
            if size:
                raise DownloadFailed(f"{shown} was interrupted after {size} bytes ({_reason(problem)})") from None
            self._unreachable[host] = f"{masked_address(host)} cannot be reached ({_reason(problem)})"
            raise DownloadFailed(self._unreachable[host]) from None
        if length is not None and size < int(length):
            raise DownloadFailed(f"{shown} was interrupted after {size} of {length} bytes")
        return digest.hexdigest()

    def _at(self, url: str) -> str:
        return url if self._mirror is None else f"{self._mirror}/{url.removeprefix('https://')}"


def expected_sha256(sums: str, name: str) -> str | None:
    """The SHA-256 of a file in a publisher's list: lines of ``<hex>  <name>``, or a single ``<hex>``.

    >>> expected_sha256("ab12  a.tar.gz\\ncd34 *b.tar.gz\\n", "b.tar.gz")
    'cd34'
    """
    lines = [line.split() for line in sums.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1:
        return lines[0][0].lower()
    return next((line[0].lower() for line in lines if len(line) == 2 and line[1].lstrip("*") == name), None)


def unpack(archive: Path, into: Path, artifact: Artifact) -> None:
    """Extracts the artifact's files and companions from any folder of an archive.

    Only plain files are extracted, and without their folders, so that no entry can write elsewhere.
    Raises :class:`DownloadFailed`.
    """
    names = {*artifact.files, *artifact.companions}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                content = tar.extractfile(member) if member.isfile() and name in names else None
                if content is not None:
                    with content, (into / name).open("wb") as file:
                        shutil.copyfileobj(content, file, _CHUNK)
                    (into / name).chmod(0o755)
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise DownloadFailed(f"{archive.name} cannot be unpacked ({problem})") from None
    if absent := [name for name in artifact.files if not (into / name).exists()]:
        raise DownloadFailed(f"{archive.name} does not have {', '.join(absent)}")


def _reason(problem: Exception) -> str:
    inner = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    return "no answer" if isinstance(inner, TimeoutError) else str(inner) or type(inner).__name__
