"""Which slices an unscheduled pod waits for, by those of its ResourceClaims that are not allocated."""

from typing import Any, cast

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.model import gpus
from mig_fleet.model.allocated_by import class_selector, device_class, selected_profile
from mig_fleet.observed.dra.claims import AWAITED, read_claims, with_claims
from mig_fleet.observed.gpus.pods import GpuPod, gpu_pods
from tests.observed.dra_objects import a_claim, an_open_claim
from tests.observed.test_dra_slices import Listing

Json = dict[str, Any]
SMALL = "mig-1g.10gb.mig-fleet.dev"
PROFILE = "device.attributes['gpu.nvidia.com'].profile"


def a_pod(name: str, *claims: Json, made: dict[str, str | None] | None = None, node: str = "") -> Json:
    """A pod with these entries of `spec.resourceClaims`; ``made`` are the claims that its templates have."""
    statuses = [{"name": key, **({"resourceClaimName": it} if it else {})} for key, it in (made or {}).items()]
    return {
        "metadata": {"namespace": "team", "name": name, "uid": f"uid-{name}"},
        "spec": {"nodeName": node, "resourceClaims": list(claims), "containers": [{"name": "main"}]},
        "status": {"phase": "Pending", "resourceClaimStatuses": statuses},
    }


def by_name(name: str) -> Json:
    return {"name": name, "resourceClaimName": name}


def exactly(device_class_name: str, **fields: Any) -> Json:
    return {"name": "r", "exactly": {"deviceClassName": device_class_name, **fields}}


def selecting(*expressions: str) -> Json:
    return {"selectors": [{"cel": {"expression": it}} for it in expressions]}


def listed(*pods: Json, claims: list[Json]) -> list[Json]:
    return with_claims(pods, read_claims(cast("Cluster", Listing(*claims)), {}))


def waiting(*pods: Json, claims: list[Json]) -> list[GpuPod]:
    return gpu_pods(listed(*pods, claims=claims), "gpu-operator")


def asked(*requests: Json, **devices: Any) -> tuple[dict[str, int], bool]:
    """What a pod with one claim waits for, and whether that is all."""
    (pod,) = listed(a_pod("web", by_name("c")), claims=[an_open_claim("c", *requests, **devices)])
    return (dict(pod[AWAITED].resources), pod[AWAITED].is_all) if AWAITED in pod else ({}, False)


@pytest.mark.parametrize("profile", sorted({profile for model in gpus.all_models() for profile in model.profiles}))
def test_a_request_for_a_class_of_a_stack_counts_as_the_slices_of_its_profile(profile: str) -> None:
    resource = f"nvidia.com/mig-{profile.replace('+', '.')}"
    assert asked(exactly(device_class(profile))) == ({resource: 1}, True)
    assert asked(exactly(device_class(profile), count=2)) == ({resource: 2}, True)
    assert asked(exactly("mig.nvidia.com", **selecting(class_selector(profile)))) == ({resource: 1}, True)


def test_a_whole_gpu_is_in_the_class_of_nvidias_driver() -> None:
    assert asked(exactly("gpu.nvidia.com", count=2)) == ({"nvidia.com/gpu": 2}, True)


def test_several_requests_and_claims_of_a_pod_are_added() -> None:
    claims = [an_open_claim("c", exactly(SMALL), exactly(SMALL)), an_open_claim("d", exactly("gpu.nvidia.com"))]
    (pod,) = waiting(a_pod("web", by_name("c"), by_name("d")), claims=claims)
    assert pod.resources == {"nvidia.com/mig-1g.10gb": 2, "nvidia.com/gpu": 1}


@pytest.mark.parametrize(
    "expression",
    [
        f"{PROFILE} == '1g.10gb'",
        f'{PROFILE} == "1g.10gb"'.replace("'gpu.nvidia.com'", '"gpu.nvidia.com"'),
        f"device.driver=='gpu.nvidia.com'\n  && {PROFILE}=='1g.10gb'",
    ],
)
def test_an_expression_that_selects_one_profile_counts_as_it(expression: str) -> None:
    assert selected_profile(expression) == "1g.10gb"
    assert asked(exactly("mig.nvidia.com", **selecting(expression))) == ({"nvidia.com/mig-1g.10gb": 1}, True)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        f"{PROFILE} != '1g.10gb'",
        f"{PROFILE} in ['1g.10gb']",
        f"{PROFILE}.startsWith('1g')",
        f"!({PROFILE} == '1g.10gb')",
        f"{PROFILE} == '1g.10gb' || {PROFILE} == '2g.20gb'",
        f"{PROFILE} == '1g.10gb' && {PROFILE} == '2g.20gb'",
        f"{PROFILE} == '1g.10gb' && device.attributes['gpu.nvidia.com'].parentUUID == 'GPU-1'",
        f"{PROFILE} == '1g.10gb' && device.driver == 'dra.net'",
        "device.attributes['dra.net'].profile == '1g.10gb'",
        "device.driver == 'gpu.nvidia.com'",
    ],
)
def test_any_other_expression_is_not_counted(expression: str) -> None:
    assert selected_profile(expression) == ""
    assert asked(exactly("mig.nvidia.com", **selecting(expression))) == ({}, False)


