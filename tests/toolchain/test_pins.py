"""The versions are one set: pins, lock file, committed modules and project agree."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import versions
from mig_fleet.toolchain.pins import HERE, family_for, go_needed
from tools.pin_downloads import MACHINES

ROOT = Path(__file__).parents[2]
PINS = tomllib.loads((HERE / "pins.toml").read_text())["families"]
NOT_PINNED = {"engine", "kube", "etcd", "provider", "prometheus", "kubectl"}
"""Families whose files have no sums in ``pins.toml`` yet: their publishers' lists alone decide."""
LOCK = (ROOT / "requirements.lock").read_text()


def module(folder: str) -> str:
    return (HERE / folder / "go.mod").read_text()


def test_the_engine_and_the_sdk_have_one_version() -> None:
    version = toolchain.family("engine").version
    assert re.search(rf"^pulumi=={re.escape(version)}\b", LOCK, re.MULTILINE)
    for name in ("pkg", "sdk"):
        assert f"github.com/pulumi/pulumi/{name}/v3 v{version}" in module("engine")


def test_the_provider_and_its_sdk_have_one_version() -> None:
    version = toolchain.family("provider").version
    assert re.search(rf"^pulumi-kubernetes=={re.escape(version)}\b", LOCK, re.MULTILINE)
    assert f'version = "{version}"' in (HERE / "provider" / "main.go").read_text(), "it must report this version"


@pytest.mark.parametrize(
    ("family", "path"),
    [
        ("kube", "k8s.io/kubernetes"),
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kubectl", "k8s.io/kubernetes"),
        ("mig-parted", "github.com/NVIDIA/mig-parted"),
        ("mig-manager", "github.com/NVIDIA/mig-parted"),
        ("dra-plugin", "sigs.k8s.io/dra-driver-nvidia-gpu"),
        ("nfd", "sigs.k8s.io/node-feature-discovery"),
        ("yaml", "github.com/pulumi/pulumi-yaml"),
    ],
)
def test_the_committed_modules_build_the_pinned_versions(family: str, path: str) -> None:
    pin = toolchain.family(family)
    assert re.search(rf"\s{re.escape(path)} v{re.escape(pin.version)}\b", module(pin.recipe.folder.name))


def test_the_module_of_prometheus_is_that_of_its_release() -> None:
    major, minor, patch = toolchain.family("prometheus").version.split(".")
    assert f"github.com/prometheus/prometheus v0.{int(major)}{int(minor):02}.{patch} " in module("prometheus")


def test_every_module_requires_the_pinned_go() -> None:
    for file in HERE.rglob("go.mod"):
        assert f"\ngo {go_needed()}\n" in file.read_text(), file


def versions_of_modules(folder: str) -> dict[str, str]:
    """The modules that a go.mod replaces or requires → version, or the folder of the replacement."""
    text = module(folder)
    required = re.findall(r"^\t(\S+) (v\S+)", text, re.MULTILINE)
    return dict(required) | dict(re.findall(r"^(?:replace|\t) ?(\S+) => (.+)$", text, re.MULTILINE))


def test_families_share_the_versions_of_their_modules_so_that_a_package_is_compiled_once() -> None:
    folders = {family.recipe.folder.name for family in toolchain.default()} | {"kubectl"}
    shared: dict[str, set[str]] = {}
    for folder in folders:
        for path, version in versions_of_modules(folder).items():
            shared.setdefault(path, set()).add(version)
    assert {path for path, found in shared.items() if len(found) > 1} == {
        "github.com/pulumi/pulumi/pkg/v3",  # the provider does not compile against a newer one
        "github.com/pulumi/pulumi/sdk/v3",
    }, "give a shared module one version in every go.mod: docs/adr/0013-what-is-compiled.md says how"


def test_sdks_are_generated_by_the_engines_own_generators_which_are_compiled_already() -> None:
    assert toolchain.family("sdk-generator").version == toolchain.family("engine").version
    engine = versions_of_modules("engine")
    ours = {path: found for path, found in versions_of_modules("sdk-generator").items() if not found.startswith(".")}
    assert {path for path, found in ours.items() if engine.get(path, found) != found} == set()
    assert "github.com/pulumi/pulumi/pkg/v3 v3.259.0" in module("sdk-generator")


def test_each_stub_replaces_the_module_whose_path_it_has() -> None:
    stubs = {
        file.parent: re.findall(r"^module (\S+)$", file.read_text(), re.MULTILINE)
        for file in HERE.glob("*/stubs/*/go.mod")
    }
    assert stubs
    replaced = {
        HERE / folder.name / path: [name]
        for folder in HERE.iterdir()
        if (folder / "go.mod").exists()
        for name, path in versions_of_modules(folder.name).items()
        if path.startswith("./")
    }
    assert stubs == replaced


def downloads(name: str) -> dict[str, str]:
    """The files of a family for each platform, as ``pins.toml`` names them → their pinned sums."""
    families = {machine: family_for(name, PINS[name], machine) for machine in MACHINES}
    return {f"{machine}/{it.name}": it.sha256 for machine, family in families.items() for it in family.artifacts}


def test_a_pinned_sum_is_that_of_a_file_of_the_pinned_version() -> None:
    for name, pin in PINS.items():
        sums = pin.get("download", {}).get("sha256", {})
        assert all(re.fullmatch("[0-9a-f]{64}", found) for found in sums.values()), name
        assert sums.keys() - downloads(name).keys() == set(), f"run `python -m tools.pin_downloads {name}`"


def test_a_family_has_pinned_sums_for_each_of_its_files_or_is_known_to_have_none() -> None:
    for name in PINS:
        assert {bool(found) for found in downloads(name).values()} <= {name not in NOT_PINNED}, name


def test_a_sum_is_found_by_platform_and_file() -> None:
    etcd = PINS["etcd"]
    file = f"linux-arm64/etcd-v{etcd['version']}-linux-arm64.tar.gz"
    pin = {**etcd, "download": {**etcd["download"], "sha256": {file: "a" * 64}}}
    sums = [[each.sha256 for each in family_for("etcd", pin, machine).artifacts] for machine in MACHINES]
    assert sums == [[""], ["a" * 64], [], []]


def test_the_pinned_versions_are_supported() -> None:
    for name in PINS:
        pin = toolchain.family(name)
        version = versions.numbers(pin.version)
        assert version is not None and pin.fits(version)


def test_a_changed_source_file_of_ours_requires_a_new_build(tmp_path: Path) -> None:
    recipe = dataclasses.replace(toolchain.family("mig-parted").recipe, folder=tmp_path)
    (tmp_path / "tool").mkdir()
    files = {"go.mod": "module m\n", "go.sum": "", "tool/main.go": "package main\n", "tool/go.mod": "module t\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    for name, text in files.items():
        before = recipe.fingerprint
        (tmp_path / name).write_text(f"{text}// changed\n")
        assert recipe.fingerprint != before, name
