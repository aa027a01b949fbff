"""What NVIDIA's DRA driver has published, in one LIST of its ResourceSlices for all nodes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.client import Cluster
from mig_fleet.foreign_text import printable
from mig_fleet.model.dra import DRIVER, DraDevice
from mig_fleet.model.dra.device import MIG
from mig_fleet.observed.dra.objects import RESOURCE_SLICES, Device, ResourceSliceObject

QUERY: Final = {"fieldSelector": f"spec.driver={DRIVER}"}
"""The API server sends the slices of this driver only."""

MEMORY_SLICE: Final = re.compile(rf"(?:{re.escape(DRIVER)}/)?memorySlice([0-9]{{1,3}})")
"""A capacity of a MIG device, for each memory slice that it takes."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The devices of one node."""

    devices: tuple[DraDevice, ...] = ()
    """Sorted; of the newest generation of the node's pool."""
    is_complete: bool = True
    """Whether all slices of that generation are there: the driver writes them one after the other, and the scheduler
    allocates nothing of an incomplete pool."""
    unreadable: tuple[str, ...] = ()
    """A sentence for each slice that could not be read; its devices are unknown."""

    def find(self, name: str) -> DraDevice | None:
        """The device of this name."""
        return next((device for device in self.devices if device.name == name), None)


NOTHING: Final = Publication()
"""Of a node for which the driver has published no ResourceSlice."""


@dataclass(frozen=True, slots=True)
class ResourceSlices:
    """Every ResourceSlice of the driver, by its name."""

    objects: Mapping[str, ResourceSliceObject]
    malformed: Mapping[str, str]
    """Name of a slice → why it could not be read."""

    @classmethod
    def read(cls, cluster: Cluster) -> "ResourceSlices":
        """Raises :class:`~mig_fleet.cluster.errors.ClusterError`; without DRA the API server answers 404."""
        items, malformed = cluster.read_items(RESOURCE_SLICES, ResourceSliceObject, QUERY)
        return cls({item.metadata.name: item for item in items if item.spec.driver == DRIVER}, malformed)

    def after(self, changes: Iterable[tuple[str, ResourceSliceObject]]) -> "ResourceSlices":
        """With the events of a watch: kind and object of each."""
        objects = dict(self.objects)
        for kind, item in changes:
            objects.pop(item.metadata.name, None)
            if kind != "DELETED" and item.spec.driver == DRIVER:
                objects[item.metadata.name] = item
        return ResourceSlices(objects, self.malformed)

    def by_node(self) -> dict[str, Publication]:
        """Node → what is published for it. The driver's pools have the names of their nodes."""
        of_node: dict[str, list[ResourceSliceObject]] = {}
        for item in self.objects.values():
            of_node.setdefault(item.spec.node_name or item.spec.pool.name, []).append(item)
        return {node: _publication(items) for node, items in of_node.items()}

    def of_nodes(self, nodes: Iterable[str]) -> dict[str, Publication]:
        """Each of these nodes with what is published for it. A slice that cannot be read is known by its name only:
        ``00000-<driver>-<node>-…`` with a number of five digits, and ``<node>-<driver>-…`` before v0.36
        (k8s.io/dynamic-resource-allocation, resourceslice).
        """
        found = self.by_node()
        return {node: self._with_unreadable(node, found.get(node, NOTHING)) for node in nodes}

    def _with_unreadable(self, node: str, readable: Publication) -> Publication:
        newer, older = f"-{DRIVER}-{node}-", f"{node}-{DRIVER}-"
        broken = tuple(
            f"ResourceSlice {printable(name)} cannot be read: {why}"
            for name, why in sorted(self.malformed.items())
            if name.startswith(older) or (name[:5].isdigit() and name[5:].startswith(newer))
        )
        return Publication(readable.devices, readable.is_complete, broken) if broken else readable


def _publication(items: list[ResourceSliceObject]) -> Publication:
    newest = max(item.spec.pool.generation for item in items)
    current = [item for item in items if item.spec.pool.generation == newest]
    devices = [_device(device) for item in current for device in item.spec.devices or ()]
    is_complete = all(item.spec.pool.resource_slice_count == len(current) for item in current)
    return Publication(tuple(sorted(devices)), is_complete)


def _device(device: Device) -> DraDevice:
    """Attributes have the driver's domain where none is written (Kubernetes API, ``QualifiedName``)."""
    given = device.attributes or {}
    texts = {key.removeprefix(f"{DRIVER}/"): printable(it.string) for key, it in given.items() if it.string}
    slices = sorted(int(found[1]) for key in device.capacity or {} if (found := MEMORY_SLICE.fullmatch(key)))
    kind = texts.get("type", "")
    return DraDevice(
        parent_uuid=texts.get("parentUUID", ""),
        start=slices[0] if slices and kind == MIG else -1,
        profile=texts.get("profile", ""),
        uuid=texts.get("uuid", ""),
        type=kind,
        name=printable(device.name),
        size=len(slices) if kind == MIG else 0,
        is_dynamic=bool(device.consumes_counters),
    )
