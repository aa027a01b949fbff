"""`mig-probe assert`: the verdicts of nvidia-mig-parted's assert, with reasons, and with what that ignores."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.model.report import RESET_HINT
from tests.conftest import ADriver
from tests.probe.conftest import Run

SEVENTHS = ("1g.10gb",) * 7
H100 = "0x233010DE"
MIG_PROBE = ("-m", "mig_fleet.cli.mig_probe")


def an_entry(**changes: Any) -> dict[str, Any]:
    entry = {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 7}}
    return {key: value for key, value in {**entry, **changes}.items() if value is not None}


@pytest.fixture
def verdict(run_mig_probe: Run, a_driver: ADriver, tmp_path: Path) -> Any:
    """Exit status, standard output and standard error for a config; by default on two GPUs with seven slices."""

    def run_assert(*entries: dict[str, Any], driver: Any = None) -> tuple[int, str, str]:
        file = tmp_path / "layouts.json"
        file.write_text(json.dumps({"version": "v1", "mig-configs": {"dense": list(entries)}}))
        done = run_mig_probe(driver or a_driver(*SEVENTHS, gpus=2), "assert", str(file))
        return done.returncode, done.stdout, done.stderr

    return run_assert


def test_gpus_that_are_as_declared_are_printed_one_by_one(verdict: Any) -> None:
    assert verdict(an_entry(**{"device-filter": H100})) == (
        0,
        "GPU 0: 7x 1g.10gb\nGPU 1: 7x 1g.10gb\ndense: every GPU is as declared\n",
        "",
    )


def test_a_difference_names_the_gpu_what_was_expected_and_what_was_found(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.gpus[1].destroy(driver.gpus[1].instances[3].id)
    status, output, _ = verdict(an_entry(), driver=driver)
    assert status == 1
    assert output.splitlines() == [
        "GPU 0: 7x 1g.10gb",
        "GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
        "dense: 1 of 2 GPUs differ",
    ]


def test_a_gpu_instance_without_a_compute_instance_is_reported_with_its_remedy(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", "3g.40gb")
    gpu = driver.gpus[0]
    instance = gpu.instances[1]
    gpu.instances[1] = replace(instance, compute=())
    status, output, _ = verdict(an_entry(**{"mig-devices": {"3g.40gb": 1}}), driver=driver)
    assert status == 1
    assert output.splitlines()[0] == (
        f"GPU 0: 3g.40gb; GPU instance {instance.id} (3g.40gb) has no compute instance, and MIG Manager ignores it; "
        f"destroy it there: `nvidia-smi mig -i 0 -dgi -gi {instance.id}`"
    )


def test_the_last_entry_that_covers_a_gpu_counts(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.gpus[1].set_mode(False)
    off = {"devices": [1], "mig-enabled": False}
    assert verdict(an_entry(), off, driver=driver)[0] == 0


def test_an_entry_that_selects_by_subsystem_id_leaves_a_gpu_unknown_unless_a_later_entry_decides(
    verdict: Any, a_driver: ADriver
) -> None:
    device_filter = f"{H100}:0x16C110DE"
    board = an_entry(**{"device-filter": device_filter})
    off = {"device-filter": H100, "devices": "all", "mig-enabled": False}
    unknown = f"GPU 0: unknown: the device filter {device_filter} selects by subsystem ID, which reports do not include"
    for entries in ([board], [off, board]):
        status, output, _ = verdict(*entries, driver=a_driver(mig=False))
        assert status == 3, output
        assert output.startswith(unknown) and output.endswith("dense: 1 of 1 GPUs unknown\n")
    assert verdict(board, off, driver=a_driver(mig=False))[0] == 0, "the last entry that matches counts"
    other = an_entry(**{"device-filter": "0x20B210DE:0x16C110DE"})
    assert verdict(off, other, driver=a_driver(mig=False))[0] == 0, "another chip's boards do not matter"
    seven = an_entry(devices=[1], **{"device-filter": H100})
    status, output, _ = verdict(board, seven, driver=a_driver(gpus=2))
    assert (status, output.splitlines()[-1]) == (1, "dense: 1 of 2 GPUs differ, 1 unknown")


@pytest.mark.parametrize(
    ("entry", "status", "output", "note"),
    [
        (
            an_entry(**{"device-filter": "0x2330"}),
            1,
            "GPU 0: has no entry in the config (NVIDIA H100 80GB HBM3, 0x233010DE); found 7x 1g.10gb",
            "'0x2330' matches no GPU, and mig-parted does not report it; write \"0x233010DE\"",
        ),
        (
            an_entry(**{"mig-devices": {"1g.5gb": 7}, "device-filter": H100}),
            1,
            "GPU 0: expected 7x 1g.5gb, found 7x 1g.10gb; NVIDIA H100 80GB HBM3 has no 1g.5gb",
            "mig-parted would wipe the GPU, create nothing and report success",
        ),
        (
            an_entry(**{"mig-devices": {"1g.10gb": 7, "2g.20gb": 0}, "device-filter": H100}),
            0,
            "GPU 0: 7x 1g.10gb",
            "a count of 0 can be applied but never compares equal",
        ),
        (
            an_entry(**{"mig-devices": {"1c.1g.10gb": 7}, "device-filter": H100}),
            0,
            "GPU 0: 7x 1g.10gb",
            "write 1g.10gb",
        ),
        (
            an_entry(devices=[0], **{"device-filter": H100}),
            1,
            "GPU 1: has no entry in the config (NVIDIA H100 80GB HBM3, 0x233010DE); found 7x 1g.10gb",
            "",
        ),
        (
            an_entry(**{"mig-enabled": False, "mig-devices": None}),
            1,
            "GPU 0: expected MIG off, found 7x 1g.10gb",
            "",
        ),
    ],
    ids=["S1 a filter that matches nothing", "S2 an unknown profile", "S3 a count of 0", "S3 an alias",
         "S4 a GPU without an entry", "MIG is on"],
)  # fmt: skip
def test_what_mig_parted_ignores_without_a_message_is_reported(
    verdict: Any, entry: dict[str, Any], status: int, output: str, note: str
) -> None:
    found, out, err = verdict(entry)
    assert found == status, out + err
    assert output in out
    assert note in err


def test_a_gpu_without_mig_among_those_that_must_have_it_is_reported(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.errors["nvmlDeviceGetMigMode"] = 3  # Not Supported
    status, output, _ = verdict(an_entry(), driver=driver)
    assert status == 1
    assert "GPU 0: expected 7x 1g.10gb, but NVIDIA H100 80GB HBM3 cannot do MIG" in output
    assert verdict({"devices": "all", "mig-enabled": False}, driver=driver)[0] == 0


def test_a_mode_that_waits_for_a_reset_is_not_as_declared(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS)
    driver.gpus[0].pending = False
    status, output, _ = verdict(an_entry(), driver=driver)
    assert status == 1
    assert f"GPU 0: expected 7x 1g.10gb; {RESET_HINT}" in output


def test_gpus_that_nvml_cannot_read_are_not_compared(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.gpus[1].lost = True
    status, output, errors = verdict(an_entry(), driver=driver)
    assert (status, output) == (3, "")
    assert "GPU 1: nvmlDeviceGetHandleByIndex: GPU is lost" in errors
    assert verdict(an_entry(), driver=a_driver(gpus=0))[0] == 3, "no GPU at all"


YAML = """
version: v1
mig-configs:
  dense: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]
  all-disabled: [{devices: all, mig-enabled: false}]
