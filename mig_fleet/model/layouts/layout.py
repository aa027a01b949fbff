"""A layout: what every GPU of a node looks like.

The user names it; its **config name** is that name and a hash of its meaning, so that a changed layout is a new label
value (MIG Manager reacts to nothing else) and an unchanged one never disturbs a node, however it is spelled.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mig_fleet.model.errors import InvalidLayout, Problem, shown
from mig_fleet.model.gfd import agreed
from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.layouts import forms
from mig_fleet.model.layouts.cut import Cut, settle
from mig_fleet.model.placement import Proof, Verdict, prove
from mig_fleet.model.strategy import Strategy, allocatable

NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,52}[a-z0-9])?")
"""Names of layouts: with ``-`` and 8 hex digits behind them they are label values of at most 63 characters."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout of one GPU model, in canonical form: equal layouts mean the same, whatever their spelling was.

    Raises InvalidLayout with every problem at once: a bad name, an unknown profile, no profiles at all, a GPU named
    twice, a GPU model that no device filter can name. Raises UnknownGpu and AmbiguousGpu. Whether the hardware can do
    it is a different question: :meth:`proofs`.
    """

    name: str
    gpu: str
    cuts: tuple[Cut, ...]

    def __post_init__(self) -> None:
        model = find(self.gpu)
        self._settle(model, self.cuts, [f"cuts[{position}].profiles" for position in range(len(self.cuts))])

    def __hash__(self) -> int:
        return hash((self.name, self.canonical))

    @classmethod
    def uniform(cls, name: str, gpu: str, profiles: Mapping[str, int]) -> "Layout":
        """Every GPU the same."""
        return cls(name, gpu, (Cut(None, profiles),))

    @classmethod
    def disabled(cls, name: str, gpu: str) -> "Layout":
        """MIG off on every GPU."""
        return cls(name, gpu, (Cut(None, None),))

    @classmethod
    def parse(cls, name: str, document: Mapping[str, Any]) -> "Layout":
        """From the form of the stack file (`layouts.forms`); raises InvalidLayout with every problem and its
        path.
        """
        model, cuts, paths = forms.read(name, document)
        layout = object.__new__(cls)
        object.__setattr__(layout, "name", name)
        layout._settle(model, cuts, paths)
        return layout

    def _settle(self, model: GpuModel, cuts: Sequence[Cut], paths: Sequence[str]) -> None:
        settled, problems = settle(model, cuts, paths)
        problems = [*_name_problems(self.name), *problems, *_unbound(model, settled)]
        if problems:
            raise InvalidLayout(self.name, problems)
        object.__setattr__(self, "gpu", model.name)
        object.__setattr__(self, "cuts", settled)

    @property
    def model(self) -> GpuModel:
        return find(self.gpu)

    @property
    def is_disabled(self) -> bool:
        """Whether no GPU has MIG on."""
        return all(cut.profiles is None for cut in self.cuts)

    @property
    def canonical(self) -> str:
        """The meaning as text: GPU model, then GPUs and profiles, sorted; neither the name nor the PCI ids are part of
        it.
        """
        cuts = [
            ["all" if c.devices is None else list(c.devices), None if c.profiles is None else dict(c.profiles)]
            for c in self.cuts
        ]
        return json.dumps({"gpu": self.gpu, "cuts": cuts}, sort_keys=True, separators=(",", ":"))

    @property
    def config_name(self) -> str:
        """What the node's label carries: ``inference-dense-1c0ffee2``; every disabled layout is the operator's
        ``all-disabled``.
        """
        if self.is_disabled:
            return ALL_DISABLED
        return f"{self.name}-{hashlib.sha256(self.canonical.encode()).hexdigest()[:8]}"

    def per_gpu(self, gpus_per_node: int) -> tuple[Mapping[str, int] | None, ...]:
        """What each GPU looks like, by index; None is MIG off, which is also what a GPU that no cut names is taken
        for.
        """
        return tuple(
            next((cut.profiles for cut in self.cuts if cut.devices is None or index in cut.devices), None)
            for index in range(gpus_per_node)
        )

    def allocatable(self, gpus_per_node: int, strategy: Strategy) -> dict[str, int]:
        """The extended resources that a node offers once it is cut so."""
        return allocatable(strategy, self.per_gpu(gpus_per_node))

    def gfd_labels(self, gpus_per_node: int, strategy: Strategy) -> dict[str, str]:
        """The labels of GPU Feature Discovery that must agree once a node is cut so."""
        return agreed(self.per_gpu(gpus_per_node), strategy)

    def proofs(self) -> tuple[tuple[Cut, Proof], ...]:
        """One proof per way in which this layout cuts a GPU."""
        return tuple((cut, prove(self.model, cut.profiles)) for cut in self.cuts if cut.profiles is not None)

    def coverage(self, gpus_per_node: int) -> tuple[str, ...]:
        """The GPUs of a node that this layout forgets or invents, as sentences.

        A forgotten GPU is no small thing: mig-parted's assert then fails forever, and each restart of the manager
        repeats the change.
        """
        if any(cut.devices is None for cut in self.cuts):
            return ()
        named = {index for cut in self.cuts for index in cut.devices or ()}
        found = []
        if beyond := sorted(index for index in named if index >= gpus_per_node):
            found.append(f"{_gpus(beyond)} does not exist on nodes with {gpus_per_node} GPUs, 0 to {gpus_per_node - 1}")
        if bare := sorted(set(range(gpus_per_node)) - named):
            found.append(f"{_gpus(bare)} is not covered; give it profiles or disabled: true")
        return tuple(found)

    def problems(self, gpus_per_node: int) -> tuple[str, ...]:
        """What is wrong with this layout on nodes of this many GPUs, as sentences; empty when nothing is."""
        found = list(self.coverage(gpus_per_node))
        for cut, proof in self.proofs():
            where = "every GPU" if cut.devices is None else _gpus(cut.devices)
            if proof.verdict is Verdict.IMPOSSIBLE:
                found.append(f"{where}: {proof.reason}")
            elif proof.verdict is Verdict.UNPROVEN:
                found.append(f"{where}: no proof that this fits, {proof.reason}")
        return tuple(found)


def _name_problems(name: str) -> list[Problem]:
    if isinstance(name, str) and NAME.fullmatch(name):
        return []
    wanted = "1 to 54 lower-case letters, digits, dashes or dots, as it becomes part of a label value"
    return [Problem("name", f"{shown(name)} must be {wanted}")]


def _unbound(model: GpuModel, cuts: Sequence[Cut]) -> list[Problem]:
    """Without a device filter mig-parted would cut whatever GPU it meets."""
    if model.pci_device_ids or all(cut.profiles is None for cut in cuts):
        return []
    why = "has no PCI device id, by which a mig-parted file is bound to its GPUs; only disabled: true can be said of it"
    return [Problem("gpu", f"{model.name} {why}")]


def _gpus(indexes: Sequence[int]) -> str:
    return f"GPU {', '.join(map(str, indexes))}"
