"""The facts about a whole program: its waves, and what it registers beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.wave_facts import WaveFacts


@dataclass(frozen=True, slots=True)
class Workload:
    """An object with pods, and the MIG resources that its containers request."""

    kind: str
    name: str
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """One stack. Other resources than these do not matter to any rule."""

    waves: tuple[WaveFacts, ...] = ()
    """The waves whose nodes and layouts are known, by their assignments."""
    unread: tuple[str, ...] = ()
    """Waves or pools whose nodes or layouts are not known."""
    unverified: tuple[str, ...] = ()
    """Waves without a verification that comes after their assignment."""
    charts: tuple[ChartFacts, ...] = ()
    workloads: tuple[Workload, ...] = ()
    dynamic_mig: tuple[str, ...] = ()
    """The resources that switch on the feature gate DynamicMIG of NVIDIA's DRA driver, as ``Release 'dra-driver'``."""
    is_monitored: bool = False
    """Whether it registers our alert rules, or those of its own."""
    offered_elsewhere: frozenset[str] | None = frozenset()
    """Resources that the stacks offer to which it refers; None if one of them is not known."""

    @property
    def pools(self) -> Mapping[str, tuple[WaveFacts, ...]]:
        """Pool → its waves, in their order."""
        found: dict[str, list[WaveFacts]] = {}
        for wave in self.waves:
            found.setdefault(wave.pool, []).append(wave)
        return {pool: tuple(waves) for pool, waves in found.items()}


def nodes_of(waves: Iterable[WaveFacts]) -> set[str]:
    return {node for wave in waves for node in wave.nodes}
