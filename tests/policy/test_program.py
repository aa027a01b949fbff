"""A whole program as a stack policy gets it: waves, charts, workloads and the outputs of other stacks."""

from typing import Any

import pytest

from mig_fleet.policy.program import program
from tests.policy.resources import ASSIGNMENT, UNKNOWN, VERIFICATION, a_resource, a_wave, both_of_a_wave, violations

SLICE = "nvidia.com/mig-2g.20gb"


def a_pod_spec(*resources: str) -> dict[str, Any]:
    return {"containers": [{"name": "c", "resources": {"limits": dict.fromkeys(resources, 1.0)}}]}


WORKLOADS = {
    "kubernetes:core/v1:Pod": a_pod_spec(SLICE),
    "kubernetes:apps/v1:Deployment": {"template": {"spec": a_pod_spec(SLICE)}},
    "kubernetes:apps/v1:StatefulSetPatch": {"template": {"spec": {"initContainers": a_pod_spec(SLICE)["containers"]}}},
    "kubernetes:batch/v1:Job": {"template": {"spec": a_pod_spec("nvidia.com/gpu", SLICE)}},
    "kubernetes:batch/v1:CronJob": {"jobTemplate": {"spec": {"template": {"spec": a_pod_spec(SLICE)}}}},
}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_a_request_that_no_layout_offers_is_denied_for_every_kind_of_workload(kind: str) -> None:
    workload = a_resource(kind, "web", spec=WORKLOADS[kind])
    (violation,) = violations("mig-requests-offered", *both_of_a_wave(), workload)
    assert f"'web' must request a resource that a layout offers: no layout has {SLICE}" in violation
    assert violations("mig-requests-offered", *both_of_a_wave(gpus=[{"2g.20gb": 3.0}]), workload) == []


def test_a_request_with_an_amount_that_is_not_known_is_a_request() -> None:
    spec = {"containers": [UNKNOWN, {"resources": {"requests": {SLICE: UNKNOWN}}}]}
    assert (
        len(violations("mig-requests-offered", *both_of_a_wave(), a_resource("kubernetes:core/v1:Pod", spec=spec))) == 1
    )


@pytest.mark.parametrize(
    ("outputs", "is_denied"),
    [
        ({"capacity": {SLICE: 6.0}}, False),
        ({"capacity": {"nvidia.com/mig-1g.10gb": 6.0}}, True),
        ({"capacity": UNKNOWN}, False),
        (UNKNOWN, False),
        ({"url": "https://example.com"}, True),
    ],
    ids=["offers it", "offers another one", "capacity not known", "not known", "another stack"],
)
def test_the_capacity_of_a_referenced_stack_is_offered(outputs: Any, is_denied: bool) -> None:
    workload = a_resource("kubernetes:core/v1:Pod", "web", spec=a_pod_spec(SLICE))
    gpus = a_resource("pulumi:pulumi:StackReference", "gpus", outputs=outputs)
    assert bool(violations("mig-requests-offered", *both_of_a_wave(), gpus, workload)) is is_denied


def test_a_program_of_workloads_alone_is_checked_against_the_stack_to_which_it_refers() -> None:
    workload = a_resource("kubernetes:core/v1:Pod", "web", spec=a_pod_spec(SLICE))
    gpus = a_resource("pulumi:pulumi:StackReference", "g", outputs={"capacity": {"nvidia.com/mig-1g.10gb": 7.0}})
    assert len(violations("mig-requests-offered", gpus, workload)) == 1
    assert violations("mig-requests-offered", workload) == [], "it knows no layout"


def test_an_assignment_without_a_verification_after_it_is_denied() -> None:
    assigned, verified = both_of_a_wave()
    before = a_resource(VERIFICATION, "before", [a_resource("mig-fleet:index:MigLayouts")], **a_wave())
    other = a_resource(VERIFICATION, "other", [assigned], **a_wave(wave="another"))
    assert violations("mig-verification-present", assigned, verified, before, other) == []
    for rest in ([], [before], [other]):
        (violation,) = violations("mig-verification-present", assigned, *rest)
        assert violation.startswith("Wave 'inference-wave-0' must be verified: ")


def test_waves_belong_to_the_pool_of_their_name() -> None:
    names = ("a-canary", "a-wave-010", "wave-wave-0", "by-hand")
    found = program([each for name in names for each in both_of_a_wave(name)])
    assert {pool: len(waves) for pool, waves in found.pools.items()} == {"a": 2, "wave": 1, "by-hand": 1}


def test_the_stack_of_a_wave_is_that_of_its_urn() -> None:
    wave = both_of_a_wave(gpus=[None])[0]
    (violation,) = violations("mig-no-whole-gpus", wave, stacks=["prod"])
    assert "in stack 'prod'; 2 GPUs are whole" in violation
    assert violations("mig-no-whole-gpus", wave, stacks=["stack", "mig-fleet"]) == []


@pytest.mark.parametrize(
    ("kind", "props", "is_monitored"),
    [
        ("kubernetes:core/v1:ConfigMap", {"metadata": {"name": "mig-fleet-rules"}}, True),
        ("kubernetes:monitoring.coreos.com/v1:PrometheusRule", {}, True),
        ("kubernetes:core/v1:ConfigMap", {"metadata": {"name": "other"}}, False),
        ("mig-fleet:index:Monitoring", {}, False),
    ],
)
def test_alert_rules_are_monitoring(kind: str, props: dict[str, Any], is_monitored: bool) -> None:
    found = violations("mig-monitoring-present", *both_of_a_wave(), a_resource(kind, **props))
    assert bool(found) is not is_monitored


def test_a_wave_without_our_properties_is_not_read() -> None:
    assert program([a_resource(ASSIGNMENT, "theirs", wave="w")]).unread == ("theirs",)
