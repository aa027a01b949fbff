"""A node's ResourceSlices are compared with NVML's report, where the stack says that its slices are claimed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mig_fleet.model.allocated_by import AllocatedBy
from mig_fleet.model.dra import DraDevice, expected_devices
from mig_fleet.model.dra.device import GPU
from mig_fleet.observed.configs.declared_slices import undeclared_slices
from mig_fleet.observed.differences import node_differences
from mig_fleet.observed.dra.resource_slices import Publication
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.offers import offers_of
from mig_fleet.observed.snapshot import Node

ANode = Callable[..., Node]


@pytest.fixture
def expected(expected: Expected) -> Expected:
    return replace(expected, allocation=AllocatedBy.DRA)


@pytest.fixture
def a_dra_node(a_node: ANode) -> ANode:
    """As expected; ``published`` are changes of the publication."""

    def make(published: dict[str, Any] | None = None, **changes: Any) -> Node:
        node = a_node(**{"allocatable": {}, **changes})
        assert node.report is not None
        return replace(node, published=replace(Publication(expected_devices(node.report)), **(published or {})))

    return make


def texts(expected: Expected, node: Node) -> list[str]:
    return [str(difference) for difference in node_differences(expected, "n1", node)]


def test_a_node_that_publishes_what_nvml_has_is_as_declared(expected: Expected, a_dra_node: ANode) -> None:
    assert texts(expected, a_dra_node()) == []


def test_a_node_without_any_publication_is_named_with_what_must_run_there(
    expected: Expected, a_dra_node: ANode
) -> None:
    assert texts(expected, a_dra_node({"devices": ()})) == [
        "published devices stale: n1: NVIDIA's DRA driver has published no device of it; its kubelet plugin must run "
        "there"
    ]


def test_a_publication_that_is_incomplete_or_malformed_proves_nothing(expected: Expected, a_dra_node: ANode) -> None:
    assert texts(expected, a_dra_node({"is_complete": False})) == [
        "published devices stale: n1: NVIDIA's DRA driver is still publishing its devices"
    ]
    assert texts(expected, a_dra_node({"unreadable": ("ResourceSlice a cannot be read",)})) == [
        "published devices stale: n1: ResourceSlice a cannot be read"
    ]


def test_published_devices_are_not_compared_before_nvml_is_as_declared(expected: Expected, a_dra_node: ANode) -> None:
    node = a_dra_node({"devices": ()}, state="pending")
    assert texts(expected, node) == ["not reconciled: n1: MIG Manager's state is 'pending'"]


def test_devices_that_the_driver_makes_itself_are_one_difference(expected: Expected, a_dra_node: ANode) -> None:
    devices = a_dra_node().published.devices  # type: ignore[union-attr]  # it has some
    node = a_dra_node({"devices": tuple(replace(device, is_dynamic=True) for device in devices)})
    (text,) = texts(expected, node)
    assert text.startswith("DynamicMIG: n1: NVIDIA's DRA driver runs with the feature gate DynamicMIG")


def test_what_is_published_counts_as_what_the_node_offers(a_dra_node: ANode, a_node: ANode) -> None:
    assert offers_of(a_dra_node()) == {"nvidia.com/mig-1g.10gb": 14}
    assert offers_of(a_node()) == {"nvidia.com/mig-1g.10gb": 14}, "the kubelet's, without a publication"


def test_a_device_of_another_type_offers_no_gpu_once_more(a_dra_node: ANode) -> None:
    whole, vfio = DraDevice("", -1, "", "GPU-0", GPU), DraDevice("", -1, "", "0000:1b:00.0", "vfio", "gpu-vfio-0")
    assert offers_of(a_dra_node({"devices": (whole, vfio)})) == {"nvidia.com/gpu": 1}


def test_a_node_without_a_report_may_keep_its_name_if_its_publication_is_as_declared(
    expected: Expected, a_dra_node: ANode
) -> None:
    node = replace(a_dra_node(), report=None)
    assert undeclared_slices(expected, node) == []
    less = replace(node, published=Publication(node.published.devices[:-1]))  # type: ignore[union-attr]  # it has some
    assert undeclared_slices(expected, less) == ["nvidia.com/mig-1g.10gb: expected 14, the DRA driver publishes 13"]


def test_the_properties_of_a_wave_have_the_allocation_only_with_dra(expected: Expected) -> None:
    assert expected.to_properties()["allocation"] == "dra"
    assert Expected.from_properties(expected.to_properties()) == expected
    plain = replace(expected, allocation=AllocatedBy.DEVICE_PLUGIN)
    assert "allocation" not in plain.to_properties()
    assert Expected.from_properties(plain.to_properties()) == plain
