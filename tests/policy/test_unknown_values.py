"""What each policy does in a preview in which values are not known: it runs, whatever is unknown."""

from typing import Any

import pytest

from mig_fleet.policies.all_policies import POLICIES as RULES
from mig_fleet.policy import waves
from tests.policies.facts import NOW
from tests.policy.resources import ASSIGNMENT, UNKNOWN, VERIFICATION, a_resource, a_wave, both_of_a_wave, violations

RELEASE = "kubernetes:helm.sh/v3:Release"
BY_NAME = {str(rule.name): rule for rule in RULES}
ALWAYS = {"weekly": ["Mon 00:00/Sun 23:59"]}

NEED_EVERY_WAVE = {
    "mig-blast-radius-limited",
    "mig-budget-kept",
    "mig-canary-required",
    "mig-enough-whole-gpus",
    "mig-max-unavailable-limited",
}
"""The other policies accept a wave that is not known: those about one resource are checked again in the update, before
it changes."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves, "now", lambda: NOW)


@pytest.mark.parametrize("name", sorted(BY_NAME))
@pytest.mark.parametrize("unknown", ["expected", "nodeNames", "wave"])
def test_a_wave_that_is_not_known_is_denied_where_every_wave_counts(name: str, unknown: str) -> None:
    props = {**a_wave(), unknown: UNKNOWN}
    assigned = a_resource(ASSIGNMENT, "hidden", **props)
    rules = a_resource("kubernetes:core/v1:ConfigMap", "rules", metadata={"name": "mig-fleet-rules"})
    found = violations(
        name, assigned, a_resource(VERIFICATION, "v", [assigned], **props), rules, **BY_NAME[name].example
    )
    if name in NEED_EVERY_WAVE:
        (text,) = found
        assert text.startswith("'hidden' must have nodes and a layout that are known in a preview")
    elif name == "mig-verification-present" and unknown == "wave":
        (text,) = found
        assert text.startswith("Wave 'hidden' must be verified")
    else:
        assert found == []


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_nothing_but_unknown_values_is_an_error_of_no_policy(name: str) -> None:
    kinds = {
        ASSIGNMENT: [*a_wave()],
        VERIFICATION: [*a_wave()],
        RELEASE: ["chart", "version", "values", "repositoryOpts"],
        "kubernetes:nvidia.com/v1:ClusterPolicy": ["spec"],
        "kubernetes:core/v1:ConfigMap": ["metadata", "data"],
        "kubernetes:apps/v1:Deployment": ["metadata", "spec"],
        "kubernetes:batch/v1:CronJob": ["spec"],
        "pulumi:providers:kubernetes": ["kubeconfig"],
        "pulumi:pulumi:StackReference": ["outputs"],
    }
    resources = [
        a_resource(kind, f"r{n}", **dict.fromkeys(keys, UNKNOWN)) for n, (kind, keys) in enumerate(kinds.items())
    ]
    assert all(isinstance(text, str) for text in violations(name, *resources, **BY_NAME[name].example))


@pytest.mark.parametrize(
    ("changes", "config", "name", "is_denied"),
    [
        ({"onUserPods": UNKNOWN}, {"eviction": "forbidden"}, "mig-eviction-restricted", False),
        ({"onUserPods": UNKNOWN}, {"models": ["A100-80GB"]}, "mig-gpu-models-approved", True),
        (
            {"timeoutSeconds": UNKNOWN, "onUserPods": "evict"},
            {"eviction": "withDeadline"},
            "mig-eviction-restricted",
            False,
        ),
        (
            {"timeoutSeconds": UNKNOWN, "onUserPods": "evict"},
            {"eviction": "forbidden"},
            "mig-eviction-restricted",
            True,
        ),
        ({"costPerHourUsd": UNKNOWN}, {"perHourUsd": 999.0}, "mig-budget-kept", True),
        ({"cluster": {"kubeconfig": UNKNOWN}}, {"nodes": 99.0}, "mig-blast-radius-limited", True),
        ({"cluster": {"kubeconfig": UNKNOWN}}, ALWAYS, "mig-change-freeze", True),
        ({"notObserved": "no route to host"}, {"nodes": 99.0}, "mig-blast-radius-limited", True),
        ({"notObserved": "no route to host"}, ALWAYS, "mig-change-freeze", True),
        ({}, ALWAYS, "mig-change-freeze", False),
        ({"impact": {"nodes": ["n1"], "podsLosingSlices": 3.0}}, ALWAYS, "mig-change-freeze", True),
        ({"impact": {"nodes": ["n1"], "podsLosingSlices": 3.0}}, {"pods": 2.0}, "mig-blast-radius-limited", True),
        (
            {"impact": {"nodes": ["n1"], "podsLosingSlices": 3.0}},
            {"pods": 3.0, "nodes": 1.0},
            "mig-blast-radius-limited",
            False,
        ),
    ],
)
def test_an_unknown_property_hides_nothing_but_itself(
    changes: dict[str, Any], config: dict[str, Any], name: str, is_denied: bool
) -> None:
    assert bool(violations(name, *both_of_a_wave(**changes), **config)) is is_denied


@pytest.mark.parametrize(
    ("values", "is_denied"),
    [
        ({"driver": {"version": UNKNOWN}}, True),
        ({"driver": UNKNOWN}, True),
        ({"driver": {"version": "450.80.02"}, "dcgmExporter": {"config": {"name": UNKNOWN}}}, True),
        ({"driver": {"version": "580.65.06"}, "dcgmExporter": UNKNOWN}, False),
        ({"driver": {"enabled": False, "version": UNKNOWN}}, False),
        ({"dcgmExporter": UNKNOWN}, False),
    ],
)
def test_a_driver_that_is_not_known_is_denied(values: dict[str, Any], is_denied: bool) -> None:
    chart = a_resource(RELEASE, chart="gpu-operator", version="v26.7.0", values=values)
    assert bool(violations("mig-driver-serves-gpu", *both_of_a_wave(), chart)) is is_denied


def test_a_version_that_is_not_known_hides_no_other_value_of_the_chart() -> None:
    own = {"migManager": {"config": {"name": "default-mig-parted-config"}}}
    chart = a_resource(RELEASE, chart="gpu-operator", version=UNKNOWN, values=own)
    assert violations("mig-chart-version-pinned", chart) == violations("mig-chart-version-not-known-bad", chart) == []
    assert len(violations("mig-config-map-is-ours", chart)) == 1
