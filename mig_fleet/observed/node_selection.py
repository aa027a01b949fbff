"""Whether a pod template selects a node: node selector and required node affinity. Pure.

Source: kubernetes v1.37.2 staging/src/k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
"""

from collections.abc import Mapping

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.selectors import meets


def lacking_labels(spec: Json, node_labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of the node selector that a node does not have."""
    wanted: dict[str, str] = spec.get("nodeSelector") or {}
    return {key: value for key, value in wanted.items() if node_labels.get(key) != value}


def meets_affinity(spec: Json, node: str, node_labels: Mapping[str, str]) -> bool:
    """Whether a node meets the required node affinity; what is not known counts as met."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = (required or {}).get("nodeSelectorTerms") or ()
    return not required or any(_meets_term(term, node, node_labels) for term in terms)


def _meets_term(term: Json, node: str, node_labels: Mapping[str, str]) -> bool:
    """A term without requirements matches no node."""
    found = [meets(each, node_labels.get(each["key"])) for each in term.get("matchExpressions") or ()]
    found += [meets(each, node) for each in term.get("matchFields") or ()]  # The only field is metadata.name.
    return bool(found) and False not in found
