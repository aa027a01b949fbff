"""The rules that a stack must keep before anything is registered, shared by the components, the policy pack and the
command line.

``conflicts`` sees, ``explain`` says; raising, warning or reporting a violation is the caller's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mig_fleet.model import strategy as strategies
from mig_fleet.model.errors import AmbiguousGpu, UnknownGpu
from mig_fleet.model.gpus import find
from mig_fleet.model.labels import LAYOUTS_CONFIG_MAP, OPERATOR_OWNED_CONFIG_MAP
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import Verdict
from mig_fleet.model.strategy import Strategy


class Rule(StrEnum):
    """The names of the rules; a policy that enforces one carries its name."""

    FITS = "mig-layout-fits-gpu"
    MODEL = "mig-layout-matches-pool-gpu"
    COVERED = "mig-every-gpu-covered"
    STRATEGY = "mig-strategy-serves-pools"
    CONFIG_MAP = "mig-config-map-is-ours"
    FILE = "mig-layout-file-is-sound"


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What the rules look at: a pool's name, its GPU model, the GPUs per node, its layout."""

    name: str
    gpu: str
    gpus_per_node: int
    layout: Layout


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """A rule that is broken, by whom, and a sentence that says how and what would work.

    ``unproven``: the sources do not settle whether it is broken, which is no yes either.
    """

    rule: Rule
    subject: str
    text: str
    unproven: bool = False

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


def conflicts(
    pools: Iterable[PoolFacts], strategy: Strategy | None = None, config_map: str = LAYOUTS_CONFIG_MAP
) -> tuple[Conflict, ...]:
    """Every conflict of every pool; empty when all is well. ``strategy`` None is the default."""
    chosen = strategy or strategies.DEFAULT
    found = []
    for pool in pools:
        found += [*layout_fits(pool), *model_matches(pool), *every_gpu_covered(pool), *strategy_serves(pool, chosen)]
    return (*found, *config_map_is_ours(config_map))


def explain(found: Sequence[Conflict]) -> str:
    """All conflicts as one text, one line each."""
    return "\n".join(str(conflict) for conflict in found)


def layout_fits(pool: PoolFacts) -> list[Conflict]:
    """Each GPU can be cut as the layout says; a cut without a proof does not pass either."""
    found = []
    for _, proof in pool.layout.proofs():
        if proof.verdict is Verdict.FEASIBLE:
            continue
        near = [(_counts(dict(layout)), proof.is_proven(layout)) for layout in proof.nearest[:2]]
        nearest = " or ".join(words if proven else f"{words} (unproven)" for words, proven in near)
        wish = "fits" if proof.verdict is Verdict.IMPOSSIBLE else "is proven to fit"
        request = f"{pool.layout.name!r} asks for {_counts(dict(proof.request))}"
        text = f"pool {pool.name!r} must use a layout that {wish} {_a(proof.gpu.name)}: {request}; {proof.reason}"
        text += f"; what fits: {nearest}" if nearest else ""
        found.append(Conflict(Rule.FITS, pool.name, text, proof.verdict is Verdict.UNPROVEN))
    return found


def model_matches(pool: PoolFacts) -> list[Conflict]:
    """The layout was written for the GPUs that the pool has."""
    try:
        model = find(pool.gpu).name
    except (UnknownGpu, AmbiguousGpu) as error:
        return [Conflict(Rule.MODEL, pool.name, f"pool {pool.name!r} must name a GPU model of the catalog: {error}")]
    if model == pool.layout.gpu:
        return []
    mismatch = f"{pool.layout.name!r} is for {pool.layout.gpu}"
    text = f"pool {pool.name!r} has {model} GPUs and must use a layout for them; {mismatch}"
    return [Conflict(Rule.MODEL, pool.name, text)]


def every_gpu_covered(pool: PoolFacts) -> list[Conflict]:
    """Every GPU of a node is in the layout, and none that does not exist: else mig-parted's assert fails forever."""
    return [
        Conflict(
            Rule.COVERED,
            pool.name,
            f"layout {pool.layout.name!r} must cover every GPU of pool {pool.name!r} once: {problem}",
        )
        for problem in pool.layout.coverage(pool.gpus_per_node)
    ]


def strategy_serves(pool: PoolFacts, strategy: Strategy) -> list[Conflict]:
    """The device plugin can serve the pool's nodes under the cluster's one strategy."""
    return [
        Conflict(Rule.STRATEGY, pool.name, f"pool {pool.name!r} must be served by MIG strategy {strategy}: {problem}")
        for problem in strategies.conflicts(strategy, pool.layout.per_gpu(pool.gpus_per_node))
    ]


def config_map_is_ours(name: str) -> list[Conflict]:
    """The layouts' ConfigMap has not the name that the operator overwrites on each reconcile."""
    if name != OPERATOR_OWNED_CONFIG_MAP:
        return []
    text = f"the layouts' ConfigMap must not be {name!r}, which the GPU operator overwrites; try {LAYOUTS_CONFIG_MAP!r}"
    return [Conflict(Rule.CONFIG_MAP, name, text)]


def _a(model: str) -> str:
    """The model with its article, as the first letter sounds: an H100, a GB300."""
    return f"an {model}" if model[:1] in "AHR" else f"a {model}"


def _counts(profiles: dict[str, int]) -> str:
    return " + ".join(f"{count} × {name}" for name, count in profiles.items())
