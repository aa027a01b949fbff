"""The probe's program: one file, the same bytes each time, with nothing in it that the probe does not import."""

import asyncio
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mig_fleet.components.probe import component, modules, zipapp
from mig_fleet.stack_file import settings

MAX_BYTES = 250_000
"""Of the program, which each node mounts from a ConfigMap and each preview holds twice. 51 KB are NVIDIA's bindings,
95 KB are HTTP/2."""

RUN_EVERY_COMMAND = """
import json, runpy, sys, time
from contextlib import suppress

def stop(seconds):
    raise SystemExit

time.sleep = stop  # ends `watch`, which never returns
program, *options = sys.argv[1:]
for command in ("read", "watch"):
    sys.argv = [program, command, "--node", "n1", *options]
    with suppress(SystemExit):
        runpy.run_path(program, run_name="__main__")
files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
print(json.dumps([file.removeprefix(f"{program}/") for file in files if file.startswith(program)]))
others = {name.partition(".")[0] for name in sys.modules if not name.startswith("__")} - sys.stdlib_module_names
print(json.dumps(sorted(others)))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("probe") / "mig-probe.pyz"
    path.write_bytes(zipapp.build())
    return path


def run_bare(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A Python without site packages, as in a stock image."""
    return subprocess.run([sys.executable, "-I", "-S", *arguments], capture_output=True, text=True, check=False, env={})


def names(program: Path) -> set[str]:
    return set(zipfile.ZipFile(program).namelist())


def test_the_same_sources_give_the_same_bytes(program: Path) -> None:
    assert zipapp.build() == program.read_bytes()


def test_it_is_small(program: Path) -> None:
    assert program.stat().st_size <= MAX_BYTES, "what does the probe import now that it did not need before?"


def test_what_is_packed_of_this_package_is_what_a_bare_python_loads(program: Path) -> None:
    loaded, packages = loads(program, "--pod-resources", "/no/such/folder")
    assert packages == ["h2", "hpack", "hyperframe", "mig_fleet", "pynvml"], "nothing but the standard library"
    packed = {name for name in names(program) if name.startswith("mig_fleet/") and name.endswith(".py")}
    assert packed == {name for name in loaded if name.startswith("mig_fleet/")}, "correct components/probe/modules.py"


def test_a_module_that_is_not_listed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zipapp, "MODULES", [name for name in modules.MODULES if name != "model.gfd"])
    (tmp_path / "mig-probe.pyz").write_bytes(zipapp.build())
    assert "'mig_fleet.model.gfd'" in run_bare(str(tmp_path / "mig-probe.pyz"), "read", "--node", "n1").stderr


def test_http_2_is_not_loaded_if_the_kubelet_is_not_asked(program: Path) -> None:
    assert loads(program)[1] == ["mig_fleet", "pynvml"]


def loads(program: Path, *options: str) -> tuple[list[str], list[str]]:
    """The files of the program that its commands load, and the packages that are not of the standard library."""
    done = run_bare("-c", RUN_EVERY_COMMAND, str(program), *options)
    assert done.returncode == 0, done.stderr
    *_, files, others = done.stdout.splitlines()
    return json.loads(files), json.loads(others)


def test_the_catalog_of_gpus_is_packed_and_readable(program: Path) -> None:
    catalog = {f"mig_fleet/model/gpus/{path.name}" for path in Path("mig_fleet/model/gpus").glob("*.toml")}
    assert {name for name in names(program) if not name.endswith((".py", "/LICENSE"))} == catalog
    look_up = "from mig_fleet.model.gpus import by_pci; print(by_pci('0x233010DE').name)"
    done = run_bare("-c", f"import sys; sys.path.insert(0, {str(program)!r}); {look_up}")
    assert done.stdout == "H100-80GB\n", done.stderr


def test_the_packages_of_others_are_packed_with_their_license(program: Path) -> None:
    with zipfile.ZipFile(program) as archive:
        for package in zipapp.HTTP2:
            assert b"Permission is hereby granted" in archive.read(f"{package}/LICENSE")


def test_what_only_other_commands_need_is_not_packed(program: Path) -> None:
    for name in ("cli", "documents", "model/parted", "model/imports", "model/pictures", "model/cost", "model/layouts"):
        assert not any(packed.startswith(f"mig_fleet/{name}") for packed in names(program)), name


def test_a_missing_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipapp, "BINDINGS", "no_such_bindings")
    with pytest.raises(ModuleNotFoundError, match="the probe needs the Python module 'no_such_bindings'"):
        zipapp.build()


def test_without_pod_resources_the_probe_sees_no_folder_of_the_node() -> None:
    pod = component._pod(
        {"namespace": "n", "image": "python", "interval_seconds": 15, "pod_resources": False}, "program"
    )
    assert [volume["name"] for volume in pod["volumes"]] == ["program"]
    (container,) = pod["containers"]
    assert [mount["name"] for mount in container["volumeMounts"]] == ["program"]
    assert "--pod-resources" not in container["command"]


def test_a_preview_neither_prints_nor_compares_it() -> None:
    async def is_secret() -> bool:
        return await component.secret_data(b"program").is_secret()

    assert asyncio.run(is_secret())


def test_it_runs_on_a_bare_python_and_reports_why_there_is_no_nvml(program: Path) -> None:
    done = run_bare(str(program), "read", "--node", "bare")
    assert done.returncode == 1, done.stderr
    assert "no libnvidia-ml.so.1 here" in done.stdout


@pytest.mark.parametrize(
    ("image", "is_pinned"),
    [
        (settings.Probe().image, True),
        ("docker.io/library/python:3.13-slim", False),
        ("python", False),
        ("python:3.13-slim@sha256:" + "0f" * 32, True),
        ("registry.example:5000/base/python@sha256:" + "0f" * 32, True),
        ("python:3.13-slim@sha256:0f", False),
    ],
)
def test_an_image_without_a_digest_is_not_pinned_and_the_warning_has_the_command(image: str, is_pinned: bool) -> None:
    assert component.is_pinned(image) is is_pinned
    assert f"inspect {image.partition('@')[0]}`" in component.tag_warning(image)


def test_an_archive_on_any_system_has_the_same_headers(program: Path) -> None:
    entries = zipfile.ZipFile(io.BytesIO(program.read_bytes())).infolist()
    assert {(entry.date_time, entry.create_system) for entry in entries} == {(zipapp.EPOCH, zipapp.UNIX)}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
