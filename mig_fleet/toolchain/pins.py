"""The contents of ``pins.toml`` as values: families of tools with their versions, publishers and build recipes."""

import hashlib
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from mig_fleet.toolchain import versions
from mig_fleet.toolchain.errors import UnknownFamily

HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Machine:
    """An operating system and a processor, with Go's names."""

    os: str
    arch: str

    @classmethod
    def this(cls) -> "Machine":
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        return cls(platform.system().lower(), arch)

    def __str__(self) -> str:
        return f"{self.os}-{self.arch}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One download: its URL, the URL of its SHA-256 list, and the files to take from it.

    ``files`` are names in any folder of an archive (``.tar.gz``), or the one name for a single binary.
    """

    url: str
    sums: str
    files: tuple[str, ...]
    companions: tuple[str, ...] = ()
    sha256: str = ""
    """The sum in ``pins.toml``, which must be that of the publisher's list, too; empty if the file has none there."""

    @property
    def name(self) -> str:
        """The name of the file that is downloaded."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How Go builds a family from the module proxy. ``folder`` has the committed go.mod and go.sum."""

    folder: Path
    packages: tuple[str, ...]
    flags: tuple[str, ...]
    minutes: float
    cgo: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that change how long Go compiles, not what."""

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with any module, any flag and any source file of ours."""
        digest = hashlib.sha256(repr((self.packages, self.flags, self.cgo)).encode())
        for file in sorted([*self.folder.rglob("go.*"), *self.folder.rglob("*.go")]):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Family:
    """Tools of one version that are downloaded or built together."""

    name: str
    title: str
    version: str
    tools: tuple[str, ...]
    at_least: tuple[int, int, int]
    below: tuple[int, int, int]
    version_command: tuple[str, ...] | str
    """The arguments that print the version, or ``plugin`` or ``language``: see :func:`versions.reported`."""
    recipe: Recipe
    artifacts: tuple[Artifact, ...]
    """Empty if the publisher has no binaries for this machine."""
    on_demand: bool = False

    def fits(self, version: tuple[int, int, int]) -> bool:
        return self.at_least <= version < self.below


@cache
def _pins() -> dict[str, Any]:
    return tomllib.loads((HERE / "pins.toml").read_text())


@cache
def families() -> dict[str, Family]:
    """Every family of ``pins.toml`` for this machine, by name."""
    return {name: family_for(name, pin, Machine.this()) for name, pin in _pins()["families"].items()}


def family(name: str) -> Family:
    """Raises :class:`UnknownFamily`."""
    known = families()
    if name not in known:
        raise UnknownFamily(name, known)
    return known[name]


def default() -> tuple[Family, ...]:
    """The families that the product needs; the others are built on demand."""
    return tuple(family for family in families().values() if not family.on_demand)


def go_needed() -> str:
    """The oldest Go that builds the modules, such as ``1.26.0``."""
    return str(_pins()["go"])


def family_for(name: str, pin: dict[str, Any], machine: Machine) -> Family:
    """A family of ``pins.toml``, with its downloads for a machine."""
    numbers = _version(pin["version"])
    values = {"version": pin["version"], "major": str(numbers[0]), "minor": str(numbers[1])}
    tools = tuple(pin["tools"])
    return Family(
        name=name,
        title=pin["title"],
        version=pin["version"],
        tools=tools,
        at_least=_version(pin["fits"][0]),
        below=_version(pin["fits"][1] + ".0"),
        version_command=pin["ask"] if isinstance(pin["ask"], str) else tuple(pin["ask"]),
        recipe=_recipe(pin["build"], _pins()["compile"], values),
        artifacts=_artifacts(pin["download"], tools, values, machine) if "download" in pin else (),
        on_demand=pin.get("on_demand", False),
    )


def _version(text: str) -> tuple[int, int, int]:
    numbers = versions.numbers(text)
    assert numbers, f"pins.toml: {text!r} is not a version; this is a bug"
    return numbers


def _recipe(build: dict[str, Any], common: dict[str, Any], values: dict[str, str]) -> Recipe:
    tags = ",".join([*common["tags"], *build.get("tags", ())])
    compiler = common["compiler"]
    # The last pattern that matches a package decides.
    patterns = [f"all={compiler}", *(f"{path}/...={compiler} -l" for path in common["not_inlined"])]
    link = ["-s", "-w", *(f"-X {name}={value.format(**values)}" for name, value in build.get("set", {}).items())]
    return Recipe(
        folder=HERE / build["folder"],
        packages=tuple(build["packages"]),
        flags=(*common["flags"], "-tags", tags, *(f"-gcflags={each}" for each in patterns), "-ldflags", " ".join(link)),
        minutes=build["minutes"],
        cgo=build.get("cgo", False),
        environment=common["environment"],
    )


def _artifacts(
    download: dict[str, Any], tools: tuple[str, ...], values: dict[str, str], machine: Machine
) -> tuple[Artifact, ...]:
    if str(machine) not in download.get("platforms", [str(machine)]):
        return ()
    values = values | {"os": machine.os, "arch": download.get("arch", {}).get(machine.arch, machine.arch)}
    each = [(tool,) for tool in tools] if "{tool}" in download["url"] else [tools]
    unpinned = [
        Artifact(
            url=download["url"].format(**values, tool=files[0]),
            sums=download["sums"].format(**values, tool=files[0]),
            files=files,
            companions=tuple(download.get("companions", ())),
        )
        for files in each
    ]
    pinned: dict[str, str] = download.get("sha256", {})
    return tuple(replace(each, sha256=pinned.get(f"{machine}/{each.name}", "")) for each in unpinned)
