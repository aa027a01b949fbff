"""A layout: the partitioning of every GPU of a node.

The user names it. Its **config name** is that name and a hash of its meaning: a changed layout has a new label value,
which is the only thing that MIG Manager reacts to, and a layout that is only spelled differently never changes a node.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mig_fleet.model.errors import InvalidLayout
from mig_fleet.model.finding import Finding
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import forms
from mig_fleet.model.layouts.gpu_group import GpuGroup, canonicalize
from mig_fleet.model.placement import NOTHING, Confirmed, Proof, prove
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.strategy import Strategy, allocatable

NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,52}[a-z0-9])?")
"""Valid names. With ``-`` and 8 hex digits they become label values of at most 63 characters."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of one GPU model in canonical form: layouts with the same meaning are equal, however they were spelled.

    Raises InvalidLayout with all problems together: an invalid name, an unknown profile, a group without profiles, a
    duplicate GPU, a GPU model that no device filter can select. Raises UnknownGpu and AmbiguousGpu. It may still be
    impossible on the hardware: see :meth:`proofs`.
    """

    name: str
    gpu: str
    groups: tuple[GpuGroup, ...]
    confirmed: Confirmed = field(default=NOTHING, compare=False)
    """What boards showed about it; no part of its meaning, so another text changes no config name."""

    def __post_init__(self) -> None:
        model = find(self.gpu)
        self._set_groups(model, self.groups, [f"groups[{position}].profiles" for position in range(len(self.groups))])

    def __hash__(self) -> int:
        return hash((self.name, self.canonical))

    @classmethod
    def uniform(cls, name: str, gpu: str, profiles: Mapping[str, int]) -> "Layout":
        """The same profiles on every GPU."""
        return cls(name, gpu, (GpuGroup(None, profiles),))

    @classmethod
    def disabled(cls, name: str, gpu: str) -> "Layout":
        """MIG off on every GPU."""
        return cls(name, gpu, (GpuGroup(None, None),))

    @classmethod
    def parse(cls, name: str, document: Mapping[str, Any]) -> "Layout":
        """From its form in a stack file (`layouts.forms`); raises InvalidLayout with every problem and its path."""
        model, groups, paths, confirmed = forms.read(name, document)
        layout = object.__new__(cls)
        object.__setattr__(layout, "name", name)
        object.__setattr__(layout, "confirmed", confirmed)
        layout._set_groups(model, groups, paths)
        return layout

    def _set_groups(self, model: GpuModel, groups: Sequence[GpuGroup], paths: Sequence[str]) -> None:
        canonical_groups, problems = canonicalize(model, groups, paths)
        problems = [*_name_problems(self.name), *problems, *_filter_problems(model, canonical_groups)]
        if problems:
            raise InvalidLayout(self.name, problems)
        object.__setattr__(self, "gpu", model.name)
        object.__setattr__(self, "groups", canonical_groups)

    @property
    def model(self) -> GpuModel:
        return find(self.gpu)

    @property
    def is_disabled(self) -> bool:
        """Whether MIG is off on every GPU."""
        return all(group.profiles is None for group in self.groups)

    @property
    def canonical(self) -> str:
        """The meaning as JSON: the GPU model, then GPUs and profiles, sorted; without the name and the PCI ids.

        Every config name has the hash of this text, so any change here, even of one of its two keys, changes every
        config name and repartitions every fleet.
        """
        groups = [
            ["all" if it.devices is None else list(it.devices), None if it.profiles is None else dict(it.profiles)]
            for it in self.groups
        ]
        return json.dumps({"gpu": self.gpu, "cuts": groups}, sort_keys=True, separators=(",", ":"))

    @property
    def config_name(self) -> str:
        """The value of the node's label: ``inference-dense-1c0ffee2``. For a layout without MIG it is the operator's
        ``all-disabled``.
        """
        if self.is_disabled:
            return ALL_DISABLED
        return f"{self.name}-{hashlib.sha256(self.canonical.encode()).hexdigest()[:8]}"

    def per_gpu(self, gpus_per_node: int) -> tuple[Mapping[str, int] | None, ...]:
        """The profiles of each GPU, by index. None is MIG off, or a GPU that is in no group."""
        return tuple(
            next((group.profiles for group in self.groups if group.devices is None or index in group.devices), None)
            for index in range(gpus_per_node)
        )

    def allocatable(self, gpus_per_node: int, strategy: Strategy) -> dict[str, int]:
        """The extended resources of a node with this layout."""
        return allocatable(strategy, self.per_gpu(gpus_per_node))

    def proofs(self) -> tuple[tuple[GpuGroup, Proof], ...]:
        """A proof for each group with MIG."""
        return tuple(
            (group, prove(self.model, group.profiles, confirmed=self.confirmed))
            for group in self.groups
            if group.profiles is not None
        )

    def coverage(self, gpus_per_node: int) -> tuple[str, ...]:
        """The GPUs of a node that are in no group, and those that do not exist, as sentences.

        If a GPU is not covered, mig-parted's assert fails forever, and each restart of MIG Manager repeats the change.
        """
        if any(group.devices is None for group in self.groups):
            return ()
        named = {index for group in self.groups for index in group.devices or ()}
        found = []
        if beyond := sorted(index for index in named if index >= gpus_per_node):
            found.append(f"{_gpus(beyond)} does not exist on nodes with {gpus_per_node} GPUs, 0 to {gpus_per_node - 1}")
        if bare := sorted(set(range(gpus_per_node)) - named):
            found.append(f"{_gpus(bare)} is not covered; give it profiles or disabled: true")
        return tuple(found)


def _name_problems(name: str) -> list[Finding]:
    if isinstance(name, str) and NAME.fullmatch(name):
        return []
    required = "1 to 54 lower-case letters, digits, dashes or dots, because it becomes part of a label value"
    return [Finding("name", f"{format_value(name)} must be {required}")]


def _filter_problems(model: GpuModel, groups: Sequence[GpuGroup]) -> list[Finding]:
    """Without a device filter mig-parted would repartition every GPU of a node, of any model."""
    if model.pci_device_ids or all(group.profiles is None for group in groups):
        return []
    why = "has no PCI device id for the device filter of a mig-parted file; its layout can only be disabled: true"
    return [Finding("gpu", f"{model.name} {why}")]


def _gpus(indexes: Sequence[int]) -> str:
    return f"GPU {', '.join(map(str, indexes))}"
