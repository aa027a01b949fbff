"""Whether a pod may run on a node: as the scheduler decides, and yes where we do not know."""

from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.observed.objects import Taint
from mig_fleet.observed.scheduling import NodeView, mismatch
from mig_fleet.observed.snapshot import Node


def a_view(*taints: Taint, unknown: tuple[str, ...] = (), **changes: Any) -> NodeView:
    """Node ``n1`` with labels ``team=ml`` and ``cores=64``."""
    facts: dict[str, Any] = {"labels": {"team": "ml", "cores": "64"}, "annotations": {}, "allocatable": {}}
    node = Node(name="n1", report=None, full_taints=taints, **{**facts, **changes})
    return NodeView(node, node.labels, node.allocatable, unknown)


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": [*values]} if values else {})}]}


def field(operator: str, *values: str) -> dict[str, Any]:
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": [*values]}]}


NO_MATCH = "not matching its node affinity"


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ([expression("team", "In", "web", "ml")], ""),
        ([expression("team", "In", "web")], NO_MATCH),
        ([expression("zone", "In", "a")], NO_MATCH),
        ([expression("team", "NotIn", "web")], ""),
        ([expression("team", "NotIn", "ml")], NO_MATCH),
        ([expression("zone", "NotIn", "a")], ""),
        ([expression("team", "Exists")], ""),
        ([expression("zone", "Exists")], NO_MATCH),
        ([expression("zone", "DoesNotExist")], ""),
        ([expression("team", "DoesNotExist")], NO_MATCH),
        ([expression("cores", "Gt", "63")], ""),
        ([expression("cores", "Gt", "64")], NO_MATCH),
        ([expression("cores", "Lt", "65")], ""),
        ([expression("cores", "Lt", "64")], NO_MATCH),
        ([expression("team", "Gt", "1")], NO_MATCH),
        ([expression("cores", "Gt", "many")], NO_MATCH),
        ([expression("zone", "Lt", "1")], NO_MATCH),
        ([expression("cores", "Resembles", "64")], ""),
        ([field("In", "n1")], ""),
        ([field("In", "n2")], NO_MATCH),
        ([field("NotIn", "n1")], NO_MATCH),
        ([{**expression("team", "In", "ml"), **field("In", "n2")}], NO_MATCH),
        ([expression("team", "In", "web"), field("In", "n1")], ""),
        ([{}], NO_MATCH),
        ([{}, field("In", "n1")], ""),
    ],
)
def test_required_node_affinity_is_compared_as_the_scheduler_does(terms: list[dict[str, Any]], reason: str) -> None:
    assert mismatch(affinity(*terms), a_view()) == reason


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        ({"team": "ml"}, ""),
        ({"team": "ml", "cores": "64"}, ""),
        ({"team": "ml", "zone": "a"}, "not matching its node selector"),
        ({}, ""),
        (None, ""),
    ],
)
def test_every_label_of_a_node_selector_must_match(selector: dict[str, str] | None, reason: str) -> None:
    assert mismatch({"nodeSelector": selector}, a_view()) == reason


GPU_ONLY = Taint("nvidia.com/gpu", "present", "NoSchedule")
TAINTED = "with taint nvidia.com/gpu=present:NoSchedule"


@pytest.mark.parametrize(
    ("tolerations", "reason"),
    [
        ([], TAINTED),
        (None, TAINTED),
        ([{"key": "nvidia.com/gpu", "operator": "Exists"}], ""),
        ([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}], ""),
        ([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"}], TAINTED),
        ([{"key": "nvidia.com/gpu", "value": "present"}], ""),
        ([{"key": "nvidia.com/gpu", "operator": "Equal", "value": "absent"}], TAINTED),
        ([{"key": "nvidia.com/gpu"}], TAINTED),
        ([{"operator": "Exists"}], ""),
        ([{"key": "other", "operator": "Exists"}], TAINTED),
        ([{"key": "nvidia.com/gpu", "operator": "Resembles", "value": "x"}], ""),
    ],
)
def test_a_taint_is_tolerated_by_key_value_and_effect(tolerations: list[dict[str, str]] | None, reason: str) -> None:
    assert mismatch({"tolerations": tolerations}, a_view(GPU_ONLY)) == reason


def test_the_first_taint_that_is_not_tolerated_is_named() -> None:
    second = Taint("dedicated", "", "NoExecute")
    spec = {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
    assert mismatch(spec, a_view(GPU_ONLY, second)) == "with taint dedicated:NoExecute"


def test_a_preference_keeps_no_pod_off() -> None:
    assert mismatch({}, a_view(Taint("busy", "", "PreferNoSchedule"))) == ""


@pytest.mark.parametrize("key", labels.OUR_TAINTS)
def test_our_own_taints_are_temporary(key: str) -> None:
    now = a_view(Taint(key, "true", "NoSchedule"))
    assert mismatch({}, now) == f"with taint {key}=true:NoSchedule"
    assert mismatch({}, NodeView.later(now.node)) == ""


def test_a_cordon_of_others_counts_and_ours_is_temporary() -> None:
    by_kubernetes = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
    assert mismatch({}, a_view(by_kubernetes, cordoned=True)) == "cordoned"
    tolerates = {"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}
    assert mismatch(tolerates, a_view(by_kubernetes, cordoned=True)) == ""
    ours = a_view(by_kubernetes, cordoned=True, annotations={labels.CORDONED: "true"})
    assert mismatch({}, ours) == "cordoned"
    assert mismatch({}, NodeView.later(ours.node)) == ""


def test_a_node_that_is_not_ready_starts_no_pod() -> None:
    assert mismatch({}, a_view(ready=False)) == "not Ready"


def test_what_is_not_known_counts_as_satisfied() -> None:
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}
    spec = {
        "affinity": {
            "nodeAffinity": preferred,
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []},
        },
        "topologySpreadConstraints": [{"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "topologyKey": "zone"}],
        "resourceClaims": [{"name": "gpu"}],
    }
    assert mismatch(spec, a_view()) == ""
    by_slice = {"nodeSelector": {"nvidia.com/mig-1g.10gb.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"}}
    assert mismatch(by_slice, a_view(unknown=("nvidia.com/mig-1g.10gb.",))) == ""
    assert mismatch(by_slice, a_view(unknown=("nvidia.com/mig-2g.20gb.",))) == "not matching its node selector"
