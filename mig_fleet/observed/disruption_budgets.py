"""Which PodDisruptionBudgets protect a pod. Pure.

The Eviction API names the budget that refuses (kubernetes v1.36 pkg/registry/core/pod/storage/eviction.go); this is for
an answer that names none, as where several budgets select one pod.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.connection import Json


def budgets_of(pod_labels: Mapping[str, str], budgets: Iterable[Json]) -> list[str]:
    """The names of the budgets whose selector matches the labels, sorted."""
    return sorted(it["metadata"]["name"] for it in budgets if _selects(it["spec"].get("selector"), pod_labels))


def _selects(selector: Json | None, pod_labels: Mapping[str, str]) -> bool:
    """As `LabelSelectorAsSelector`: a missing selector matches no pod, an empty one every pod of the namespace."""
    if selector is None:
        return False
    equal = all(pod_labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_meets(it, pod_labels) for it in selector.get("matchExpressions") or [])


def _meets(requirement: Json, pod_labels: Mapping[str, str]) -> bool:
    found, values = pod_labels.get(requirement["key"]), requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
    return False
