"""The probe packed into one file that a stock Python runs: the same bytes for the same sources and the same zlib.

Each node gets a copy, so of this package only :data:`~mig_fleet.components.probe.modules.MODULES` are packed.
Without compression the bytes would not depend on zlib, but be four times as large in every preview and in the state.
"""

import hashlib
import importlib.metadata
import importlib.util
import io
import zipfile
from pathlib import Path

from mig_fleet.components.probe.modules import MODULES

PROGRAM = "mig_fleet.probe.__main__"
SOURCES = Path(__file__).parents[2]
BINDINGS = "pynvml"
HTTP2 = ("h2", "hpack", "hyperframe")
"""HTTP/2, for the kubelet, and the packages that it needs; all are pure Python."""
LICENSE = "LICENSE"
DATA_SUFFIX = ".toml"

MAIN = f"import {BINDINGS}\nfrom {PROGRAM} import main\nmain()\n"
"""Imports the bindings first: to compile their eight thousand lines takes 20 MB, which later imports use again."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold. A fixed one makes the bytes reproducible."""
UNIX = 3
"""The system in the header of each entry; fixed, so that it does not depend on the system that packs it."""


def build() -> bytes:
    """The zipapp. Raises ``ModuleNotFoundError`` with the missing module's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(contents().items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = UNIX
            archive.writestr(entry, content)
    return buffer.getvalue()


def digest(content: bytes) -> str:
    """The first ten hex digits of the SHA-256, for names."""
    return hashlib.sha256(content).hexdigest()[:10]


def contents() -> dict[str, bytes]:
    """File name in the zipapp → content.

    A package that is not in the list itself, but has a module there, gets an empty ``__init__.py``, so that it imports
    nothing. Data files are packed with the modules of their folder. The packages of others are packed whole, with
    their license.
    """
    found = {"__main__.py": MAIN.encode(), f"{BINDINGS}.py": _installed(BINDINGS).read_bytes()}
    for name in MODULES:
        path = _source(name)
        found[f"mig_fleet/{path.relative_to(SOURCES)}"] = path.read_bytes()
        for data in path.parent.glob(f"*{DATA_SUFFIX}"):
            found[f"mig_fleet/{data.relative_to(SOURCES)}"] = data.read_bytes()
        for folder in path.relative_to(SOURCES).parents:
            found.setdefault(f"{Path('mig_fleet', folder)}/__init__.py", b"")
    for package in HTTP2:
        folder = _installed(package).parent
        found |= {f"{package}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*.py")}
        found[f"{package}/{LICENSE}"] = _license(package)
    return found


def _source(name: str) -> Path:
    """The file of a module or a package of ours."""
    path = SOURCES.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _installed(name: str) -> Path:
    """The file of another package's module, found without running it. Raises ModuleNotFoundError."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the probe needs the Python module '{name}', which is not installed", name=name)
    return Path(spec.origin)


def _license(distribution: str) -> bytes:
    files = importlib.metadata.files(distribution) or []
    return next((Path(str(file.locate())).read_bytes() for file in files if file.name == LICENSE), b"")
