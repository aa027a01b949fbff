"""The probe packed into one file that a stock Python runs: the same bytes for the same sources and the same zlib.

Unpacked it would be the same with any zlib, and four times as large in every preview and in the state.
"""

import hashlib
import importlib.util
import io
import zipfile
from pathlib import Path

PACKAGES = ("mig_fleet.model", "mig_fleet.probe")
MODULES = ("pynvml",)
SUFFIXES = (".py", ".toml")

MAIN = "import sys\nimport pynvml\nfrom mig_fleet.probe.__main__ import main\nsys.exit(main())\n"
"""The bindings first: compiling their eight thousand lines takes 20 MB, which whatever is loaded later uses again."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip file can hold; any fixed one makes the bytes reproducible."""
UNIX = 3
"""The system that the file says it was made on, whichever that is."""


def build() -> bytes:
    """The zipapp; raises ``ModuleNotFoundError`` with the missing package's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(_contents().items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = UNIX
            archive.writestr(entry, content)
    return buffer.getvalue()


def digest(content: bytes) -> str:
    """The first ten hex digits of the SHA-256, for names."""
    return hashlib.sha256(content).hexdigest()[:10]


def _contents() -> dict[str, bytes]:
    found = {"__main__.py": MAIN.encode(), "mig_fleet/__init__.py": _origin("mig_fleet").read_bytes()}
    for package in PACKAGES:
        folder = _origin(package).parent
        for path in folder.rglob("*"):
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                found[f"{package.replace('.', '/')}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    for module in MODULES:
        found[f"{module}.py"] = _origin(module).read_bytes()
    return found


def _origin(name: str) -> Path:
    """Where a module lies, found without running it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the probe needs the Python module '{name}', which is not installed", name=name)
    return Path(spec.origin)
