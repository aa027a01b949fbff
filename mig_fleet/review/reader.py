"""From Pulumi's JSON to reviews."""

import re
from collections.abc import Callable, Iterable, Iterator

from mig_fleet.model.resource_types import WAVES
from mig_fleet.review.amounts import amounts_of
from mig_fleet.review.other_resources import others_of
from mig_fleet.review.preview import EventLog, PolicyEvent, Preview
from mig_fleet.review.redaction import shown
from mig_fleet.review.refusals import refusals_of
from mig_fleet.review.review import Outcome, PolicyResult, Review
from mig_fleet.review.steps import estimate_of, steps_of, undo_of
from mig_fleet.review.verdict import outcome_of, verdict_of
from mig_fleet.review.waves import review_wave, wave_steps

_PREFIX = re.compile(r"(?:error: |warning: )?(?:\S+ resource '\S+' has a problem: )?")
_WAITING = re.compile(r"(\d+) of \d+ waves wait for a later update")


def review_all(previews: Iterable[Preview], logs: Iterable[EventLog] = ()) -> tuple[Review, ...]:
    """A review per preview, in their order. An event log counts for the stacks that are in it."""
    logs = list(logs)
    return tuple(review(preview, logs) for preview in previews)


def review(preview: Preview, logs: Iterable[EventLog] = ()) -> Review:
    """What an update of the stack will do, as far as the preview and the event logs show it."""
    secrets = _secrets(preview)

    def clean(text: object) -> str:
        return shown(text, secrets)

    project, stack = preview.identity
    of_stack = [log for log in logs if (project, stack) in log.stacks]
    policies = tuple(_policy(event, clean) for log in of_stack for event in log.policies)
    errors = tuple(clean(_without_prefix(each.text)) for each in preview.diagnostics if each.severity == "error")
    warnings = tuple(clean(_without_prefix(each.text)) for each in preview.diagnostics if each.severity == "warning")
    all_waves = wave_steps(preview.steps)
    waves = tuple(review_wave(each, clean, warnings) for each in all_waves if each.is_changed)
    drift = tuple(clean(line) for line in _lines(preview, "drift"))
    notes = tuple(clean(line) for key in ("prunedConfigs", "unfinishedNodes") for line in _lines(preview, key))
    others, amounts = others_of(preview.steps), amounts_of(all_waves, preview.steps)
    refusals = tuple(dict.fromkeys(refusals_of(errors, policies, waves)))
    never_starts = bool(errors) or any(policy.denies for policy in policies)
    outcome = outcome_of(refusals, waves, drift, others)
    return Review(
        project=clean(project),
        stack=clean(stack),
        outcome=outcome,
        verdict=verdict_of(outcome, refusals, waves, drift, others, never_starts),
        refusals=refusals,
        waves=waves,
        capacity=() if errors else amounts.capacity,
        cost_before=amounts.cost_before,
        cost_after=None if errors else amounts.cost_after,
        cost_slices={} if errors else amounts.cost_slices,
        drift=drift,
        notes=notes,
        policies=policies,
        policies_known=bool(of_stack),
        warnings=warnings,
        errors=errors,
        others=others,
        steps=() if errors else steps_of(waves),
        estimate=None if refusals else estimate_of(waves),
        undo=undo_of(waves, outcome) if outcome is not Outcome.REFUSED else (),
        waiting=sum(int(it[1]) for each in preview.diagnostics if (it := _WAITING.search(each.text))),
    )


def _secrets(preview: Preview) -> set[str]:
    """The paths and addresses that the resources have: a relative path has no form of its own."""
    found: set[str] = set()
    for step in preview.steps:
        for state in (step.inputs, step.old_inputs):
            cluster = state.get("cluster")
            values = [state.get("kubeconfig"), state.get("server")]
            values += [cluster.get("kubeconfig"), cluster.get("context")] if isinstance(cluster, dict) else []
            found |= {value for value in values if isinstance(value, str) and len(value) > 2}
    return found


def _lines(preview: Preview, key: str) -> Iterator[str]:
    """Those of resources that are no waves."""
    for step in preview.steps:
        lines = step.inputs.get(key) if step.type not in WAVES else None
        yield from map(str, lines) if isinstance(lines, list) else ()


def _policy(event: PolicyEvent, clean: Callable[[object], str]) -> PolicyResult:
    # The first line of a message is the policy's description, if there are two.
    description, _, message = event.message.strip().partition("\n")
    resource = event.urn.split("::", 3)[-1]
    return PolicyResult(*map(clean, (event.pack, event.policy, event.level, resource, message or description)))


def _without_prefix(text: str) -> str:
    """Without Pulumi's words before ours, which repeat the severity and the resource."""
    return _PREFIX.sub("", text, count=1)
