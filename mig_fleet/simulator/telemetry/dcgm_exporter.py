"""The series of dcgm-exporter (internal/pkg/rendermetrics/render_metrics.go) for a reading of a node's GPUs.

In the default mode, flex, a GPU with MIG has rows for its slices only, and none for itself. Such a row has the slice's
own values and repeats those of the board; its UUID is the board's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mig_fleet.simulator.telemetry.counters import Counter
from mig_fleet.simulator.telemetry.exposition import Family, Sample
from mig_fleet.simulator.telemetry.fields import DRIVER_VERSION, NEW, OLD, XID, XID_MESSAGES, Field
from mig_fleet.simulator.telemetry.reading import Board, Part, Reading


@dataclass(frozen=True, slots=True)
class Spelling:
    """What differs between versions of the exporter."""

    host_label: str = "hostname"
    """``Hostname`` before 4.8.3."""
    renames: bool = False
    """Old names of the list become the new ones, with their units."""


def render(reading: Reading, counters: Iterable[Counter], spelling: Spelling) -> tuple[Family, ...]:
    """One family for each row of the list that is not a label."""
    counters = tuple(counters)
    extra = {_renamed_label(row.field, spelling): reading.driver for row in counters if row.kind == "label"}
    extra |= {spelling.host_label: reading.node}
    return tuple(_family(reading, counter, extra, spelling) for counter in counters if counter.kind != "label")


def _family(reading: Reading, counter: Counter, extra: Mapping[str, str], spelling: Spelling) -> Family:
    field = OLD.get(counter.field) or NEW[counter.field]
    new = spelling.renames or counter.field not in OLD
    name = field.new_name if new else field.name
    samples = tuple(_samples(reading, field, field.factor if new else 1.0, extra))
    return Family(name, counter.kind, counter.help, samples)


def _samples(reading: Reading, field: Field, factor: float, extra: Mapping[str, str]) -> Iterator[Sample]:
    for board in reading.boards:
        for part in board.parts:
            value = field.value(board, part)
            if value is not None:
                yield Sample({**_labels(board, part, extra), **_xid_labels(field, part)}, value * factor)


def _labels(board: Board, part: Part, extra: Mapping[str, str]) -> dict[str, str]:
    found = {
        "gpu": str(board.index),
        "UUID": board.uuid,
        "pci_bus_id": board.bus,
        "device": f"nvidia{board.index}",
        "modelName": board.model,
    }
    if part.profile:
        found |= {"GPU_I_PROFILE": part.profile, "GPU_I_ID": str(part.instance)}
    found |= extra
    if part.owner:
        found |= {"container": part.owner.container, "namespace": part.owner.namespace, "pod": part.owner.name}
    return found


def _xid_labels(field: Field, part: Part) -> dict[str, str]:
    if field.name not in XID or part.xid is None:
        return {}
    return {"err_code": str(part.xid), "err_msg": XID_MESSAGES.get(part.xid, "Unknown Error")}


def _renamed_label(name: str, spelling: Spelling) -> str:
    old, new = DRIVER_VERSION
    return new if spelling.renames and name == old else name
