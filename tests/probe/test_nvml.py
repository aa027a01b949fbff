"""The report has all that the driver knows, and each of its errors."""

import ast
import ctypes
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from mig_fleet.model.report import Report
from mig_fleet.probe import nvml, nvml_calls
from mig_fleet.simulator.driver import text as driver_text
from tests.conftest import ADriver
from tests.probe.conftest import Run

CODES = sorted(
    value
    for name, value in vars(pynvml).items()
    if name.startswith("NVML_ERROR_") and isinstance(value, int) and name != "NVML_ERROR_LIBRARY_NOT_FOUND"
)
"""Every code of NVML, except the one that the bindings define for a missing library."""

SINCE_R510 = ("nvmlDeviceGetGpuInstanceProfileInfoV", "nvmlGpuInstanceGetComputeInstanceProfileInfoV")

ANSWERS = {
    ("nvmlDeviceGetMigMode", pynvml.NVML_ERROR_NOT_SUPPORTED): "a GPU that cannot do MIG",
    ("nvmlDeviceGetMemoryInfo", pynvml.NVML_ERROR_NOT_SUPPORTED): "a GPU without memory of its own",
    **{
        (call, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND): "a driver before R510: the older call follows"
        for call in SINCE_R510
    },
    **{("nvmlShutdown", code): "the reading is complete and true" for code in CODES},
}
"""The only errors that are answers, with their reasons."""

EVERY_ERROR = """
import json, os, sys
from pathlib import Path
from mig_fleet.probe import nvml
from mig_fleet.simulator.driver import text as driver_text
from mig_fleet.probe.nvml_subprocess import NvmlSubprocess

path = Path(os.environ["MIG_SIMULATOR_DRIVER"])
healthy = path.read_text()
for call, code in json.load(sys.stdin):
    path.write_text(f"{healthy}error\\tcall={call}\\tcode={code}\\n")
    # A library that cannot be shut down must end with its process.
    read = NvmlSubprocess().read if call == "nvmlShutdown" else nvml.read
    print(read("n1").to_json())
"""


def called_functions() -> Iterator[str]:
    """NVML's own names of the functions that a reading calls through the bindings."""
    names = {
        node.attr
        for module in (nvml, nvml_calls)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Attribute) and node.attr.startswith("nvml")
    }
    assert len(names) >= 14, "the scan no longer finds the probe's calls"
    for name in sorted(names):
        yield from c_functions(name)


def c_functions(binding: str) -> Iterator[str]:
    """The C functions that a binding calls, the newest version first; a binding may call another binding."""
    source = inspect.getsource(getattr(pynvml, binding))
    found = re.findall(r'_nvmlGetFunctionPointer\("(\w+)"\)', source)
    if found:
        yield found[0]
    else:
        (inner,) = set(re.findall(r"\b(nvml\w+)\(", source)) - {binding}
        yield from c_functions(inner)


CALLED = tuple(called_functions())


def test_the_simulated_library_has_every_function_that_the_probe_calls(nvml_folder: Path) -> None:
    library = ctypes.CDLL(str(nvml_folder / "libnvidia-ml.so.1"))
    assert [name for name in CALLED if not hasattr(library, name)] == []


def test_all_that_nvml_knows_is_in_the_report(a_driver: ADriver, run: Run) -> None:
    driver = a_driver("1g.10gb", "1g.10gb+me", gpus=2)
    split = driver.gpus[0].create("3g.40gb", 1)
    driver.gpus[0].split(split.id, 2)
    driver.gpus[1].set_mode(False)
    done = run(driver, "-m", "mig_fleet.probe", "read", "--node", "n1")
    assert done.returncode == 0, done.stderr
    report = Report.from_json(done.stdout)
    assert (report.node, report.driver_version, report.errors) == ("n1", "580.126.09", ())
    first, second = report.gpus
    assert (first.model, first.product, first.pci_id) == ("H100-80GB", "NVIDIA H100 80GB HBM3", "0x233010DE")
    assert first.memory_mib == 81559
    assert first.uuid == driver.gpus[0].uuid
    assert first.counts() == {"1c.3g.40gb": 1, "1g.10gb": 1, "1g.10gb+me": 1, "2c.3g.40gb": 1}
    assert {(i.gpu_instance_id, i.profile, i.start, i.size) for i in first.instances} == {
        (i.id, i.profile, i.start, i.size) for i in driver.gpus[0].instances
    }
    assert (second.mig_mode_current, second.mig_mode_pending, second.instances) == (False, False, ())
    names = ("1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb", "1g.10gb+me", "1g.20gb")
    assert first.profile_names == second.profile_names == names, "the board's own names, with MIG off, too"


@pytest.mark.parametrize("model", ["A30-24GB", "A100-40GB", "H200-141GB", "B200-180GB", "RTX-PRO-6000"])
def test_a_gpu_full_of_its_smallest_slices_is_counted_on_every_generation(
    a_driver: ADriver, run_mig_probe: Run, model: str
) -> None:
    driver = a_driver(gpu=model)
    gpu = driver.gpus[0]
    smallest = min(gpu.model.profiles.values(), key=lambda profile: (profile.size, profile.name))
    for _ in range(smallest.max_instances):
        gpu.create(smallest.name)
    report = Report.from_json(run_mig_probe(driver, "read").stdout)
    assert report.counts() == ({smallest.name: smallest.max_instances},)


