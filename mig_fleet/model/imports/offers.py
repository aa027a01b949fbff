"""What a node offers, and where that contradicts its config. Pure.

A label says what MIG Manager was asked for, not what the node has. Three sources say what it has: the kubelet's
allocatable, the counts of GPU Feature Discovery (GFD), and the probe's report from NVML. A source that renames or
shares resources counts nothing that could be compared, and is then unknown instead of wrong.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mig_fleet.model import gfd, strategy
from mig_fleet.model.formatting import format_gpus
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.labels import GPU_RESOURCE, PRODUCT, RESOURCE_PREFIX, STRATEGY
from mig_fleet.model.layouts import Layout
from mig_fleet.model.short_repr import format_value

SUCCESS = "success"
_PROFILE = re.compile(r"(\d+c\.)?\d+g\.\d+gb([.-](?!shared)[a-z]+)*")
"""A profile in the spelling of resources; another name is one that the device plugin was given, and ``.shared`` is its
own for a shared resource (k8s-device-plugin README, Shared Access to GPUs)."""

SHARING = (".replicas", ".sharing-strategy")
"""Ends of GFD's labels about shared resources (k8s-device-plugin v0.20.0, internal/lm/resource.go)."""

STATES = {
    "failed": "MIG Manager could not apply it (state 'failed')",
    "pending": "MIG Manager is still applying it (state 'pending')",
    "rebooting": "the node reboots for it (state 'rebooting')",
}

Counts = Mapping[str, int]
"""Resource → number, without zeros."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What a node offers; None where a source is silent or cannot be compared.

    ``state`` is MIG Manager's. ``allocatable`` has the kubelet's resources; ``labels`` has GFD's slices as resources;
    ``gpus`` has NVML's MIG devices of each GPU.
    """

    state: str | None = None
    allocatable: Counts | None = None
    labels: Counts | None = None
    gpus: Sequence[Mapping[str, int] | None] | None = None

    @property
    def is_unknown(self) -> bool:
        return self.allocatable is None and self.labels is None and self.gpus is None


def read_offers(
    node_labels: Mapping[str, str],
    allocatable: Mapping[str, int],
    gpus: Sequence[Mapping[str, int] | None] | None = None,
    state: str | None = None,
) -> Offers:
    """``allocatable`` has the resources under ``nvidia.com/``, zeros included: a device plugin that once ran leaves
    them.
    """
    kind, product = node_labels.get(STRATEGY, ""), node_labels.get(PRODUCT, "")
    counted = {f"{RESOURCE_PREFIX}{profile}": number for profile, number in gfd.slice_counts(node_labels).items()}
    offered: Counts | None = {key: number for key, number in allocatable.items() if number}
    if kind == strategy.Strategy.SINGLE:
        profile = gfd.slice_profile(product)
        offered = _renamed(offered or {}, profile) if _PROFILE.fullmatch(profile) else None
    elif kind != strategy.Strategy.MIXED:
        offered = None
    if not allocatable or _is_shared(node_labels, product) or not all(map(_is_known, offered or ())):
        offered = None
    counts = counted if kind == strategy.Strategy.MIXED and all(map(_is_known, counted)) else None
    return Offers(state, offered, counts, gpus)


def contradictions(layout: Layout, size: int | None, offers: Offers) -> list[str]:
    """What contradicts that a node with ``size`` GPUs has the layout; None if the size is not known."""
    found = []
    if offers.state not in (None, SUCCESS):
        found.append(STATES.get(offers.state or "", f"its state is {format_value(offers.state)}"))
    expected = _expected(layout, size)
    sources = (("the kubelet offers", offers.allocatable), ("GPU Feature Discovery counts", offers.labels))
    for words, counts in sources:
        # GFD's count of whole GPUs depends on its version, and is not compared.
        whole = {GPU_RESOURCE} if counts is offers.labels else set[str]()
        compared = {key: number for key, number in expected.items() if key not in whole}
        if counts is not None and _differ(compared, _named(counts, layout.model), size):
            found.append(f"{words} {format_counts(counts)}")
    gpus = offers.gpus
    if size is not None and gpus is not None and _nvml(gpus, layout) != _nvml(layout.per_gpu(size), layout):
        found.append(f"NVML shows {format_gpus(dict(enumerate(gpus)))}")
    return found


def _differ(expected: Counts, found: Counts, size: int | None) -> bool:
    """Without a number of GPUs only the profiles can be compared."""
    if size is None:
        return set(expected) - {GPU_RESOURCE} != set(found) - {GPU_RESOURCE}
    return expected != found


def _expected(layout: Layout, size: int | None) -> Counts:
    """The resources of a node, or those of one GPU of each group if the number of GPUs is not known."""
    per_gpu = layout.per_gpu(size) if size is not None else [group.profiles for group in layout.groups]
    return _named(strategy.allocatable(strategy.DEFAULT, per_gpu), layout.model)


def expected_counts(layout: Layout, size: int | None) -> str:
    """What the layout is on a node: ``mig-1g.10gb: 56``; only the names if the number of GPUs is not known."""
    expected = _expected(layout, size)
    return format_counts(expected) if size is not None else ", ".join(map(_short, expected))


def format_counts(counts: Counts) -> str:
    """``mig-1g.10gb: 56, gpu: 2``, or ``nothing``."""
    return ", ".join(f"{_short(name)}: {number}" for name, number in sorted(counts.items())) or "nothing"


def _short(resource: str) -> str:
    return resource.removeprefix("nvidia.com/")


def _named(counts: Counts, model: GpuModel) -> Counts:
    """With the catalog's names: some boards and drivers report others for the same slices."""
    names = {f"{RESOURCE_PREFIX}{_dotted(other)}": row for row in model.profiles for other in model.names_of(row)}
    found: Counter[str] = Counter()
    for key, number in counts.items():
        found[f"{RESOURCE_PREFIX}{_dotted(names[key])}" if key in names else key] += number
    return dict(found)


def _nvml(gpus: Sequence[Mapping[str, int] | None], layout: Layout) -> list[Counts | None]:
    resources = (
        None if gpu is None else {f"{RESOURCE_PREFIX}{_dotted(name)}": number for name, number in gpu.items() if number}
        for gpu in gpus
    )
    return [None if gpu is None else _named(gpu, layout.model) for gpu in resources]


def _dotted(profile: str) -> str:
    """Kubernetes' spelling (k8s-device-plugin internal/rm/rm.go)."""
    return profile.replace("+", ".")


def _renamed(offered: Counts, profile: str) -> Counts:
    """Under strategy single every slice is ``nvidia.com/gpu``; here it gets the name that mixed gives it."""
    return {f"{RESOURCE_PREFIX}{profile}" if key == GPU_RESOURCE else key: n for key, n in offered.items()}


def _is_known(resource: str) -> bool:
    """Whether it is whole GPUs or the slices of a profile."""
    profile = resource.removeprefix(RESOURCE_PREFIX)
    return resource == GPU_RESOURCE or (profile != resource and _PROFILE.fullmatch(profile) is not None)


def _is_shared(node_labels: Mapping[str, str], product: str) -> bool:
    shared = (value for key, value in node_labels.items() if key.startswith("nvidia.com/") and key.endswith(SHARING))
    return product.endswith(gfd.SHARED_PRODUCT) or any(value not in ("", "0", "1", "none") for value in shared)
