"""The probe packed into one file that a stock Python runs: the same bytes for the same sources and the same zlib.

Each node gets a copy, so only modules that the probe imports (:mod:`mig_fleet.components.probe.imports`) are packed.
Without compression the bytes would not depend on zlib, but be four times as large in every preview and in the state.
"""

import hashlib
import importlib.metadata
import io
import zipfile
from pathlib import Path

from mig_fleet.components.probe.imports import imported_modules, module_file

PROGRAM = "mig_fleet.probe.__main__"
PACKAGE = "mig_fleet"
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

    A package from which the probe imports nothing but modules is packed as an empty ``__init__.py``, so that it imports
    nothing. Data files are packed with the modules of their folder, and the license with each package of others.
    """
    found = {"__main__.py": MAIN.encode(), f"{BINDINGS}.py": module_file(BINDINGS).read_bytes()}
    for module in imported_modules(PROGRAM, (PACKAGE, *HTTP2)):
        path = module_file(module)
        name = module.replace(".", "/")
        found[f"{name}/__init__.py" if path.name == "__init__.py" else f"{name}.py"] = path.read_bytes()
        for parent in _parents(name):
            found.setdefault(f"{parent}/__init__.py", b"")
        folder = name if path.name == "__init__.py" else name.rpartition("/")[0]
        found |= {f"{folder}/{data.name}": data.read_bytes() for data in path.parent.glob(f"*{DATA_SUFFIX}")}
    return found | {f"{package}/{LICENSE}": _license(package) for package in HTTP2}


def _license(distribution: str) -> bytes:
    files = importlib.metadata.files(distribution) or []
    return next((Path(str(file.locate())).read_bytes() for file in files if file.name == LICENSE), b"")


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]
