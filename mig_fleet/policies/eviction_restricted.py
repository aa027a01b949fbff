"""mig-eviction-restricted: a wave does not evict users' pods, or does it within a deadline."""

from typing import Annotated, Literal

from pydantic import Field

from mig_fleet.model.finding import Finding
from mig_fleet.policies.parameters import Parameters, Positive, Unset
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.wave_facts import WaveFacts


class Eviction(Parameters):
    eviction: Annotated[
        Literal["forbidden", "withDeadline"] | Unset,
        Field(description="`forbidden`, or `withDeadline`: only if `rollout.timeout` is at most `deadlineSeconds`"),
    ] = None
    deadline_seconds: Annotated[Positive, Field(description="the longest `rollout.timeout` of a pool that evicts")] = (
        1800
    )


def check(wave: WaveFacts, restriction: Eviction) -> list[Finding]:
    if wave.on_user_pods != "evict":
        return []
    subject = f"wave {wave.name!r}"
    if restriction.eviction == "forbidden":
        text = f"{subject} must not evict users' pods; set `rollout.onUserPods` to `wait` or `refuse`"
    elif wave.timeout_seconds is not None and wave.timeout_seconds > restriction.deadline_seconds:
        text = (
            f"{subject} must evict users' pods within {restriction.deadline_seconds} s; its `rollout.timeout` is "
            f"{wave.timeout_seconds:.0f} s"
        )
    else:
        return []
    return [Finding(wave.name, text, Rule.EVICTION)]


POLICY = Policy(
    name=Rule.EVICTION,
    title="Restricted eviction",
    sentence="A wave must not evict users' pods, or only within a deadline.",
    facts=WaveFacts,
    check=check,
    remedy="Set `rollout.onUserPods` to `wait` or `refuse`, or shorten `rollout.timeout`.",
    unknown="decided in the update, before a node changes",
    parameters=Eviction,
    needs=("eviction",),
    tags=("rollout", "pods"),
    example={"eviction": "withDeadline", "deadlineSeconds": 900},
)
