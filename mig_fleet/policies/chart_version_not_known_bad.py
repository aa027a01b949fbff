"""mig-chart-version-not-known-bad: the GPU Operator's chart is not one whose fault is published."""

from typing import Annotated, Final

from pydantic import Field

from mig_fleet.model.finding import Finding
from mig_fleet.policies.chart_facts import ChartFacts
from mig_fleet.policies.parameters import Parameters
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.rule import Rule

KNOWN_BAD: Final = {
    # docs.nvidia.com/datacenter/cloud-native/gpu-operator/1.8/release-notes.html, fixed issues of 1.8.2
    "1.8.0": "its MIG Manager may read the MIG mode wrongly; use 1.8.2 or newer",
    "1.8.1": "its MIG Manager may read the MIG mode wrongly; use 1.8.2 or newer",
    # docs.nvidia.com/datacenter/cloud-native/gpu-operator/1.10.1/release-notes.html, fixed issues
    "1.10.0": "it cannot be installed while MIG is on; use 1.10.1 or newer",
    # NVIDIA/cloud-native-docs, gpu-operator/release-notes.rst, fixed issues of 24.9.1; gpu-operator #1109
    "24.9.0": "its container toolkit does not start on RKE2, K3s and MicroK8s; use 24.9.1 or newer",
    # NVIDIA/cloud-native-docs, pull request 312: the default container toolkit v1.18.0
    "25.10.0": "its container toolkit may keep every GPU container from starting; use 25.10.1 or newer",
}
"""Version → the published fault, and the way out."""


class KnownBad(Parameters):
    versions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^v?\d+\.\d+\.\d+$")], ...],
        Field(description="more versions to deny, such as `v26.3.0`"),
    ] = ()


def check(chart: ChartFacts, others: KnownBad) -> list[Finding]:
    version = chart.bare_version
    why = KNOWN_BAD.get(version)
    if why is None and version in {text.removeprefix("v") for text in others.versions}:
        why = "the configuration of the policy pack denies it; use another version"
    if why is None or not version:
        return []
    quoted = "the version that it sets" if chart.secret else f"{version}"
    return [Finding(chart.name, f"{chart.label} must not use {quoted}: {why}", Rule.CHART_KNOWN_BAD)]


POLICY = Policy(
    name=Rule.CHART_KNOWN_BAD,
    title="Chart version not known to be bad",
    sentence="A release of the GPU Operator must not use a version with a published fault that affects MIG.",
    facts=ChartFacts,
    check=check,
    remedy="Set `operator.version` to the version that the message names.",
    unknown="decided in the update, before the release is created or changed",
    parameters=KnownBad,
    tags=("operator",),
    example={"versions": ["v26.3.0"]},
)
