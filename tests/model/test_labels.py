"""Which extended resources belong to GPUs."""

import pytest

from mig_fleet.model.labels import is_gpu_request, is_gpu_resource


@pytest.mark.parametrize(
    ("name", "is_offered", "is_requested"),
    [
        ("nvidia.com/gpu", True, True),
        ("nvidia.com/mig-1g.10gb", True, True),
        ("nvidia.com/gpu.shared", False, True),
        ("nvidia.com/gpus", False, False),
        ("example.com/mig-1g.10gb", False, False),
        ("cpu", False, False),
    ],
)
def test_a_layout_determines_gpus_and_slices_and_a_pod_may_also_request_time_sliced_gpus(
    name: str, is_offered: bool, is_requested: bool
) -> None:
    assert (is_gpu_resource(name), is_gpu_request(name)) == (is_offered, is_requested)
