"""The report: the state of one node according to NVML, as the probe writes it and verification reads it.

JSON. ``to_json`` is canonical (sorted, compact) and has no clock and no utilisation, so an unchanged node
writes the same bytes. A GPU that differs from an earlier one in its index and UUID only is written as these two and
``like``, the earlier one's index: most nodes have equal GPUs, and a preview reads the reports of all nodes.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any, TypeVar

from mig_fleet.model.allocation import Allocation as Allocation
from mig_fleet.model.allocation import read_allocation
from mig_fleet.model.errors import InvalidReport
from mig_fleet.model.gpu_instance import ComputeInstance as ComputeInstance
from mig_fleet.model.gpu_instance import Instance as Instance
from mig_fleet.model.gpu_instance import read_instance
from mig_fleet.model.reading import Reader
from mig_fleet.model.report_grammar import MOST_INSTANCES, ReportReader

T = TypeVar("T")

VERSION = 2
READABLE: tuple[int, ...] = (1, VERSION)
"""Versions; in the first one each GPU is written in full."""

HEARTBEAT_S = 100.0
"""Seconds between a probe's writes of an unchanged report; less than an update waits for one that was deleted
(rollout/convergence.py, ``CONVERGENCE_S``)."""
STALE_AFTER_S = 3 * HEARTBEAT_S
"""A report that was last written longer ago does not count."""

RESET_HINT = "a change of the MIG mode waits for a GPU reset; drain and reboot the node"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by NVML index. ``mig_mode_current`` and ``mig_mode_pending`` are None if the GPU does not support MIG,
    ``memory_mib`` if it has no memory of its own.
    """

    index: int
    uuid: str
    pci_id: str
    product: str
    memory_mib: int | None
    mig_mode_current: bool | None
    mig_mode_pending: bool | None
    instances: tuple[Instance, ...]
    model: str | None = None
    """The catalog's name of the model; None for a board that is not in the catalog."""
    profile_names: tuple[str, ...] | None = None
    """The names under which this board has its profiles of GPU instances, by NVML; None if the driver does not list
    them, as some do while MIG is off, or if the probe is older.
    """

    @property
    def is_reset_pending(self) -> bool:
        """Whether a change of the MIG mode waits for a GPU reset or a reboot; until then the slices are the old ones or
        none.
        """
        return self.mig_mode_current != self.mig_mode_pending

    @property
    def bare_instances(self) -> tuple[Instance, ...]:
        """GPU instances without a compute instance, as ``nvidia-smi mig -cgi`` without ``-C`` leaves them: they take
        memory, but are not MIG devices. mig-parted ignores them.
        """
        return tuple(instance for instance in self.instances if not instance.compute_instances)

    def format_bare_instances(self) -> list[str]:
        """A sentence for each of :attr:`bare_instances`, with the command that destroys it on the node."""
        return [
            f"GPU instance {it.gpu_instance_id} ({it.profile}) has no compute instance, and MIG Manager ignores it; "
            f"destroy it there: `nvidia-smi mig -i {self.index} -dgi -gi {it.gpu_instance_id}`"
            for it in self.bare_instances
        ]

    def counts(self) -> Mapping[str, int] | None:
        """MIG devices by profile, as mig-parted counts them; None if MIG is off."""
        if not self.mig_mode_current:
            return None
        return dict(sorted(Counter(ci.profile for gi in self.instances for ci in gi.compute_instances).items()))


