"""A machine without any tool, a publisher on loopback, a Go that builds in no time."""

import contextlib
import hashlib
import io
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import connection
from mig_fleet.toolchain.pins import Machine
from mig_fleet.toolchain.surroundings import override_variable

SAYS = {
    "pulumi": "v3.259.0",
    "kube-apiserver": "Kubernetes v1.37.2",
    "kube-controller-manager": "Kubernetes v1.37.2",
    "kube-scheduler": "Kubernetes v1.37.2",
    "etcd": "etcd Version: 3.7.3",
    "pulumi-resource-kubernetes": "nothing on its command line",
    "nvidia-mig-parted": "nvidia-mig-parted version v0.13.1",
    "mig-parted-spec": "parser of mig-parted v0.13.1",
}
FOR_TESTS = ("nvidia-mig-parted", "mig-parted-spec")
"""The tools that the product itself does not need."""


def script(says: str) -> bytes:
    return f"#!/bin/sh\necho '{says}'\n".encode()


def processes() -> str:
    """The command lines of everything that runs."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may end while we look
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(lines)


def until(condition: Callable[[], object], what: str) -> None:
    """Waits for something that happens in another process."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


@dataclass
class Computer:
    """What a search sees of a machine; everything lies under one temporary folder."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def around(self) -> toolchain.Surroundings:
        return toolchain.Surroundings(dict(self.variables))

    @property
    def cache(self) -> Path:
        return self.root / "cache" / "mig-fleet"

    def has(self, folder: str, tool: str, says: str | None = None) -> Path:
        """Puts a tool into a folder (``path`` is on PATH) and returns its file."""
        file = self.root / folder / tool
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(script(SAYS[tool] if says is None else says))
        file.chmod(0o755)
        return file

    def wants(self, tool: str, file: Path) -> None:
        self.variables[override_variable(tool)] = str(file)

    def has_go(self, version: str = "go1.26.8", slow: float = 0, fails: str = "") -> Path:
        """A ``go`` that answers ``go env`` and "builds" by writing scripts; each build is a line in ``builds``."""
        says = "\n".join(f'  {tool}|*/{tool}) echo "{text}";;' for tool, text in SAYS.items())
        file = self.root / "path" / "go"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"""#!/bin/sh
if [ "$1" = env ]; then echo {version}; exit; fi
echo "$GOFLAGS|$GOTOOLCHAIN|$CGO_ENABLED|$PWD|$*" >> {self.root}/builds
[ -n "{fails}" ] && echo "{fails}" && exit 1
while [ "$1" != -o ]; do shift; done
target=$2; shift 2
put() {{ printf '#!/bin/sh\\ncase "$0" in\\n{says}\\nesac\\n' > "$1"; chmod +x "$1"; }}
case "$target" in
  */) for package in "$@"; do put "$target$(basename "$package")"; done;;
  *) put "$target";;
esac
sleep {slow}
"""
        )
        file.chmod(0o755)
        return file

    @property
    def builds(self) -> list[str]:
        file = self.root / "builds"
        return file.read_text().splitlines() if file.exists() else []

    def unfinished(self) -> list[Path]:
        return list(self.cache.glob("*/.unfinished-*"))


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """Nothing on PATH but the system's own programs, nothing in the cache, no network."""
    return Computer(
        tmp_path,
        {
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PATH": f"{tmp_path / 'path'}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "MIG_FLEET_DOWNLOAD": "off",
        },
    )


@dataclass
class Publisher:
    """An HTTP server on loopback in the place of github.com and dl.k8s.io."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    """Addresses whose connection breaks in the middle."""
    hanging: set[str] = field(default_factory=set)
    """Addresses that never answer."""
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def publishes(self, family: toolchain.Family, extra: tuple[str, ...] = ()) -> None:
        """Everything the family's pins ask for, with right checksums."""
        for artifact in family.artifacts:
            name = artifact.url.rpartition("/")[2]
            bare = not name.endswith(".tar.gz")
            content = script(SAYS[artifact.brings[0]]) if bare else archive(*artifact.brings, *extra)
            self.files[address(artifact.url)] = content
            digest = hashlib.sha256(content).hexdigest()
            listed = digest if bare else f"{'0' * 64}  other.tar.gz\n{digest}  {name}\n"
            self.files[address(artifact.sums)] = listed.encode()

    def address_of(self, family: toolchain.Family) -> str:
        return address(family.artifacts[0].url)


def address(url: str) -> str:
    return "/" + url.removeprefix("https://")


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in (*names, "README.md"):
            content = script(SAYS.get(name, name))
            member = tarfile.TarInfo(f"release-{Machine.this()}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def publisher(computer: Computer) -> Iterator[Publisher]:
    """Downloads are on, and go to loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shop.asked.append(self.path)
            if self.path in shop.hanging:
                shop.over.wait()
                return
            content = shop.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path in shop.cut else content)

        def log_message(self, format: str, *args: object) -> None:
            """The test's output is the test's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shop = Publisher(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    computer.variables["MIG_FLEET_MIRROR"] = shop.url
    computer.variables["MIG_FLEET_DOWNLOAD"] = "on"
    yield shop
    shop.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience in tenths of seconds."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(connection, "STALLED_SECONDS", 0.3)


@pytest.fixture
def etcd() -> toolchain.Family:
    """The family with one tool and an archive: the smallest that passes every place."""
    return toolchain.family("etcd")