"""


def test_a_config_of_several_is_chosen_by_its_name_and_the_file_may_be_standard_input(
    a_driver: ADriver, run: Run
) -> None:
    done = run(a_driver(*SEVENTHS), *MIG_PROBE, "assert", "-", "dense", stdin=YAML)
    assert (done.returncode, done.stdout) == (0, "GPU 0: 7x 1g.10gb\ndense: every GPU is as declared\n")
    assert run(a_driver(*SEVENTHS), *MIG_PROBE, "assert", "-", "all-disabled", stdin=YAML).returncode == 1


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (YAML, [], ": name one of its configs: all-disabled, dense"),
        (YAML, ["densee"], ": no config 'densee' in the file; did you mean 'dense'?"),
        ("version: v2", [], ":1: not a mig-parted file: version: must be v1, found 'v2'"),
        ("", [], ": has no configs"),
        ("a: b: c", [], ":1: is not YAML: "),
    ],
    ids=["no name", "a wrong name", "a wrong version", "an empty file", "no YAML"],
)
def test_a_file_that_cannot_be_used_is_one_sentence_and_exit_status_2(
    a_driver: ADriver, run_mig_probe: Run, tmp_path: Path, content: str, arguments: list[str], message: str
) -> None:
    file = tmp_path / "layouts.yaml"
    file.write_text(content)
    done = run_mig_probe(a_driver(), "assert", str(file), *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith(f"mig-probe: {file}{message}") and done.stderr.count("\n") == 1


def test_a_duplicate_key_is_reported_and_the_last_value_counts(a_driver: ADriver, run_mig_probe: Run) -> None:
    text = YAML.replace("1g.10gb: 7", "1g.10gb: 6, 1g.10gb: 7")
    done = run_mig_probe(a_driver(*SEVENTHS), "assert", "-", "dense", stdin=text)
    assert done.returncode == 0, done.stdout
    assert "note: standard input:4: duplicate key '1g.10gb'" in done.stderr


def test_a_report_of_another_node_is_compared_without_nvml(
    a_driver: ADriver, run_mig_probe: Run, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text(run_mig_probe(a_driver(*SEVENTHS), "read").stdout)
    done = run_mig_probe(a_driver(gpus=0), "assert", "-", "dense", "--report", str(report), stdin=YAML)
    assert (done.returncode, done.stdout) == (0, "GPU 0: 7x 1g.10gb\ndense: every GPU is as declared\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file or directory"), ("{}", "not a report of mig-fleet: version: is missing")],
    ids=["no file", "no report"],
)
def test_a_report_that_cannot_be_used_is_exit_status_2(
    a_driver: ADriver, run_mig_probe: Run, tmp_path: Path, content: str | None, message: str
) -> None:
    report = tmp_path / "report.json"
    if content is not None:
        report.write_text(content)
    done = run_mig_probe(a_driver(), "assert", "-", "dense", "--report", str(report), stdin=YAML)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mig-probe: {report}: {message}")
