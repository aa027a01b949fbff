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
from mig_fleet.model.strategy import PerGpu, Strategy

SLICE_COUNT: Final = re.compile(r"nvidia\.com/mig-(?P<profile>.+)\.count")
"""Key of the label with the number of slices of one profile (spelled as in Kubernetes), under strategy mixed."""

SLICE_PRODUCT: Final = "-MIG-"
"""Under strategy single the product label continues with the profile, ``NVIDIA-H100-80GB-HBM3-MIG-1g.10gb``, or with
``INVALID`` if the strategy cannot serve the node.
"""

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
    elif strategy is Strategy.SINGLE and counts:
        labels[f"{GPU_RESOURCE}.count"] = str(counts.total())
    else:
        labels[f"{GPU_RESOURCE}.count"] = str(len(per_gpu))
    return dict(sorted(labels.items()))


def slice_counts(labels: Mapping[str, str]) -> dict[str, int]:
    """Slices by profile (spelled as in Kubernetes), from a node's labels under strategy mixed, without zeros."""
    found = ((SLICE_COUNT.fullmatch(key), parse_natural(value)) for key, value in labels.items())
    return {key["profile"]: count for key, count in found if key and count}


def is_slice_product(product: str) -> bool:
    """Whether a product label names slices, so that the ``nvidia.com/gpu.count`` beside it counts slices, not GPUs."""
    return SLICE_PRODUCT in product


def gpu_product(product: str) -> str:
    """The GPU's part of a product label, in lower case: without the profile of a slice and without ``-SHARED``."""
    return product.casefold().removesuffix(SHARED_PRODUCT.casefold()).partition(SLICE_PRODUCT.casefold())[0]
