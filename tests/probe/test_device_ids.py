"""The IDs of the device plugin: NVML lists them with gaps, and an error of NVML leaves the report whole."""

import json

import pynvml
import pytest

from mig_fleet.model.report import Report
from tests.conftest import ADriver
from tests.probe.conftest import Run

READ = """
import json
from mig_fleet.probe import nvml
report, found = nvml.read_with_devices("n1")
print(report.to_json())
print(json.dumps([found.devices, found.error]))
"""


def test_each_gpu_and_each_mig_device_is_found_by_its_uuid(a_driver: ADriver, run: Run) -> None:
    driver = a_driver("1g.10gb", gpus=3)
    first, second, third = driver.gpus
    split = first.create("3g.40gb", 1)
    split = first.split(split.id, 2)
    second.destroy(second.instances[0].id)
    second.create("2g.20gb")
    second.create("1g.10gb")
    third.set_mode(False)
    *_, output = run(driver, "-c", READ).stdout.splitlines()
    devices, error = json.loads(output)
    expected = {gpu.uuid: [gpu.index, None, None] for gpu in driver.gpus}
    for gpu in driver.gpus:
        for instance in gpu.instances:
            for compute in instance.compute:
                for name in (gpu.mig_uuid(instance, compute), f"MIG-{gpu.uuid}/{instance.id}/{compute.id}"):
                    expected[name] = [gpu.index, instance.id, compute.id]
    assert (devices, error) == (expected, "")
    assert len(devices) == 3 + 2 * (3 + 2)


@pytest.mark.parametrize(
    "call",
    [
        "nvmlDeviceGetMaxMigDeviceCount",
        "nvmlDeviceGetMigDeviceHandleByIndex",
        "nvmlDeviceGetGpuInstanceId",
        "nvmlDeviceGetComputeInstanceId",
    ],
)
def test_an_error_of_nvml_is_a_sentence_and_the_report_is_whole(a_driver: ADriver, run: Run, call: str) -> None:
    driver = a_driver("1g.10gb")
    driver.errors[call] = pynvml.NVML_ERROR_NO_PERMISSION
    report, output = run(driver, "-c", READ).stdout.splitlines()
    assert Report.from_json(report).errors == ()
    assert Report.from_json(report).counts() == ({"1g.10gb": 1},)
    assert json.loads(output)[1].startswith(f"{call}: Insufficient Permissions (the container may not read MIG devices")


WITH_UUIDS = """
from mig_fleet.probe import nvml
from mig_fleet.probe.device_ids import with_mig_uuids
print(with_mig_uuids(*nvml.read_with_devices("n1")).to_json())
"""


def test_a_report_has_the_uuid_of_each_slice_if_it_is_asked_for(a_driver: ADriver, run: Run) -> None:
    driver = a_driver("1g.10gb", gpus=2)
    split = driver.gpus[0].create("3g.40gb", 1)
    driver.gpus[0].split(split.id, 2)
    report = Report.from_json(run(driver, "-c", WITH_UUIDS).stdout.splitlines()[-1])
    assert [it.mig_uuid for gpu in report.gpus for gi in gpu.instances for it in gi.compute_instances] == [
        gpu.mig_uuid(instance, compute)
        for gpu in driver.gpus
        for instance in sorted(gpu.instances, key=lambda each: each.id)
        for compute in instance.compute
    ]
