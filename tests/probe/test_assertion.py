"""`mig-probe assert`: the verdicts of nvidia-mig-parted's assert, with reasons, and without its blind spots."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ADriver
from tests.probe.conftest import Run

SEVENTHS = ("1g.10gb",) * 7
H100 = "0x233010DE"


def an_entry(**changes: Any) -> dict[str, Any]:
    entry = {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 7}}
    return {key: value for key, value in {**entry, **changes}.items() if value is not None}


@pytest.fixture
def verdict(run: Run, a_driver: ADriver, tmp_path: Path) -> Any:
    """Exit status, standard output and standard error for a config on a driver, by default two GPUs cut in seven."""

    def ask(*entries: dict[str, Any], driver: Any = None) -> tuple[int, str, str]:
        file = tmp_path / "layouts.json"
        file.write_text(json.dumps({"version": "v1", "mig-configs": {"dense": list(entries)}}))
        done = run(driver or a_driver(*SEVENTHS, gpus=2), "-m", "mig_fleet.probe", "assert", str(file))
        return done.returncode, done.stdout, done.stderr

    return ask


def test_gpus_that_are_as_declared_are_told_one_by_one(verdict: Any) -> None:
    assert verdict(an_entry(**{"device-filter": H100})) == (
        0,
        "GPU 0: 7x 1g.10gb\nGPU 1: 7x 1g.10gb\ndense: every GPU is as declared\n",
        "",
    )


def test_a_difference_names_the_gpu_what_was_expected_and_what_was_found(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.gpus[1].destroy(driver.gpus[1].instances[3].id)
    status, told, _ = verdict(an_entry(), driver=driver)
    assert status == 1
    assert told.splitlines() == [
        "GPU 0: 7x 1g.10gb",
        "GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
        "dense: 1 of 2 GPUs differ",
    ]


def test_a_gpu_instance_that_nvidias_tools_do_not_count_is_named(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", "3g.40gb")
    gpu = driver.gpus[0]
    left = gpu.instances[1]
    gpu.instances[1] = replace(left, compute=())
    status, told, _ = verdict(an_entry(**{"mig-devices": {"3g.40gb": 1}}), driver=driver)
    assert status == 1
    assert told.splitlines()[0] == (
        f"GPU 0: 3g.40gb, and GPU instance {left.id} without a compute instance; destroy it: nvidia-smi mig -i 0 -dgi "
        f"-gi {left.id}"
    )


def test_the_last_entry_that_covers_a_gpu_counts(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.gpus[1].set_mode(False)
    off = {"devices": [1], "mig-enabled": False}
    assert verdict(an_entry(), off, driver=driver)[0] == 0


def test_whether_an_entry_for_a_certain_board_is_meant_cannot_be_told_unless_a_later_entry_decides(
    verdict: Any, a_driver: ADriver
) -> None:
    word = f"{H100}:0x16C110DE"
    board = an_entry(**{"device-filter": word})
    off = {"device-filter": H100, "devices": "all", "mig-enabled": False}
    unsure = f"GPU 0: cannot be told, for the device filter {word} wants a certain board, and which one this is"
    for entries in ([board], [off, board]):
        status, told, _ = verdict(*entries, driver=a_driver(mig=False))
        assert status == 3, told
        assert told.startswith(unsure) and told.endswith("dense: 1 of 1 GPUs cannot be told\n")
    assert verdict(board, off, driver=a_driver(mig=False))[0] == 0, "the last entry that matches counts"
    other = an_entry(**{"device-filter": "0x20B210DE:0x16C110DE"})
    assert verdict(off, other, driver=a_driver(mig=False))[0] == 0, "another chip's boards do not matter"
    seven = an_entry(devices=[1], **{"device-filter": H100})
    status, told, _ = verdict(board, seven, driver=a_driver(gpus=2))
    assert (status, told.splitlines()[-1]) == (1, "dense: 1 of 2 GPUs differ, and 1 cannot be told")


@pytest.mark.parametrize(
    ("entry", "status", "told", "noted"),
    [
        (
            an_entry(**{"device-filter": "0x2330"}),
            1,
            "GPU 0: no entry of the config covers it (NVIDIA H100 80GB HBM3, 0x233010DE); found 7x 1g.10gb",
            "'0x2330' matches no GPU, silently; write \"0x233010DE\"",
        ),
        (
            an_entry(**{"mig-devices": {"1g.5gb": 7}, "device-filter": H100}),
            1,
            "GPU 0: expected 7x 1g.5gb, found 7x 1g.10gb; NVIDIA H100 80GB HBM3 has no 1g.5gb",
            "the GPU would be wiped, nothing created, and success reported",
        ),
        (
            an_entry(**{"mig-devices": {"1g.10gb": 7, "2g.20gb": 0}, "device-filter": H100}),
            0,
            "GPU 0: 7x 1g.10gb",
            "a count of 0 applies but never compares equal",
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
            "GPU 1: no entry of the config covers it (NVIDIA H100 80GB HBM3, 0x233010DE); found 7x 1g.10gb",
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
         "S4 a GPU that no entry covers", "MIG is on"],
)  # fmt: skip
def test_what_mig_parted_passes_over_in_silence_is_told(
    verdict: Any, entry: dict[str, Any], status: int, told: str, noted: str
) -> None:
    found, out, err = verdict(entry)
    assert found == status, out + err
    assert told in out
    assert noted in err


def test_a_gpu_that_cannot_do_mig_among_those_that_shall_is_named(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.errors["nvmlDeviceGetMigMode"] = 3  # Not Supported
    status, told, _ = verdict(an_entry(), driver=driver)
    assert status == 1
    assert "GPU 0: expected 7x 1g.10gb, but NVIDIA H100 80GB HBM3 cannot do MIG" in told
    assert verdict({"devices": "all", "mig-enabled": False}, driver=driver)[0] == 0


def test_a_mode_that_waits_for_a_reset_is_not_as_declared(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS)
    driver.gpus[0].pending = False
    status, told, _ = verdict(an_entry(), driver=driver)
    assert status == 1
    assert "GPU 0: expected 7x 1g.10gb; a change of the MIG mode waits for a GPU reset or a reboot" in told


def test_nothing_is_said_about_gpus_that_nvml_does_not_show(verdict: Any, a_driver: ADriver) -> None:
    driver = a_driver(*SEVENTHS, gpus=2)
    driver.gpus[1].lost = True
    status, told, why = verdict(an_entry(), driver=driver)
    assert (status, told) == (3, "")
    assert "GPU 1: nvmlDeviceGetHandleByIndex: GPU is lost" in why
    assert verdict(an_entry(), driver=a_driver(gpus=0))[0] == 3, "no GPU at all"


YAML = """
version: v1
mig-configs:
  dense: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]
  all-disabled: [{devices: all, mig-enabled: false}]