def test_an_instance_profile_that_the_bindings_do_not_know_is_counted(
    a_driver: ADriver, run_mig_probe: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = driver_text._facts
    new = {"enum": pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT + 1}
    added = lambda model, it: {**known(model, it), **(new if it.name == "1g.10gb" else {})}  # noqa: E731
    monkeypatch.setattr(driver_text, "_facts", added)
    report = Report.from_json(run_mig_probe(a_driver("3g.40gb", "1g.10gb"), "read").stdout)
    assert (report.errors, report.counts()) == ((), ({"1g.10gb": 1, "3g.40gb": 1},))


def test_a_gpu_that_fell_off_the_bus_is_reported_and_the_others_are_still_read(
    a_driver: ADriver, run_mig_probe: Run
) -> None:
    driver = a_driver("7g.80gb", gpus=3)
    driver.gpus[1].lost = True
    done = run_mig_probe(driver, "read")
    report = Report.from_json(done.stdout)
    assert done.returncode == 1
    assert [gpu.index for gpu in report.gpus] == [0, 2]
    assert report.errors == (
        "GPU 1: nvmlDeviceGetHandleByIndex: GPU is lost (a GPU fell off the bus; look at the kernel log for XID 79)",
    )


def test_every_error_of_every_call_is_in_the_report(a_driver: ADriver, run: Run) -> None:
    cases = [(call, code) for call in CALLED for code in CODES]
    done = run(a_driver("3g.40gb", "1g.10gb"), "-c", EVERY_ERROR, stdin=json.dumps(cases))
    assert done.returncode == 0, done.stderr
    reports = [Report.from_json(line) for line in done.stdout.splitlines()]
    unreported = {
        case: report
        for case, report in zip(cases, reports, strict=True)
        if not any(error_names(case[0], error) for error in report.errors)
    }
    assert unreported.keys() == ANSWERS.keys(), "an error that is not in the report, or an answer that is"
    assert {report.errors for report in unreported.values()} == {()}
    incapable = unreported["nvmlDeviceGetMigMode", pynvml.NVML_ERROR_NOT_SUPPORTED]
    assert (incapable.gpus[0].mig_mode_current, incapable.counts()) == (None, (None,))
    assert unreported["nvmlDeviceGetMemoryInfo", pynvml.NVML_ERROR_NOT_SUPPORTED].gpus[0].memory_mib is None
    for call in SINCE_R510:
        assert unreported[call, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND].counts() == ({"1g.10gb": 1, "3g.40gb": 1},)
    assert unreported["nvmlShutdown", pynvml.NVML_ERROR_UNKNOWN].counts() == ({"1g.10gb": 1, "3g.40gb": 1},)


def test_a_driver_without_profile_names_is_read_as_completely_as_a_newer_one(
    a_driver: ADriver, run_mig_probe: Run
) -> None:
    driver = a_driver("1g.5gb", "1g.5gb+me", gpu="A100-40GB")
    split = driver.gpus[0].create("3g.20gb", 1)
    driver.gpus[0].split(split.id, 2)
    today = run_mig_probe(driver, "read", "--node", "n1")
    driver.errors |= dict.fromkeys(SINCE_R510, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    before_r510 = run_mig_probe(driver, "read", "--node", "n1")
    (known,), (older,) = (Report.from_json(done.stdout).gpus for done in (today, before_r510))
    assert (before_r510.returncode, older) == (0, replace(known, profile_names=None))


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_UNKNOWN])
def test_a_driver_that_lists_no_profile_while_mig_is_off_reports_no_names(
    a_driver: ADriver, run_mig_probe: Run, code: int
) -> None:
    driver = a_driver("1g.10gb", gpus=2)
    driver.gpus[1].set_mode(False)
    driver.errors["nvmlDeviceGetGpuInstanceProfileInfoV"] = code
    driver.gpus[0].set_mode(False)
    done = run_mig_probe(driver, "read")
    report = Report.from_json(done.stdout)
    assert (report.errors, [gpu.profile_names for gpu in report.gpus]) == ((), [None, None])


def error_names(call: str, error: str) -> bool:
    """Whether an error names a call; the bindings' names lack NVML's suffixes."""
    stem = re.sub(r"(WithFlags|V|_v\d)$", "", call)
    return re.search(rf"\b{stem}(_v\d)?: ", error) is not None


def test_nvmls_message_is_followed_by_the_likely_cause(a_driver: ADriver, run_mig_probe: Run) -> None:
    driver = a_driver()
    driver.errors["nvmlInitWithFlags"] = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    (error,) = Report.from_json(run_mig_probe(driver, "read").stdout).errors
    assert error == (
        "nvmlInit: RM has detected an NVML/RM version mismatch. "
        "(the driver was upgraded under a running system; reload it or reboot)"
    )
