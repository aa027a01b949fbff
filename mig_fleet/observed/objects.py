"""The fields that a snapshot reads of Kubernetes objects: the nodes of a large fleet list fifty thousand images.

Decoded straight into these shapes, a LIST costs a tenth of what dictionaries would (benchmarks/preview.py).
"""

from msgspec import Raw, Struct, field


class Part(Struct, rename="camel"):
    """A part of an object; other keys are skipped."""


class Manager(Part):
    """One entry of ``managedFields``: the writer, and the API server's time of its last write (RFC 3339)."""

    manager: str = ""
    time: str | None = None
    fields_v1: Raw = Raw(b"{}")
    """The fields that it wrote, not parsed."""


class Metadata(Part):
    name: str
    uid: str = ""
    creation_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    managed_fields: list[Manager] | None = None


class Taint(Part):
    """What keeps pods off a node; ``effect`` is ``NoSchedule``, ``NoExecute`` or ``PreferNoSchedule``."""

    key: str
    value: str = ""
    effect: str = ""


class NodeSpec(Part):
    taints: list[Taint] | None = None
    unschedulable: bool | None = None


class Condition(Part):
    type: str
    status: str


class NodeStatus(Part):
    allocatable: dict[str, str] | None = None
    conditions: list[Condition] | None = None


class NodeObject(Part):
    metadata: Metadata
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class ConfigMapObject(Part):
    metadata: Metadata
    data: dict[str, str] | None = None
    binary_data: dict[str, Raw] | None = None
    """Not parsed."""
    immutable: bool | None = None