"""


def test_a_config_of_a_yaml_file_is_chosen_by_its_name_and_may_come_on_standard_input(
    a_driver: ADriver, run: Run
) -> None:
    done = run(a_driver(*SEVENTHS), "-m", "mig_fleet.probe", "assert", "-", "dense", stdin=YAML)
    assert (done.returncode, done.stdout) == (0, "GPU 0: 7x 1g.10gb\ndense: every GPU is as declared\n")
    assert run(a_driver(*SEVENTHS), "-m", "mig_fleet.probe", "assert", "-", "all-disabled", stdin=YAML).returncode == 1


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 10)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Its values are few once it is read, but reading it handles a hundred million."""


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (YAML, [], "name one of its configs: all-disabled, dense"),
        (YAML, ["densee"], "no config 'densee' in the file; did you mean 'dense'?"),
        ("version: v2", [], "version: must be v1, found 'v2'"),
        ("", [], "name one of its configs: it has none"),
        ("a: [", [], "is not YAML: while parsing a flow"),
        ("\0", [], "is not YAML: unacceptable character"),
        (BOMB, [], "holds more than 100000 values once its aliases are followed"),
        (MERGE_BOMB, [], "holds more than 100000 values once its aliases are followed"),
        ("a: &a [*a]", [], "holds more than 100000 values once its aliases are followed"),
        ('version: !!int ""', [], "holds a value that is not what its tag (!!int, !!bool and the like) says"),
        ("version: !!bool foo", [], "holds a value that is not what its tag (!!int, !!bool and the like) says"),
        ("version: !!timestamp foo", [], "holds a value that is not what its tag (!!int, !!bool and the like) says"),
        ("version: !!python/name:os.system x", [], "is not YAML: could not determine a constructor"),
        ("[" * 5000, [], "is nested too deeply"),
        ("9" * 5000, [], "is not YAML"),
        ("#" * (1024 * 1024 + 1), [], "is larger than 1048576 bytes"),
    ],
    ids=["no name", "a wrong name", "a wrong version", "nothing", "no YAML", "no text", "an alias bomb",
         "a merge bomb", "a circle", "no number", "no truth value", "no time", "no plain value", "a tower", "a number",
         "a megabyte"],
)  # fmt: skip
def test_a_file_that_is_no_use_is_one_sentence_and_exit_status_2(
    a_driver: ADriver, run: Run, tmp_path: Path, content: str, arguments: list[str], said: str
) -> None:
    file = tmp_path / "layouts.yaml"
    file.write_text(content)
    done = run(a_driver(), "-m", "mig_fleet.probe", "assert", str(file), *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith(f"mig-probe: {file}: ") and done.stderr.count("\n") == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not text in UTF-8"),
    ],
    ids=["no file", "a folder", "not UTF-8"],
)
def test_what_is_no_file_of_text_is_said_so(a_driver: ADriver, run: Run, tmp_path: Path, make: Any, said: str) -> None:
    make(tmp_path / "layouts.yaml")
    done = run(a_driver(), "-m", "mig_fleet.probe", "assert", str(tmp_path / "layouts.yaml"))
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
