"""What NVIDIA's DRA driver must publish for a node, and how it differs from what it has published."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model.dra import DraDevice, device_differences, dynamic_devices, expected_devices
from mig_fleet.model.report import Report
from tests.model.reports import a_gpu, a_report, an_instance, reports


def with_uuids(report: Report, generation: int = 1) -> Report:
    """The report of a probe that was asked for UUIDs of MIG devices; each generation has others."""
    return replace(
        report,
        gpus=tuple(
            replace(
                gpu,
                instances=tuple(
                    replace(
                        instance,
                        compute_instances=tuple(
                            replace(
                                compute,
                                mig_uuid=f"MIG-{generation}-{gpu.index}-{place}-{compute.compute_instance_id}",
                            )
                            for compute in instance.compute_instances
                        ),
                    )
                    for place, instance in enumerate(gpu.instances)
                ),
            )
            for gpu in report.gpus
        ),
    )


SMALL, LARGE = an_instance(9, "1g.10gb", 4, 1), an_instance(1, "3g.40gb", 0, 4)
NODE = with_uuids(a_report(a_gpu(0, LARGE, SMALL), a_gpu(1, mig=False), a_gpu(2)))


def test_a_gpu_with_mig_is_its_slices_one_without_is_whole_and_one_without_slices_is_nothing() -> None:
    assert [(device.gpu_uuid, str(device), device.resource) for device in expected_devices(NODE)] == [
        ("GPU-1", "the whole GPU", "nvidia.com/gpu"),
        ("GPU-0", "3g.40gb at memory slice 0", "nvidia.com/mig-3g.40gb"),
        ("GPU-0", "1g.10gb at memory slice 4", "nvidia.com/mig-1g.10gb"),
    ]


@given(reports)
def test_what_is_published_as_the_report_says_does_not_differ(report: Report) -> None:
    assert device_differences(report, expected_devices(report)) == []
    assert device_differences(with_uuids(report), expected_devices(with_uuids(report))) == []


@given(reports, st.data())
def test_a_device_that_is_missing_and_one_that_is_too_much_are_one_sentence_each(
    report: Report, data: st.DataObject
) -> None:
    devices = expected_devices(report)
    if devices:
        number = data.draw(st.integers(0, len(devices) - 1))
        fewer = (*devices[:number], *devices[number + 1 :])
        assert len(device_differences(report, fewer)) == 1
        assert len(device_differences(report, (*devices, devices[number]))) == 1


def moved(device: DraDevice) -> DraDevice:
    return replace(device, start=device.start + 1) if device.profile == "1g.10gb" else device


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (
            [moved(device) for device in expected_devices(NODE)],
            [
                "GPU 0: 1g.10gb at memory slice 4 is not published",
                "GPU 0: 1g.10gb at memory slice 5 is published, and NVML does not have it",
            ],
        ),
        (
            [device for device in expected_devices(NODE) if device.profile],
            ["GPU 1: the whole GPU is not published"],
        ),
        (
            [*expected_devices(NODE), DraDevice("", -1, "", "GPU-9", "gpu", "gpu-9")],
            ["GPU-9: the whole GPU is published, and NVML does not have it"],
        ),
    ],
    ids=["another place", "missing GPU", "another GPU"],
)
def test_each_difference_names_the_gpu_and_the_place(published: list[DraDevice], expected: list[str]) -> None:
    assert device_differences(NODE, published) == expected


def test_a_slice_that_was_created_again_at_its_place_is_not_the_published_one() -> None:
    stale = expected_devices(with_uuids(NODE, generation=2))
    assert device_differences(NODE, stale) == [
        "GPU 0: 3g.40gb at memory slice 0 was created again since it was published: its UUID is another one",
        "GPU 0: 1g.10gb at memory slice 4 was created again since it was published: its UUID is another one",
    ]


def test_without_uuids_in_the_report_only_places_are_compared() -> None:
    without = replace(NODE, gpus=(a_gpu(0, LARGE, SMALL), *NODE.gpus[1:]))
    assert device_differences(without, expected_devices(NODE)) == []


def test_devices_of_other_types_do_not_count() -> None:
    vfio = DraDevice("", -1, "", "0000:1b:00.0", "vfio", "gpu-vfio-0")
    assert device_differences(NODE, [*expected_devices(NODE), vfio]) == []


def test_a_device_that_consumes_counters_is_one_that_the_driver_creates_itself() -> None:
    static, dynamic = DraDevice("GPU-0", 0, "1g.10gb", "", "mig"), DraDevice("GPU-0", 1, "1g.10gb", "", "mig", "d")
    whole = DraDevice("", -1, "", "GPU-1", "gpu", is_dynamic=True)
    assert dynamic_devices([static, replace(dynamic, is_dynamic=True), whole]) == (replace(dynamic, is_dynamic=True),)
