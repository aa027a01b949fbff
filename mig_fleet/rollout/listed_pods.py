"""The pods of the cluster, with the devices of their ResourceClaims where NVIDIA's DRA driver publishes the slices."""

from collections.abc import Iterable

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.observed.dra.claims import read_claims, with_claims
from mig_fleet.observed.snapshot import observe
from mig_fleet.rollout.wave import Wave


def list_pods(wave: Wave, cluster: Cluster) -> list[Json]:
    """Every pod that has not ended; with DRA two LISTs, and what was published may be as old as the snapshot of this
    run. Raises :class:`~mig_fleet.cluster.errors.ClusterError`.
    """
    return _with_claims(wave, cluster, cluster.pods())


def list_pods_on(wave: Wave, cluster: Cluster, node: str) -> list[Json]:
    """The same of one node."""
    return _with_claims(wave, cluster, cluster.pods_on(node))


def _with_claims(wave: Wave, cluster: Cluster, pods: Iterable[Json]) -> list[Json]:
    pods = list(pods)
    if not wave.is_dra:
        return pods
    slices = observe(wave.cluster, wave.reports_namespace, dra=True).resource_slices
    return with_claims(pods, read_claims(cluster, slices.by_node() if slices else {}))
