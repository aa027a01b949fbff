"""mig-profiles-approved: a wave has slices of approved profiles only."""

from typing import Annotated

from pydantic import Field

from mig_fleet.model.finding import Finding
from mig_fleet.policies.parameters import Parameters
from mig_fleet.policies.policy import Policy, Severity
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.wave_facts import WaveFacts

PATTERN = r"^(\d+c\.)?\d+g\.\d+gb(\+[a-z.]+|-me)*$"
"""A profile as NVIDIA writes it."""


class ApprovedProfiles(Parameters):
    profiles: Annotated[
        tuple[Annotated[str, Field(pattern=PATTERN)], ...],
        Field(description="profiles such as `1g.10gb`; whole GPUs have none"),
    ] = ()


def check(wave: WaveFacts, approved: ApprovedProfiles) -> list[Finding]:
    others = [name for name in wave.profiles if name not in approved.profiles]
    if not others:
        return []
    text = (
        f"wave {wave.name!r} must have slices of approved profiles ({', '.join(approved.profiles)}); "
        f"it also has {', '.join(others)}"
    )
    return [Finding(wave.name, text, Rule.APPROVED_PROFILES)]


POLICY = Policy(
    name=Rule.APPROVED_PROFILES,
    title="Approved MIG profiles",
    sentence="A wave must have slices of approved profiles only.",
    facts=WaveFacts,
    check=check,
    remedy="Use a layout of approved profiles, or add the profile to `profiles`.",
    unknown="decided in the update, before a node changes",
    parameters=ApprovedProfiles,
    needs=("profiles",),
    severity=Severity.MEDIUM,
    tags=("layout",),
    example={"profiles": ["1g.10gb", "2g.20gb", "3g.40gb"]},
)
