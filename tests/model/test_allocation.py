"""Which pod has which slice: in one order, and in sentences."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model.allocation import Allocation, format_allocations, sort_allocations
from tests.model.reports import allocations


def an_allocation(gpu: int | None, instance: int | None = None, compute: int | None = None) -> Allocation:
    return Allocation("team-a", "job", "nvidia.com/gpu", gpu, instance, compute)


@given(st.lists(allocations), st.randoms())
def test_the_order_of_the_kubelets_answer_makes_no_difference(found: list[Allocation], random: Random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert sort_allocations(shuffled) == sort_allocations(found)


def test_each_device_is_named_with_its_pod() -> None:
    found = [an_allocation(1), an_allocation(0, 9, 1), an_allocation(0, 7, 0), an_allocation(None)]
    assert format_allocations(found) == [
        "team-a/job has nvidia.com/gpu on a device that NVML does not have",
        "team-a/job has nvidia.com/gpu on GPU 0, GPU instance 7",
        "team-a/job has nvidia.com/gpu on GPU 0, GPU instance 9, compute instance 1",
        "team-a/job has nvidia.com/gpu on GPU 1",
    ]
