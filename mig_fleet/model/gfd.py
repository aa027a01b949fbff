"""The labels of GPU Feature Discovery (GFD) that this package computes, compares or reads.

Under strategy mixed each profile has its own group of labels, ``nvidia.com/mig-1g.10gb.count`` and so on; under single
the same keys are in the group ``nvidia.com/gpu``. Source: k8s-device-plugin internal/lm (v0.20.0).
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from mig_fleet.model.labels import GPU_RESOURCE, STRATEGY
from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.profiles import Profile
from mig_fleet.model.strategy import PerGpu, Strategy, strategy_conflicts

SLICE_COUNT: Final = re.compile(r"nvidia\.com/mig-(?P<profile>.+)\.count")
"""Key of the label with the number of slices of one profile (spelled as in Kubernetes), under strategy mixed."""

SLICE_PRODUCT: Final = "-MIG-"
"""Under strategy single the product label continues with the profile, ``NVIDIA-H100-80GB-HBM3-MIG-1g.10gb``, or with
:data:`INVALID` if the strategy cannot serve the node.
"""

INVALID: Final = "INVALID"

REPLICAS: Final = ".replicas"
"""End of the key of the label with the number of times that each device of a resource is offered."""

SHARED_PRODUCT: Final = "-SHARED"
"""Under time-slicing the product label ends with this."""


def expected_labels(per_gpu: PerGpu, strategy: Strategy) -> dict[str, str]:
    """The labels that a node with these GPUs must have, sorted: counts only, nothing that depends on the driver."""
    counts: Counter[str] = Counter()
    for profiles in per_gpu:
        counts.update(profiles or {})
    # GFD writes the strategy label for single and mixed only (k8s-device-plugin internal/lm).
    labels = {} if strategy is Strategy.NONE else {STRATEGY: str(strategy)}
    if strategy is Strategy.MIXED:
        labels |= {f"{Profile.parse(name).resource}.count": str(count) for name, count in counts.items()}
    elif strategy is Strategy.SINGLE and any(profiles is not None for profiles in per_gpu):
        labels[f"{GPU_RESOURCE}.count"] = "0" if strategy_conflicts(strategy, per_gpu) else str(counts.total())
    else:
        labels[f"{GPU_RESOURCE}.count"] = str(len(per_gpu))
    return dict(sorted(labels.items()))


def single_profile(per_gpu: PerGpu, strategy: Strategy) -> str:
    """The profile (spelled as in Kubernetes) that the product label must name; empty if it must name none."""
    names = {name for profiles in per_gpu for name in profiles or ()}
    is_named = strategy is Strategy.SINGLE and bool(names) and not strategy_conflicts(strategy, per_gpu)
    return Profile.parse(names.pop()).kubernetes if is_named else ""


def slice_counts(labels: Mapping[str, str]) -> dict[str, int]:
    """Slices by profile (spelled as in Kubernetes), from a node's labels under strategy mixed, without zeros."""
    found = ((SLICE_COUNT.fullmatch(key), parse_natural(value)) for key, value in labels.items())
    return {key["profile"]: count for key, count in found if key and count}


def replicas(labels: Mapping[str, str]) -> dict[str, int]:
    """Resource → how often each of its devices is offered, where that is more than once."""
    counts = {key: parse_natural(value) for key, value in labels.items() if key.endswith(REPLICAS)}
    return {key.removesuffix(REPLICAS): count for key, count in counts.items() if count and count > 1}


def is_slice_product(product: str) -> bool:
    """Whether a product label names slices, so that the ``nvidia.com/gpu.count`` beside it counts slices, not GPUs."""
    return SLICE_PRODUCT in product


def slice_profile(product: str) -> str:
    """The profile (spelled as in Kubernetes) that a product label names under strategy single; empty if it has none."""
    profile = product.partition(SLICE_PRODUCT)[2].removesuffix(SHARED_PRODUCT)
    return "" if profile == INVALID else profile


def with_profile(product: str, profile: str) -> str:
    """The product label of the same GPU for slices of this profile (spelled as in Kubernetes). Without one it is that
    of whole GPUs, and of all GPUs under strategy mixed.
    """
    of_gpu = product.removesuffix(SHARED_PRODUCT).partition(SLICE_PRODUCT)[0]
    return f"{of_gpu}{SLICE_PRODUCT}{profile}" if profile else of_gpu


def gpu_product(product: str) -> str:
    """The GPU's part of a product label, in lower case: without the profile of a slice and without ``-SHARED``."""
    return product.casefold().removesuffix(SHARED_PRODUCT.casefold()).partition(SLICE_PRODUCT.casefold())[0]
