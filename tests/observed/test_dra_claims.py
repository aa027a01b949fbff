"""Which pods have which devices, by the ResourceClaims that the scheduler allocated to them."""

from dataclasses import replace
from typing import Any, cast

import pytest

from mig_fleet.cluster.client import Cluster
from mig_fleet.observed.dra.claims import Claims, read_claims, with_claims
from mig_fleet.observed.dra.resource_slices import Publication
from mig_fleet.observed.gpus.affected import AffectedGpus
from mig_fleet.observed.gpus.pod_gpus import UNPUBLISHED, affected_pods, gpus_of
from mig_fleet.observed.gpus.pods import GpuPod, gpu_pods
from mig_fleet.observed.snapshot import Node
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.operands import in_process_probe
from tests.conftest import ADriver
from tests.observed.dra_objects import a_claim, of_driver
from tests.observed.test_dra_slices import Listing, published

FIRST, SECOND = "gpu-0-mig-1g10gb-19-6", "gpu-1-mig-1g10gb-19-6"


@pytest.fixture
def driver(a_driver: ADriver) -> Driver:
    """Two GPUs with a slice each, and a whole one."""
    found = a_driver("1g.10gb", gpus=3)
    found.gpus[2].set_mode(False)
    return found


@pytest.fixture
def publication(driver: Driver) -> Publication:
    return published(of_driver("n1", driver))


@pytest.fixture
def node(driver: Driver) -> Node:
    return Node("n1", {}, {}, {}, in_process_probe.read("n1", driver, {}, {}))


def read(publication: Publication, *claims: dict[str, Any]) -> Claims:
    return read_claims(cast("Cluster", Listing(*claims)), {"n1": publication})


def a_pod(name: str, limits: dict[str, str] | None = None) -> dict[str, Any]:
    container = {"name": "main", "resources": {"limits": limits or {}}}
    return {
        "metadata": {"namespace": "team", "name": name, "uid": f"uid-{name}"},
        "spec": {"nodeName": "n1", "containers": [container]},
    }


def pods_with(publication: Publication, *claims: dict[str, Any], limits: dict[str, str] | None = None) -> list[GpuPod]:
    pods = [a_pod("web", limits), a_pod("other")]
    return gpu_pods(with_claims(pods, read(publication, *claims)), "gpu-operator")


def test_a_pod_has_the_gpu_of_its_claims_device_whatever_the_report_says(publication: Publication, node: Node) -> None:
    (pod,) = pods_with(publication, a_claim("c", "n1", [SECOND], {"web": "uid-web"}))
    assert str(pod) == "team/web (no owner) holds 1x mig-1g.10gb"
    assert gpus_of(pod, node).indexes == {1}
    assert pod.created is None and node.report is not None and node.report.allocations is None


def test_only_pods_on_affected_gpus_lose_their_slices(publication: Publication, node: Node) -> None:
    claims = [a_claim("c", "n1", [FIRST], {"web": "uid-web"}), a_claim("d", "n1", [SECOND], {"other": "uid-other"})]
    found = affected_pods(node, pods_with(publication, *claims), AffectedGpus(frozenset({0})))
    assert [it.pod.name for it in found] == ["web"]


def test_several_claims_and_whole_gpus_of_a_pod_are_added(publication: Publication, node: Node) -> None:
    claims = [
        a_claim("c", "n1", [FIRST, SECOND], {"web": "uid-web"}),
        a_claim("d", "n1", ["gpu-2"], {"web": "uid-web"}),
    ]
    (pod,) = pods_with(publication, *claims)
    assert pod.resources == {"nvidia.com/mig-1g.10gb": 2, "nvidia.com/gpu": 1}
    assert gpus_of(pod, node).indexes == {0, 1, 2}


def test_a_claim_that_several_pods_share_is_each_ones(publication: Publication) -> None:
    claim = a_claim("c", "n1", [FIRST], {"web": "uid-web", "other": "uid-other"})
    assert [pod.name for pod in pods_with(publication, claim)] == ["other", "web"]


def test_an_extended_resource_is_not_counted_twice(publication: Publication, node: Node) -> None:
    """With `extendedResourceName` in a DeviceClass the scheduler makes a claim for `nvidia.com/gpu`."""
    claim = a_claim("web-extended-resources-x", "n1", ["gpu-2"], {"web": "uid-web"})
    (pod,) = pods_with(publication, claim, limits={"nvidia.com/gpu": "1"})
    assert pod.resources == {"nvidia.com/gpu": 1}
    assert gpus_of(pod, node).indexes == {2}


def test_a_device_that_is_not_published_any_more_may_be_on_any_gpu(publication: Publication, node: Node) -> None:
    (pod,) = pods_with(publication, a_claim("c", "n1", ["gpu-0-mig-7g80gb-0-0"], {"web": "uid-web"}))
    assert str(pod) == "team/web (no owner) holds 1x gpu.nvidia.com"
    assert gpus_of(pod, node).unknown == UNPUBLISHED
    assert affected_pods(node, [pod], AffectedGpus(frozenset({1}))) != []


def test_a_device_of_a_gpu_that_nvml_does_not_have_may_be_on_any_gpu(publication: Publication, node: Node) -> None:
    (pod,) = pods_with(publication, a_claim("c", "n1", [FIRST], {"web": "uid-web"}))
    assert gpus_of(pod, replace(node, report=None)).unknown == UNPUBLISHED


def test_claims_of_other_drivers_and_claims_without_a_pod_or_an_allocation_do_not_count(
    publication: Publication,
) -> None:
    other = a_claim("c", "n1", ["nic"], {"web": "uid-web"}, driver="dra.net")
    unused = a_claim("d", "n1", [FIRST], {})
    waiting = {"metadata": {"name": "e", "namespace": "team"}, "status": {}}
    assert read(publication, other, unused, waiting).devices == {}
    assert pods_with(publication, other, unused, waiting) == []