@dataclass(frozen=True, slots=True)
class Report:
    """``config``, ``state`` and ``attempt`` are those of the node both before and after NVML was read; None if absent.

    ``attempt`` is the annotation `labels.ATTEMPT`: a report with an earlier attempt than the node's is stale.
    ``errors`` are sentences about what could not be read; a report with errors proves nothing about missing GPUs.
    """

    node: str
    driver_version: str
    config: str | None
    state: str | None
    gpus: tuple[Gpu, ...]
    errors: tuple[str, ...] = ()
    attempt: str | None = None
    allocations: tuple[Allocation, ...] | None = None
    """What the kubelet allocated to pods, sorted (:func:`mig_fleet.model.allocation.sort_allocations`); None if it is
    not known. The pods may be gone."""
    allocations_error: str = ""
    """Why ``allocations`` is not known; empty also in the report of an older probe, which does not ask the kubelet."""

    def __post_init__(self) -> None:
        if len(indexes := [gpu.index for gpu in self.gpus]) != len({*indexes}):
            raise InvalidReport("gpus", f"must have different indexes, found {indexes[:20]}")
        if (count := sum(len(gpu.instances) for gpu in self.gpus)) > MOST_INSTANCES:
            raise InvalidReport("gpus", f"must have at most {MOST_INSTANCES} GPU instances, found {count}")

    def counts(self) -> tuple[Mapping[str, int] | None, ...]:
        """MIG devices per GPU in the order of their indexes, the shape of ``Layout.per_gpu``."""
        return tuple(counts for _, counts in sorted(self.per_gpu().items()))

    def per_gpu(self) -> dict[int, Mapping[str, int] | None]:
        """MIG devices by GPU index. Most nodes have the same instances on all their GPUs, which are counted once."""
        equal = (list(gpus) for _, gpus in groupby(self.gpus, lambda gpu: (gpu.mig_mode_current, gpu.instances)))
        counted = ((gpus, gpus[0].counts()) for gpus in equal)
        return {gpu.index: counts for gpus, counts in counted for gpu in gpus}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of GPU of the node: catalog names of models, and product names of other boards; sorted."""
        return tuple(sorted({gpu.model or gpu.product for gpu in self.gpus}))

    def to_json(self) -> str:
        """JSON on one line: sorted keys, no spaces."""
        gpus = list(_without_repeats(self.gpus))
        data = {"version": VERSION, **asdict(replace(self, gpus=())), "gpus": gpus}
        return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Report":
        """Strict: a missing, unknown or mistyped key is refused with its path. Raises InvalidReport.

        Only the allocations, the names of profiles and the UUIDs of MIG devices may be missing: version 1 of the report
        did not have them at first, and the last ones are written only on demand.
        """
        return _read(text, cls._of)

    @classmethod
    def _of(cls, data: object) -> "Report":
        top = ReportReader("", data, InvalidReport)
        if (version := top.take("version", int)) not in READABLE:
            why = f"found {version}, this release reads 1 and {VERSION}; does the probe have the same release?"
            raise InvalidReport("version", why)
        return top.close(
            cls(
                node=top.take("node", str),
                driver_version=top.take("driver_version", str),
                config=top.take_nullable("config", str),
                state=top.take_nullable("state", str),
                gpus=_gpus(top),
                errors=top.take_texts("errors"),
                attempt=top.take_nullable("attempt", str),
                allocations=_allocations(top),
                allocations_error=top.take_optional("allocations_error", str) or "",
            )
        )


def pending_reset(report: Report) -> str:
    """Which GPUs keep their old slices until a reset changes their MIG mode, ``GPU 0, 1: …``; empty if none."""
    pending = ", ".join(str(gpu.index) for gpu in report.gpus if gpu.is_reset_pending)
    return f"GPU {pending}: {RESET_HINT}" if pending else ""


def instances_from_json(text: str | bytes) -> tuple[Instance, ...]:
    """The ``instances`` of one GPU, as strict as :meth:`Report.from_json`. Raises InvalidReport."""

    def read(data: object) -> tuple[Instance, ...]:
        return tuple(map(read_instance, ReportReader("", {"instances": data}, InvalidReport).each("instances")))

    return _read(text, read)


def _read(text: str | bytes, read: Callable[[object], T]) -> T:
    """The result of ``read`` for a JSON text. Raises InvalidReport, also for a text that is nested too deeply."""
    try:
        return read(json.loads(text))
    except RecursionError:
        raise InvalidReport("", "it is nested too deeply") from None
    except ValueError as error:
        raise InvalidReport("", f"it is not JSON: {error}") from None


def _allocations(data: Reader) -> tuple[Allocation, ...] | None:
    found = data.each_nullable("allocations")
    return None if found is None else tuple(map(read_allocation, found))


def _without_repeats(gpus: Iterable[Gpu]) -> Iterator[dict[str, Any]]:
    first: dict[Gpu, int] = {}
    for gpu in gpus:
        like = first.setdefault(replace(gpu, index=0, uuid=""), gpu.index)
        yield _as_data(gpu) if like == gpu.index else {"index": gpu.index, "uuid": gpu.uuid, "like": like}


def _as_data(gpu: Gpu) -> dict[str, Any]:
    """Without the key of UUIDs of MIG devices that the probe was not asked for."""
    data = asdict(gpu)
    for instance in data["instances"]:
        for compute in instance["compute_instances"]:
            if compute["mig_uuid"] is None:
                del compute["mig_uuid"]
    return data


def _gpus(data: Reader) -> tuple[Gpu, ...]:
    found: list[Gpu] = []
    by_index: dict[int, Gpu] = {}
    for item in data.each("gpus"):
        found.append(gpu := _gpu(item, by_index))
        by_index[gpu.index] = gpu
    return tuple(found)


def _gpu(data: Reader, earlier: Mapping[int, Gpu]) -> Gpu:
    like = data.take_optional("like", int)
    if like is not None:
        if like not in earlier:
            raise data.error("like", f"must be the index of an earlier GPU, found {like}")
        return data.close(replace(earlier[like], index=data.take("index", int), uuid=data.take("uuid", str)))
    return data.close(
        Gpu(
            index=data.take("index", int),
            uuid=data.take("uuid", str),
            pci_id=data.take("pci_id", str),
            product=data.take("product", str),
            memory_mib=data.take_nullable("memory_mib", int),
            mig_mode_current=data.take_nullable("mig_mode_current", bool),
            mig_mode_pending=data.take_nullable("mig_mode_pending", bool),
            instances=tuple(read_instance(item) for item in data.each("instances")),
            model=data.take_nullable("model", str),
            profile_names=data.take_nullable_list("profile_names", str),
        )
    )
