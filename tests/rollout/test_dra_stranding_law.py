"""The law: pods with claims are stranded exactly as pods with the same extended resources are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.cluster.client import Cluster
from mig_fleet.model.allocated_by import device_class
from mig_fleet.model.dra import DraDevice
from mig_fleet.observed.dra.claims import read_claims, with_claims
from mig_fleet.observed.dra.resource_slices import Publication
from mig_fleet.observed.expected import Expected
from mig_fleet.observed.snapshot import Node
from tests.observed.dra_objects import a_claim, an_open_claim
from tests.observed.test_dra_slices import Listing
from tests.rollout.test_stranding import LARGE, SMALL, a_pod, clusters, requests_of, stranded

Json = dict[str, Any]
PROFILES = {SMALL: "1g.10gb", LARGE: "3g.40gb"}
MESSAGES = {
    "3 Insufficient nvidia.com/mig-1g.10gb": "3 cannot allocate all claims",
    "3 Insufficient cpu": "3 Insufficient cpu",
    "": "",
}
"""What the scheduler says of a pod with extended resources, and of one with claims in its place."""


@st.composite
def queues(draw: st.DrawFn) -> list[Json]:
    """Up to six pods that are not scheduled, of which the scheduler says the same."""
    requests = st.sampled_from([{SMALL: 1}, {SMALL: 2}, {LARGE: 1}, {SMALL: 1, LARGE: 1}])
    message = draw(st.sampled_from(sorted(MESSAGES)))
    return [
        a_pod(f"queue-{number}", requests=draw(requests), message=message) for number in range(draw(st.integers(0, 6)))
    ]


@given(clusters(), queues())
def test_pods_with_claims_are_stranded_exactly_as_pods_with_extended_resources_are(
    cluster: tuple[list[Node], list[Json], dict[str, Expected]], queue: list[Json]
) -> None:
    nodes, running, changes = cluster
    pods = [*running, *queue]
    moved = [pod["metadata"]["name"] for pod in running if pod["spec"]["nodeName"] in changes]
    with_devices = [publishing(node) for node in nodes]
    claiming = claiming_pods(pods, {node.name: [*devices_of(node)] for node in nodes})
    found = stranded(with_devices, claiming, changes, *moved)
    same = stranded(nodes, pods, changes, *moved)
    assert [(str(each), each.reason) for each in found] == [(str(each), each.reason) for each in same]


def devices_of(node: Node) -> list[DraDevice]:
    names = [(profile, n) for resource, profile in PROFILES.items() for n in range(node.allocatable[resource])]
    return [DraDevice("GPU-0", n, profile, f"{profile}-{n}", "mig", f"{profile}-{n}") for profile, n in names]


def publishing(node: Node) -> Node:
    """The same node, whose slices the DRA driver publishes."""
    return replace(node, allocatable={}, published=Publication(tuple(devices_of(node))))


def claiming_pods(pods: list[Json], free: dict[str, list[DraDevice]]) -> list[Json]:
    """The same pods, each with one claim in the place of its requests."""
    published = {name: Publication(tuple(devices)) for name, devices in free.items()}
    claims = [claim_of(pod, free) for pod in pods]
    claimed = [
        {
            **pod,
            "metadata": {**pod["metadata"], "uid": f"uid-{pod['metadata']['name']}"},
            "spec": {**without_limits(pod["spec"]), "resourceClaims": [{"name": "c", "resourceClaimName": name}]},
            "status": {**pod["status"], "conditions": [translated(it) for it in pod["status"]["conditions"]]},
        }
        for pod, name in ((pod, f"{pod['metadata']['name']}-claim") for pod in pods)
    ]
    return with_claims(claimed, read_claims(cast("Cluster", Listing(*claims)), published))


def claim_of(pod: Json, free: Mapping[str, list[DraDevice]]) -> Json:
    name, node, requests = pod["metadata"]["name"], pod["spec"]["nodeName"], requests_of(pod)
    if not node:
        asked = [{"exactly": {"deviceClassName": device_class(PROFILES[it]), "count": n}} for it, n in requests.items()]
        return an_open_claim(f"{name}-claim", *asked)
    taken = [it for resource, n in requests.items() for it in [d for d in free[node] if d.resource == resource][:n]]
    for device in taken:
        free[node].remove(device)
    return a_claim(f"{name}-claim", node, [device.name for device in taken], {name: f"uid-{name}"})


def without_limits(spec: Json) -> Json:
    return {**spec, "containers": [{"name": "main", "resources": {"claims": [{"name": "c"}]}}]}


def translated(condition: Json) -> Json:
    return {**condition, "message": MESSAGES[condition["message"]]}