@pytest.mark.parametrize(
    ("reason", "request_"),
    [
        ("any slice", exactly("mig.nvidia.com")),
        ("two expressions", exactly("mig.nvidia.com", **selecting(f"{PROFILE} == '1g.10gb'", "true"))),
        ("another driver", exactly("nic.dra.net")),
        ("alternatives", {"name": "r", "firstAvailable": [{"name": "s", "deviceClassName": SMALL}]}),
        ("as many as there are", exactly(SMALL, allocationMode="All", count=0)),
        ("devices in use by others", exactly(SMALL, adminAccess=True)),
    ],
)
def test_what_is_not_known_to_be_a_number_of_slices_is_not_counted(reason: str, request_: Json) -> None:
    assert asked(request_) == ({}, False), reason
    assert asked(exactly(SMALL), request_) == ({"nvidia.com/mig-1g.10gb": 1}, False), f"{reason}, beside a slice"


@pytest.mark.parametrize(
    ("fields", "devices"),
    [
        (selecting("true"), {}),
        ({"capacity": {"requests": {"memory": "1Gi"}}}, {}),
        ({"derivedAttributes": [{"name": "a"}]}, {}),
        ({}, {"constraints": [{"matchAttribute": "gpu.nvidia.com/parentUUID"}]}),
    ],
)
def test_further_conditions_are_taken_as_satisfied(fields: Json, devices: Json) -> None:
    assert asked(exactly(SMALL, count=2, **fields), **devices) == ({"nvidia.com/mig-1g.10gb": 2}, False)


def test_a_claim_is_found_by_its_name_or_by_the_status_of_its_template() -> None:
    template = {"name": "slice", "resourceClaimTemplateName": "mig-1g.10gb"}
    claims = [an_open_claim("web-slice-x7k2p", exactly(SMALL))]
    found = waiting(a_pod("web", template, made={"slice": "web-slice-x7k2p"}), claims=claims)
    assert [str(pod) for pod in found] == ["team/web (no owner) holds 1x mig-1g.10gb"]
    assert waiting(a_pod("web", template), claims=claims) == [], "the claim of the template is not made yet"
    assert waiting(a_pod("web", template, made={"slice": None}), claims=claims) == [], "none is needed"


def test_a_claim_of_another_namespace_is_another_claim() -> None:
    other = an_open_claim("c", exactly(SMALL))
    other["metadata"]["namespace"] = "others"
    assert waiting(a_pod("web", by_name("c")), claims=[other]) == []


def test_a_pod_with_a_claim_that_is_not_known_may_wait_for_something_else() -> None:
    (pod,) = listed(a_pod("web", by_name("c"), by_name("d")), claims=[an_open_claim("c", exactly(SMALL))])
    assert dict(pod[AWAITED].resources) == {"nvidia.com/mig-1g.10gb": 1} and not pod[AWAITED].is_all
    unneeded = {"name": "extra", "resourceClaimTemplateName": "extra"}
    with_extra = a_pod("web", by_name("c"), unneeded, made={"extra": None})
    (pod,) = listed(with_extra, claims=[an_open_claim("c", exactly(SMALL))])
    assert pod[AWAITED].is_all


def test_a_shared_claim_is_counted_for_the_first_pod_that_waits_for_it() -> None:
    pods, claims = [a_pod("a", by_name("c")), a_pod("b", by_name("c"))], [an_open_claim("c", exactly(SMALL))]
    assert [pod.name for pod in waiting(*pods, claims=claims)] == ["a"]
    ends = {**pods[0], "metadata": {**pods[0]["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert [pod.name for pod in waiting(ends, pods[1], claims=claims)] == ["b"]


def test_an_allocated_claim_is_not_awaited() -> None:
    claim = {**an_open_claim("c", exactly(SMALL)), **a_claim("c", "n1", ["gpu-0"], {"first": "uid-first"})}
    assert waiting(a_pod("web", by_name("c")), claims=[claim]) == [], "it waits for the node of that device"


def test_a_pod_that_is_scheduled_awaits_nothing() -> None:
    assert waiting(a_pod("web", by_name("c"), node="n1"), claims=[an_open_claim("c", exactly(SMALL))]) == []
