"""mig-layout-fits-gpu: the slices of a layout can be placed on its GPU model."""

from mig_fleet.model.finding import Finding, Level
from mig_fleet.model.placement import Proof, Verdict, explain, is_proven_alternative, nearest
from mig_fleet.policies.policy import Policy, Severity, without_parameters
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.rule import Rule


def check(pool: PoolFacts) -> list[Finding]:
    """One finding for each GPU group with profiles that are not proven to fit."""
    return [_finding(pool, proof) for _, proof in pool.layout.proofs() if proof.verdict is not Verdict.FEASIBLE]


def _finding(pool: PoolFacts, proof: Proof) -> Finding:
    alternatives = [(_counts(dict(layout)), is_proven_alternative(proof, layout)) for layout in nearest(proof)[:2]]
    fitting = " or ".join(text if proven else f"{text} (unproven)" for text, proven in alternatives)
    unproven = proof.verdict is Verdict.UNPROVEN
    required = f"{'is proven to fit' if unproven else 'fits'} {_with_article(proof.gpu.name)}"
    request = f"{pool.layout.name!r} asks for {_counts(dict(proof.request))}"
    text = f"pool {pool.name!r} must use a layout that {required}: {request}; {explain(proof)}"
    text += f"; what fits: {fitting}" if fitting else ""
    return Finding(pool.name, text, Rule.FITS, Level.UNPROVEN if unproven else Level.WRONG)


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
