"""Whether the scheduler may put a pod on a node, apart from how many slices are free there. Pure.

Compared are a cordon, taints with effect ``NoSchedule`` or ``NoExecute``, the node selector, and required node affinity
with all of its operators; preferences keep no pod off a node. Inter-pod affinity, topology spread, volumes, CPU and
memory are not read: what this module does not know counts as satisfied, so that no pod is refused wrongly.

Sources: kubernetes v1.37.2 pkg/scheduler/framework/plugins (nodeunschedulable, tainttoleration, nodeaffinity),
staging/src/k8s.io/component-helpers/scheduling/corev1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.selectors import meets
from mig_fleet.model import labels
from mig_fleet.observed.objects import Taint
from mig_fleet.observed.offers import offers_of
from mig_fleet.observed.snapshot import Node

BLOCKING = ("NoSchedule", "NoExecute")
CORDON = Taint("node.kubernetes.io/unschedulable", effect="NoSchedule")
"""A pod that tolerates this taint may run on a cordoned node. The node lifecycle controller adds it to each cordoned
node, so the taint itself is not compared."""


@dataclass(frozen=True)
class NodeView:
    """A node as the scheduler sees it: as it is now, or as it will be after a change."""

    node: Node
    labels: Mapping[str, str]
    offers: Mapping[str, int]
    """Extended resource → how many it has, used ones included."""
    unknown_labels: tuple[str, ...] = ()
    """Prefixes of label keys whose values are not known; what requires one of them counts as satisfied."""
    is_later: bool = False
    """Whether our taints and our cordon are removed by then: they are temporary."""

    @classmethod
    def now(cls, node: Node) -> "NodeView":
        return cls(node, node.labels, offers_of(node))

    @classmethod
    def later(cls, node: Node) -> "NodeView":
        """The same slices, and no isolation of ours."""
        return cls(node, node.labels, offers_of(node), is_later=True)


def mismatch(spec: Json, view: NodeView) -> str:
    """Why the pod may not run there, as the end of a sentence about nodes; empty if it may."""
    node, tolerations = view.node, spec.get("tolerations") or []
    if not node.ready:
        return "not Ready"
    cordoned = node.cordoned and not (view.is_later and node.is_cordoned_by_us)
    if cordoned and not is_tolerated(CORDON, tolerations):
        return "cordoned"
    for taint in node.full_taints:
        removed = view.is_later and taint.key in labels.OUR_TAINTS
        counts = taint.effect in BLOCKING and taint.key != CORDON.key and not removed
        if counts and not is_tolerated(taint, tolerations):
            return f"with taint {taint.key}{'=' if taint.value else ''}{taint.value}:{taint.effect}"
    selector = spec.get("nodeSelector") or {}
    if any(not _is_met(view, {"key": key, "operator": "In", "values": [value]}) for key, value in selector.items()):
        return "not matching its node selector"
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required and not any(_term_is_met(view, term) for term in required.get("nodeSelectorTerms") or []):
        return "not matching its node affinity"
    return ""


def is_tolerated(taint: Taint, tolerations: Iterable[Json]) -> bool:
    """Whether a pod with these tolerations may run in spite of the taint."""
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Json, taint: Taint) -> bool:
    """As `Toleration.ToleratesTaint` (k8s.io/api core/v1/toleration.go); an operator that is not known tolerates."""
    if toleration.get("effect") not in (None, "", taint.effect) or toleration.get("key") not in (None, "", taint.key):
        return False
    is_equal = toleration.get("operator") in (None, "", "Equal")
    return not is_equal or (toleration.get("value") or "") == taint.value


def _term_is_met(view: NodeView, term: Json | None) -> bool:
    """Whether all requirements of one term hold; a term without requirements matches no node (core/v1 types.go)."""
    by_label = (term or {}).get("matchExpressions") or []
    by_field = (term or {}).get("matchFields") or []
    if not by_label and not by_field:
        return False
    fields = {"metadata.name": view.node.name}
    return all(_is_met(view, each) for each in by_label) and all(
        meets(each, fields.get(each["key"])) is not False for each in by_field if each["key"] in fields
    )


def _is_met(view: NodeView, requirement: Json) -> bool:
    key = requirement["key"]
    unknown = key not in view.labels and key.startswith(view.unknown_labels)
    return unknown or meets(requirement, view.labels.get(key)) is not False
