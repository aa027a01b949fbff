"""What the DRA driver has published is read as it is in the API server, node by node."""

import copy
import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.lists import decode_items
from mig_fleet.model.dra import device_differences, dynamic_devices
from mig_fleet.observed.dra.resource_slices import NOTHING, QUERY, Publication, ResourceSlices
from mig_fleet.simulator.operands import in_process_probe
from tests.conftest import ADriver
from tests.observed.dra_objects import a_slice, of_driver

T = TypeVar("T")


class Listing:
    """A cluster that answers each LIST with these items."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = items
        self.queries: list[Mapping[str, str] | None] = []

    def read_items(self, _: str, shape: type[T], query: Mapping[str, str] | None = None) -> Any:
        self.queries.append(query)
        return decode_items(json.dumps({"items": list(self.items)}).encode(), shape)


def read(*items: dict[str, Any]) -> ResourceSlices:
    return ResourceSlices.read(cast("Cluster", Listing(*items)))


def published(*items: dict[str, Any], node: str = "n1") -> Publication:
    return read(*items).of_nodes([node])[node]


def test_the_devices_of_a_node_are_those_of_its_report(a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", "1g.10gb+me", "1g.20gb", gpus=2)
    driver.gpus[1].set_mode(False)
    report = in_process_probe.read("n1", driver, {}, {}, mig_uuids=True)
    assert report is not None
    found = published(of_driver("n1", driver), of_driver("n2", a_driver("7g.80gb")))
    assert device_differences(report, found.devices) == []
    assert [(it.name, it.size) for it in found.devices] == [
        ("gpu-1", 0),
        ("gpu-0-mig-1g20gb-15-0", 2),
        ("gpu-0-mig-1g10gb-me-20-3", 1),
        ("gpu-0-mig-3g40gb-9-4", 4),
    ]
    assert found.is_complete


def test_a_slice_that_was_destroyed_is_still_published_until_the_plugin_restarts(a_driver: ADriver) -> None:
    driver = a_driver("3g.40gb", "1g.10gb")
    before = published(of_driver("n1", copy.deepcopy(driver)))
    driver.gpus[0].destroy(driver.gpus[0].instances[1].id)
    driver.gpus[0].create("1g.10gb")
    report = in_process_probe.read("n1", driver, {}, {}, mig_uuids=True)
    assert report is not None
    (text,) = device_differences(report, before.devices)
    assert text.endswith("was created again since it was published: its UUID is another one")
    assert device_differences(report, published(of_driver("n1", driver)).devices) == []


def test_only_slices_of_nvidias_driver_are_asked_for_and_read(a_driver: ADriver) -> None:
    other = a_slice("n1", [{"name": "nic"}], driver="dra.net")
    listing = Listing(other, of_driver("n1", a_driver("1g.10gb")))
    slices = ResourceSlices.read(cast("Cluster", listing))
    assert listing.queries == [QUERY]
    assert len(slices.by_node()["n1"].devices) == 1


def test_a_node_without_slices_has_published_nothing(a_driver: ADriver) -> None:
    assert published(of_driver("n2", a_driver())) is NOTHING


def devices(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "attributes": {"type": {"string": "gpu"}}} for name in names]


def test_only_the_newest_generation_of_a_pool_counts_and_all_its_slices_must_be_there() -> None:
    old = a_slice("n1", devices("gpu-0"), name="a", generation=1)
    first = a_slice("n1", devices("gpu-1"), name="b", generation=2, count=2)
    second = a_slice("n1", devices("gpu-2"), name="c", generation=2, count=2)
    assert [it.name for it in published(old, first).devices] == ["gpu-1"]
    assert not published(old, first).is_complete
    assert sorted(it.name for it in published(old, first, second).devices) == ["gpu-1", "gpu-2"]
    assert published(old, first, second).is_complete


def test_an_attribute_may_be_written_with_the_drivers_domain() -> None:
    device = {
        "name": "gpu-0-mig-1g10gb-19-6",
        "attributes": {f"gpu.nvidia.com/{key}": {"string": text} for key, text in {"type": "mig", "uuid": "u"}.items()},
        "capacity": {"gpu.nvidia.com/memorySlice6": {"value": "1"}, "memory": {"value": "9984Mi"}},
    }
    (found,) = published(a_slice("n1", [device])).devices
    assert (found.type, found.uuid, found.start, found.size) == ("mig", "u", 6, 1)


def test_a_mig_device_that_consumes_counters_is_one_of_dynamic_mig() -> None:
    device = {"name": "d", "attributes": {"type": {"string": "mig"}}, "consumesCounters": [{"counterSet": "gpu-0"}]}
    assert [it.name for it in dynamic_devices(published(a_slice("n1", [device])).devices)] == ["d"]


@pytest.mark.parametrize("name", ["00002-gpu.nvidia.com-n1-x2b4c", "n1-gpu.nvidia.com-x2b4c"])
def test_a_slice_that_cannot_be_read_is_its_nodes_and_hides_no_other(a_driver: ADriver, name: str) -> None:
    broken = {"metadata": {"name": name}, "spec": {"driver": 7}}
    items = broken, of_driver("n2", a_driver("1g.10gb"))
    (text,) = published(*items).unreadable
    assert text.startswith(f"ResourceSlice {name} cannot be read: ")
    assert len(published(*items, node="n2").devices) == 1
    assert published(*items, node="n2").unreadable == ()


def test_the_text_of_a_device_is_made_printable() -> None:
    device = {"name": "d", "attributes": {"type": {"string": "mig"}, "profile": {"string": "1g\x1b[31m"}}}
    (found,) = published(a_slice("n1", [device])).devices
    assert found.profile.isprintable()
    assert found.resource.startswith("nvidia.com/mig-1g")


def test_events_of_a_watch_replace_and_remove_slices(a_driver: ADriver) -> None:
    before = read(of_driver("n1", a_driver("1g.10gb")), of_driver("n2", a_driver("7g.80gb")))
    after = read(of_driver("n1", a_driver("3g.40gb")))
    (changed,) = after.objects.values()
    gone = before.objects["00000-gpu.nvidia.com-n2-abcde"]
    found = before.after([("MODIFIED", changed), ("DELETED", gone)]).by_node()
    assert {node: [it.profile for it in of_node.devices] for node, of_node in found.items()} == {"n1": ["3g.40gb"]}
