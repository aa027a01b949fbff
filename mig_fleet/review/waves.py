"""The waves of a preview: each one's assignment and verification together, with what happens to its nodes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mig_fleet.model.resource_types import ASSIGNMENTS, WAVES
from mig_fleet.model.wave_nodes import node_names
from mig_fleet.review.lines import amounts, node_changes, pods_losing_slices, stranded_pods
from mig_fleet.review.preview import Json, Step
from mig_fleet.review.review import Slices, Wave

NOT_READ = "drift was not checked"
"""What a warning about a wave begins with if the cluster does not answer, and ``onUnreachable`` is ``warn``."""

Shown = Callable[[object], str]
"""Makes a text of the preview one that may be shown."""


@dataclass
class WaveSteps:
    """The steps of one wave, whether anything changes or not."""

    pool: str
    name: str
    assignment: Step | None = None
    verification: Step | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def is_changed(self) -> bool:
        return any(step.op != "same" for step in self.steps) or bool(self.lines("unfinishedNodes"))

    @property
    def inputs(self) -> Json:
        """Those of its resources now, or of the state for a wave that is removed."""
        step = self.assignment or self.verification
        return {} if step is None else step.inputs or step.old_inputs

    @property
    def old_inputs(self) -> Json:
        step = self.assignment or self.verification
        return {} if step is None else step.old_inputs

    @property
    def is_removed(self) -> bool:
        return bool(self.steps) and all(step.op == "delete" for step in self.steps)

    def lines(self, key: str) -> list[str]:
        """The lines of a property that both resources may have, without duplicates."""
        found = (step.inputs.get(key) or [] for step in self.steps)
        return list(dict.fromkeys(str(line) for lines in found if isinstance(lines, list) for line in lines))


def wave_steps(steps: Iterable[Step]) -> list[WaveSteps]:
    """Every wave, by pool and in the order of the update; pools, which change side by side, by name."""
    found: dict[str, WaveSteps] = {}
    for step in steps:
        if step.type not in WAVES:
            continue
        inputs = step.inputs or step.old_inputs
        name = str(inputs.get("wave") or step.name.rpartition("-")[0])
        wave = found.setdefault(name, WaveSteps(_pool(step, name), name))
        wave.steps.append(step)
        if step.type in ASSIGNMENTS:
            wave.assignment = step
        else:
            wave.verification = step
    return sorted(found.values(), key=lambda wave: wave.pool)


def review_wave(found: WaveSteps, shown: Shown, warnings: Iterable[str] = ()) -> Wave:
    """What happens to the wave. ``warnings``: those of the preview, which may be about it."""

    def lines(key: str) -> list[str]:
        return [shown(line) for line in found.lines(key)]

    inputs = found.inputs
    slices = declared_slices(inputs)
    changes, missing, notes = node_changes(lines("plannedChanges"), slices)
    pods, more_pods = pods_losing_slices(lines("podsLosingSlices"))
    stranded, more_stranded = stranded_pods(lines("podsUnschedulable"))
    # Older previews have no `impact`, and only lines, which are bounded.
    impact = _mapping(inputs.get("impact"))
    more_pods = _count(impact, "podsLosingSlices", len(pods) + more_pods) - len(pods)
    more_stranded = _count(impact, "podsUnschedulable", len(stranded) + more_stranded) - len(stranded)
    touched = impact.get("nodes") or []
    listed = {name for change in changes for name in change.nodes}
    choices = {field: shown(inputs[key]) for field, key in CHOICES.items() if inputs.get(key)}
    return Wave(
        pool=shown(found.pool),
        name=shown(found.name),
        nodes=tuple(shown(name) for name in (*node_names(inputs), *inputs.get("joining", ()))),
        gpu=shown(_expected(inputs).get("gpu") or ""),
        slices=slices,
        is_new=all(step.op == "create" for step in found.steps),
        is_removed=found.is_removed,
        is_held=bool(inputs.get("held")),
        is_unknown=any(step.inputs.get("notObserved") for step in found.steps)
        or any(line.startswith(f"{found.name}: {NOT_READ}") for line in warnings),
        soak_s=float(inputs.get("soakSeconds") or 0),
        timeout_s=float(inputs.get("timeoutSeconds") or 3600),
        changes=tuple(changes),
        notes=tuple(notes),
        missing=tuple(missing),
        pods=tuple(pods),
        stranded=tuple(stranded),
        more_pods=more_pods,
        more_stranded=more_stranded,
        resets=tuple(lines("gpuResets")),
        drift=tuple(lines("drift")),
        unfinished=tuple(lines("unfinishedNodes")),
        capacity=tuple(amounts(lines("capacityChanges"))),
        more_touched=tuple(name for name in map(shown, touched) if name not in listed),
        **choices,
    )


CHOICES = {
    "on_user_pods": "onUserPods",
    "on_stranded_pods": "onStrandedPods",
    "on_failure": "onFailure",
    "on_delete": "onDelete",
}


def declared_slices(inputs: Json) -> tuple[Slices, ...]:
    """The slices of each GPU of a node, as the wave declares them."""
    found = _expected(inputs).get("gpus")
    gpus = found if isinstance(found, list) else []
    return tuple(Slices(_counts(gpu)) for gpu in gpus)


def _counts(profiles: object) -> dict[str, int] | None:
    return {str(name): int(n) for name, n in profiles.items()} if isinstance(profiles, dict) else None


def _count(impact: Json, key: str, least: int) -> int:
    found = impact.get(key)
    return max(least, int(found)) if isinstance(found, (int, float)) else least


def _expected(inputs: Json) -> Json:
    return _mapping(inputs.get("expected"))


def _mapping(found: object) -> Json:
    return found if isinstance(found, dict) else {}


def _pool(step: Step, wave: str) -> str:
    """The name of the component that it belongs to, or the wave's own up to its number."""
    parent = str((step.new or step.old).get("parent") or "")
    return parent.rpartition("::")[2] if "mig-fleet:index:Pool::" in parent else wave.rpartition("-wave-")[0] or wave
