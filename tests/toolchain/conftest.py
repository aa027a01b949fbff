"""A machine without tools, a publisher on loopback, and a ``go`` that builds at once."""

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
from mig_fleet.toolchain.environment import override_variable
from mig_fleet.toolchain.pins import Machine

VERSION_OUTPUT = {
    "pulumi": "v3.259.0",
    "kube-apiserver": "Kubernetes v1.37.2",
    "kube-controller-manager": "Kubernetes v1.37.2",
    "kube-scheduler": "Kubernetes v1.37.2",
    "etcd": "etcd Version: 3.7.3",
    "pulumi-resource-kubernetes": "nothing on its command line",
    "nvidia-mig-parted": "nvidia-mig-parted version v0.13.1",
    "mig-parted-spec": "parser of mig-parted v0.13.1",
    "prometheus": "prometheus, version 3.14.0 (branch: , revision: unknown)",
    "promtool": "promtool, version 3.14.0 (branch: , revision: unknown)",
    "kubectl": "Client Version: v1.37.2",
    "pulumi-language-yaml": "nothing on its command line",
    "sdk-generator": "generators of pulumi v3.259.0",
}
FOR_TESTS = ("pulumi-language-yaml", "sdk-generator", "nvidia-mig-parted", "mig-parted-spec")
"""The tools that the product itself does not need."""
ON_DEMAND = (*FOR_TESTS, "prometheus", "promtool", "kubectl")
"""The tools that are not installed before something needs them."""

PACKAGES = ("internal/goarch", "a.example/b", "a.example/b/cmd/tool")
"""What ``go build -v`` of the Go below prints."""


def script(output: str) -> bytes:
    return f"#!/bin/sh\necho '{output}'\n".encode()


def processes() -> str:
    """The command lines of all running processes."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # the process may end meanwhile
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(lines)


def until(condition: Callable[[], object], what: str) -> None:
    """Waits up to 200 s for a condition that another process fulfils; ``what`` describes it."""
    deadline = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < deadline, f"timeout: {what}"
        time.sleep(0.02)


@dataclass
class Computer:
    """The environment of a search; all its files are in one temporary folder."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> toolchain.Environment:
        return toolchain.Environment(dict(self.variables))

    @property
    def cache(self) -> Path:
        return self.root / "cache" / "mig-fleet"

    def has(self, folder: str, tool: str, output: str | None = None) -> Path:
        """Puts a tool into a folder (``path`` is on PATH) and returns its file."""
        file = self.root / folder / tool
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(script(VERSION_OUTPUT[tool] if output is None else output))
        file.chmod(0o755)
        return file

    def override(self, tool: str, file: Path) -> None:
        self.variables[override_variable(tool)] = str(file)

    def has_go(self, version: str = "go1.26.8", slow: float = 0, fails: str = "") -> Path:
        """A ``go`` that answers ``go env`` and ``go list``, and builds by writing scripts; each build is a line in
        ``builds``. It compiles ``PACKAGES``; its cache has one more. While the file ``held`` exists, no build ends."""
        cases = "\n".join(f'  {tool}|*/{tool}) echo "{text}";;' for tool, text in VERSION_OUTPUT.items())
        listing, compiled = r"cached\n" + r"compile\n" * len(PACKAGES), "".join(rf"{name}\n" for name in PACKAGES)
        file = self.root / "path" / "go"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"""#!/bin/sh
if [ "$1" = env ]; then echo {version}; exit; fi
if [ "$1" = list ]; then
  echo "$PWD" >> {self.root}/read
  echo 'go: downloading a.example/b v1.0.0' >&2
  printf '{listing}'
  exit
fi
echo "$GOFLAGS|$GOTOOLCHAIN|$CGO_ENABLED|$GOGC|$PWD|$*" >> {self.root}/builds
printf '{compiled}'
[ -n "{fails}" ] && echo "{fails}" && exit 1
while [ "$1" != -o ]; do shift; done
target=$2; shift 2
put() {{ printf '#!/bin/sh\\ncase "$0" in\\n{cases}\\nesac\\n' > "$1"; chmod +x "$1"; }}
case "$target" in
  */) for package in "$@"; do put "$target$(basename "$package")"; done;;
  *) put "$target";;
esac
sleep {slow}
for _ in $(seq 2000); do [ -e {self.held} ] || break; sleep 0.1; done
"""
        )
        file.chmod(0o755)
        return file

    @property
    def held(self) -> Path:
        return self.root / "held"

    @property
    def builds(self) -> list[str]:
        file = self.root / "builds"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def sources(self) -> set[str]:
        """The names of the folders with a go.mod of whose sources Go has a copy."""
        file = self.root / "read"
        return {Path(line).name for line in file.read_text().splitlines()} if file.exists() else set()

    def unfinished(self) -> list[Path]:
        return list(self.cache.glob("*/.unfinished-*"))


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """Only the system's own programs on PATH, an empty cache, downloads disabled."""
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
    """An HTTP server on loopback instead of github.com and dl.k8s.io."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    interrupted: set[str] = field(default_factory=set)
    """Paths whose connection is closed in the middle of the file."""
    hanging: set[str] = field(default_factory=set)
    """Paths that are never answered."""
    requests: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def publishes(self, family: toolchain.Family, extra: tuple[str, ...] = ()) -> None:
        """Serves all files that the family's pins name, with their checksums."""
        for artifact in family.artifacts:
            name = artifact.url.rpartition("/")[2]
            bare = not name.endswith(".tar.gz")
            content = script(VERSION_OUTPUT[artifact.files[0]]) if bare else archive(*artifact.files, *extra)
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
            content = script(VERSION_OUTPUT.get(name, name))
            member = tarfile.TarInfo(f"release-{Machine.this()}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def publisher(computer: Computer) -> Iterator[Publisher]:
    """Downloads are enabled, and go to loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            if self.path in served.hanging:
                served.stopping.wait()
                return
            content = served.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path in served.interrupted else content)

        def log_message(self, format: str, *args: object) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Publisher(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    computer.variables["MIG_FLEET_MIRROR"] = served.url
    computer.variables["MIG_FLEET_DOWNLOAD"] = "on"
    yield served
    served.stopping.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts of 0.3 seconds."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(connection, "STALLED_SECONDS", 0.3)


@pytest.fixture
def etcd() -> toolchain.Family:
    """A family with one tool and an archive: the smallest one that every place can provide."""
    return toolchain.family("etcd")
