"""The fleet during a wait: read in full at first and now and then, and in between only what changes.

A wait looks at the fleet each second for minutes. The LISTs of all nodes and of all reports are megabytes each; what
changes within a second is a few objects.
"""

import time
from dataclasses import replace
from typing import Final

from mig_fleet.cluster.changes import Since
from mig_fleet.cluster.client import Cluster, ClusterArgs
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.cluster.lists import BROKEN, decode_changes
from mig_fleet.observed.dra.objects import RESOURCE_SLICES, ResourceSliceObject
from mig_fleet.observed.dra.resource_slices import QUERY as SLICES_QUERY
from mig_fleet.observed.objects import ConfigMapObject, NodeObject
from mig_fleet.observed.reports import REPORTS_QUERY, ReceivedReport, node_of, receive, reports_path
from mig_fleet.observed.snapshot import NODES, Node, Snapshot, observe, seen_node, with_published

FULL_EVERY_S: Final = 15.0
"""Seconds. The age of a report is that of the last full reading, so it is that much older at most."""


class FollowedFleet:
    """One cluster and the namespace of its reports. It is read in full at first, and once more if there is a wait. With
    ``dra`` it also has what NVIDIA's DRA driver has published.
    """

    def __init__(self, cluster: ClusterArgs, reports_namespace: str, dra: bool = False) -> None:
        self._args, self._namespace, self._dra = cluster, reports_namespace, dra
        self._seen: Snapshot | None = None
        self._read_at = 0.0
        self._is_waiting = False
        self._since: list[Since] = []
        self._reports: dict[str, ReceivedReport | None] = {}
        """Node → its report, if it changed since the fleet was read in full: a report may come before its node."""

    def observe(self) -> Snapshot:
        """The fleet as far as it is known. Raises :class:`~mig_fleet.cluster.errors.ClusterError`."""
        if self._seen is None or time.monotonic() - self._read_at > FULL_EVERY_S:
            self._seen, self._reports = None, {}
            if self._is_waiting:
                # Before it is read: what changes meanwhile is then known twice, and nothing is missed.
                cluster, reports = Cluster(self._args), reports_path(self._namespace)
                self._since = [cluster.since_now(NODES, {}), cluster.since_now(reports, REPORTS_QUERY)]
                self._since += [cluster.since_now(RESOURCE_SLICES, SLICES_QUERY)] if self._dra else []
            self._seen = observe(self._args, self._namespace, fresh=True, dra=self._dra)
            self._read_at = time.monotonic()
        return self._seen

    def forget(self) -> None:
        """Read in full next: the API server may show our own write a moment late to those who watch."""
        self._seen = None

    def take_changes(self, within_s: int) -> None:
        """Wait so many seconds for changes, or less if they cannot be had: the next reading is then a full one. An API
        server takes a second at least; with 0 it would send changes without an end.
        """
        self._is_waiting = within_s > 0
        if self._seen is None or not self._since or not self._is_waiting:
            self._seen = None
            return
        try:
            cluster = Cluster(self._args)
            of_nodes, of_reports, *of_slices = cluster.changes(self._since, within_s)
            nodes, nodes_at = decode_changes(of_nodes, NodeObject)
            reports, reports_at = decode_changes(of_reports, ConfigMapObject)
            versions = [nodes_at, reports_at]
            published = self._seen.resource_slices
            for answer in of_slices:
                slices, slices_at = decode_changes(answer, ResourceSliceObject)
                versions.append(slices_at)
                published = published.after(slices) if published and slices else published
            now, changed = cluster.server_time, dict[str, ReceivedReport | None]()
            for kind, report in reports:
                changed[node_of(report)] = None if kind == "DELETED" else receive(report, self._namespace, now)
            self._reports |= changed
            found = dict(self._seen.nodes)
            for kind, node in nodes:
                name = node.metadata.name
                if before := found.pop(name, None):
                    self._reports.setdefault(name, _received(before))
                if kind != "DELETED":
                    found[name] = seen_node(node, self._reports.get(name))
            for name in changed.keys() & found.keys():
                found[name] = _with_report(found[name], changed[name])
        except (ClusterError, *BROKEN):
            self._seen = None
            return
        self._seen = replace(self._seen, nodes=with_published(found, published), resource_slices=published)
        self._since = [
            replace(it, version=version or it.version) for it, version in zip(self._since, versions, strict=True)
        ]


def _received(node: Node) -> ReceivedReport:
    """What a node has of its report."""
    return ReceivedReport(
        node.report, node.report_age_s, node.report_written, node.unreadable_report, node.is_report_blocked
    )


def _with_report(node: Node, received: ReceivedReport | None) -> Node:
    it = received or ReceivedReport(None)
    return replace(
        node,
        report=it.report,
        report_age_s=it.age_s,
        report_written=it.written,
        unreadable_report=it.unreadable,
        is_report_blocked=it.is_blocked,
    )
