"""Which PodDisruptionBudgets protect a pod. Pure.

The Eviction API names the budget that refuses (kubernetes v1.36 pkg/registry/core/pod/storage/eviction.go); this is for
an answer that names none, as where several budgets select one pod.
"""

from collections.abc import Iterable, Mapping

from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.selectors import selects


def budgets_of(pod_labels: Mapping[str, str], budgets: Iterable[Json]) -> list[str]:
    """The names of the budgets whose selector matches the labels, sorted."""
    return sorted(it["metadata"]["name"] for it in budgets if selects(it["spec"].get("selector"), pod_labels))
