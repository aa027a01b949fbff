"""mig-layout-fits-gpu: the slices of a layout can be placed on its GPU model."""

from collections.abc import Iterator

from mig_fleet.model.finding import Finding, Level
from mig_fleet.model.layouts import Layout
from mig_fleet.model.placement import Proof, Verdict, explain, is_proven_alternative, nearest
from mig_fleet.policies.policy import Policy, Severity, without_parameters
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule


def check(pool: PoolFacts) -> list[Finding]:
    """One finding for each GPU group with profiles that are not proven to fit."""
    required = {Level.WRONG: "fits", Level.UNPROVEN: "is proven to fit"}
    return [
        Finding(
            pool.name,
            f"pool {pool.name!r} must use a layout that {required[level]} {_with_article(proof.gpu.name)}: "
            f"{pool.layout.name!r} asks for {_counts(dict(proof.request))}; {why}",
            Rule.FITS,
            level,
        )
        for proof, level, why in _unfit(pool.layout)
    ]


def misfits(layout: Layout) -> list[Finding]:
    """The same of a layout alone, without a path."""
    return [
        Finding("", f"{proof.verdict} on {layout.gpu}: {why}", Rule.FITS, level) for proof, level, why in _unfit(layout)
    ]


def _unfit(layout: Layout) -> Iterator[tuple[Proof, Level, str]]:
    """Each proof that fails, how serious it is, and why, with layouts that fit instead."""
    for _, proof in layout.proofs():
        if proof.verdict is not Verdict.FEASIBLE:
            near = [(_counts(dict(it)), is_proven_alternative(proof, it)) for it in nearest(proof)[:2]]
            fitting = " or ".join(text if proven else f"{text} (unproven)" for text, proven in near)
            level = Level.UNPROVEN if proof.verdict is Verdict.UNPROVEN else Level.WRONG
            yield proof, level, f"{explain(proof)}{f'; what fits: {fitting}' if fitting else ''}"


def _with_article(model: str) -> str:
    """The article follows the sound of the first letter: an H100, a GB300."""
    return f"an {model}" if model[:1] in "AHR" else f"a {model}"


def _counts(profiles: dict[str, int]) -> str:
    return " + ".join(f"{count} × {name}" for name, count in profiles.items())


POLICY = Policy(
    name=Rule.FITS,
    title="Layout fits the GPU",
    sentence="A wave must use a layout whose slices can be placed on its GPUs. NVIDIA's tools accept an impossible "
    "layout, destroy the existing slices, create none and report success.",
    facts=PoolFacts,
    check=without_parameters(check),
    remedy="Use one of the layouts that the message proposes, or prove another one with `mig-fleet check --gpu`.",
    unknown="decided in the update, before a node changes",
    severity=Severity.CRITICAL,
    tags=("layout", "hardware"),
)
