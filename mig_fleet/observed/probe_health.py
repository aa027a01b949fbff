"""Why probes do not report: their DaemonSet, their pods, their service account and its rights.

Six requests for a whole fleet, and only if a report is missing or stale; the log of a pod only for the first few nodes.
"""

import contextlib
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

from mig_fleet.cluster.client import Cluster, ClusterArgs, Json
from mig_fleet.cluster.errors import ClusterError, NotFound
from mig_fleet.foreign_text import printable
from mig_fleet.model import labels
from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.node_selection import lacking_labels, meets_affinity

REPORTS: Final = frozenset({DriftClass.REPORT_MISSING, DriftClass.REPORT_STALE})

RIGHTS: Final = (("get", "nodes", False), ("create", "configmaps", True), ("patch", "configmaps", True))
"""What a probe must be allowed to do: verb, resource, whether only in its own namespace
(:mod:`mig_fleet.components.probe.rights`)."""

MOST_LOGS: Final = 3
"""Pods whose log is read."""

LONGEST_MESSAGE: Final = 200
"""Characters of a message of the kubelet or of a log."""

SELECTOR: Final = {labels.CAPABLE: "true"}
"""The nodes that the DaemonSet selects (:mod:`mig_fleet.components.probe.component`)."""

UNKNOWN: Final = "is the pod of DaemonSet mig-probe running there?"
RESTORE: Final = "run `pulumi up`, which restores it"


@dataclass(frozen=True)
class Problem:
    """What is wrong with the probe of a node."""

    text: str
    """Empty if the node's report says it."""
    is_final: bool = False
    """Whether the probe cannot report until a person or an update restores an object."""


@dataclass(frozen=True)
class ProbeHealth:
    """The probes of a fleet at one moment."""

    namespace: str
    daemon_set: Json | None
    has_account: bool
    missing_rights: tuple[str, ...]
    """``patch configmaps``"""
    pods: Mapping[str, Json]
    """Node → its pod."""
    logs: Mapping[str, str] = field(default_factory=dict)
    """Node → the last line of its log."""

    def problem(self, node: str, node_labels: Mapping[str, str]) -> Problem:
        """The first thing that keeps the probe of a node from reporting."""
        title = f"{self.namespace}/{labels.PROBE}"
        if self.daemon_set is None:
            return Problem(f"DaemonSet {title} is missing; {RESTORE}", True)
        if not self.has_account:
            return Problem(f"ServiceAccount {title} is missing, so its pods have no valid token; {RESTORE}", True)
        if self.missing_rights:
            rights = ", ".join(self.missing_rights)
            return Problem(
                f"ServiceAccount {title} may not {rights}: a role or its binding is missing; {RESTORE}", True
            )
        if excluded := self._excluded(node, node_labels):
            return excluded
        pod = self.pods.get(node)
        if pod is not None:
            return Problem(f"its pod {self.namespace}/{pod['metadata']['name']} {self._pod_state(node, pod)}")
        command = f"kubectl -n {self.namespace} describe daemonset {labels.PROBE}"
        return Problem(f"DaemonSet {title} has no pod there; its events show why: {command}")

    def _excluded(self, node: str, node_labels: Mapping[str, str]) -> Problem | None:
        """Why the DaemonSet has no pod on the node. Only the label that we select by is still written to new nodes; no
        wait helps against a selector, an affinity or tolerations that another user changed.
        """
        daemon_set: Json = self.daemon_set or {}
        title, spec = f"DaemonSet {self.namespace}/{labels.PROBE}", daemon_set["spec"]["template"]["spec"]
        if lacking := lacking_labels(spec, node_labels):
            texts = ", ".join(f"{key}={value}" for key, value in lacking.items())
            is_final = bool(lacking.items() - SELECTOR.items())
            remedy = f"; {RESTORE}" if is_final else ""
            return Problem(f"the node has no label {texts}, which {title} selects{remedy}", is_final)
        if not meets_affinity(spec, node, node_labels):
            return Problem(f"{title} has a node affinity that is not ours and excludes the node; {RESTORE}", True)
        status = daemon_set.get("status") or {}
        is_current = status.get("observedGeneration") == (daemon_set.get("metadata") or {}).get("generation")
        if status.get("desiredNumberScheduled") == 0 and is_current:
            return Problem(f"{title} wants no pod on any node; {RESTORE}", True)
        return None

    def _pod_state(self, node: str, pod: Json) -> str:
        """What the kubelet and the scheduler report of a pod; of a running one, its last line that is no report."""
        metadata, status = pod["metadata"], pod.get("status") or {}
        if "deletionTimestamp" in metadata:
            return "is being deleted"
        container: Json = next(iter(status.get("containerStatuses") or ()), {})
        state, ended = container.get("state") or {}, (container.get("lastState") or {}).get("terminated") or {}
        waiting = state.get("waiting") or {}
        # Between two crashes it runs for a moment.
        if ended.get("exitCode") and ("running" in state or waiting.get("reason") == "CrashLoopBackOff"):
            return f"crashes: its last run {_ended(ended)}"
        if waiting:
            return f"waits: {_sentence(waiting)}{f'; {_ended(ended)}' if ended else ''}"
        if terminated := state.get("terminated"):
            return _ended(terminated)
        if status.get("phase") == "Failed":
            return f"failed: {_sentence(status)}"
        scheduled = {each["type"]: each for each in status.get("conditions") or ()}.get("PodScheduled") or {}
        if scheduled.get("status") == "False":
            return f"is not scheduled: {_sentence(scheduled)}"
        if status.get("phase") == "Running":
            line = self.logs.get(node, "")
            return f"runs; its last message: {line}" if line else "runs"
        return f"is {status.get('phase') or 'new'}"


class Probes:
    """Reads the health of the probes when it is first needed. One thread reads while others wait."""

    def __init__(self, cluster: ClusterArgs, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._lock = threading.Lock()
        self._read = False
        self._health: ProbeHealth | None = None

    def problems(self, nodes: Mapping[str, Mapping[str, str]]) -> dict[str, Problem]:
        """Node → what is wrong with its probe; empty if that cannot be read. ``nodes`` has their labels."""
        with self._lock:
            if not self._read:
                self._read = True
                with contextlib.suppress(ClusterError):
                    self._health = read_probe_health(Cluster(self._cluster), self._namespace, sorted(nodes)[:MOST_LOGS])
        health = self._health
        return {} if health is None else {node: health.problem(node, found) for node, found in nodes.items()}


def silent_nodes(found: Iterable[Difference]) -> list[str]:
    """The nodes whose report is missing or stale."""
    return sorted({difference.node for difference in found if difference.drift in REPORTS})


def with_problems(found: Iterable[Difference], problems: Mapping[str, Problem]) -> list[Difference]:
    """The differences; a report that is missing or stale with what is wrong with the probe."""

    def one(difference: Difference) -> Difference:
        if difference.drift not in REPORTS:
            return difference
        problem = problems.get(difference.node)
        reason = problem.text if problem else UNKNOWN
        return replace(difference, text="; ".join(filter(None, (difference.text, reason))))

    return [one(difference) for difference in found]


def read_probe_health(cluster: Cluster, namespace: str, nodes: Iterable[str]) -> ProbeHealth:
    """Raises :class:`~mig_fleet.cluster.errors.ClusterError`. Logs are read of the pods on ``nodes``."""
    probe = labels.PROBE
    with ThreadPoolExecutor(len(RIGHTS) + 3) as executor:
        daemon_set = executor.submit(_existing, cluster, f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{probe}")
        account = executor.submit(_existing, cluster, f"/api/v1/namespaces/{namespace}/serviceaccounts/{probe}")
        rights = [
            executor.submit(_may, cluster, namespace, verb, resource, namespace if is_namespaced else "")
            for verb, resource, is_namespaced in RIGHTS
        ]
        query = {"labelSelector": f"app.kubernetes.io/name={probe}"}
        found = cluster.get(f"/api/v1/namespaces/{namespace}/pods", query)["items"]
        pods = {node: pod for pod in found if (node := _node_of(pod))}
        missing = [
            f"{verb} {resource}"
            for (verb, resource, _), allowed in zip(RIGHTS, rights, strict=True)
            if not allowed.result()
        ]
        return ProbeHealth(
            namespace=namespace,
            daemon_set=daemon_set.result(),
            has_account=account.result() is not None,
            missing_rights=tuple(missing),
            pods=pods,
            logs={node: _last_message(cluster, pods[node]) for node in nodes if node in pods},
        )


def _existing(cluster: Cluster, path: str) -> Json | None:
    try:
        return cluster.get(path)
    except NotFound:
        return None


def _may(cluster: Cluster, namespace: str, verb: str, resource: str, where: str) -> bool:
    """Yes, if the user of this update must not ask."""
    try:
        return cluster.account_may(namespace, labels.PROBE, verb, resource, where)
    except ClusterError:
        return True


def _last_message(cluster: Cluster, pod: Json) -> str:
    """The last line of a running probe's log if it is an error; empty if it is not, or must not be read."""
    if (pod.get("status") or {}).get("phase") != "Running":
        return ""
    try:
        line = cluster.last_log_line(pod["metadata"]["namespace"], pod["metadata"]["name"])
    except ClusterError:
        return ""
    message = line.removeprefix(f"{labels.PROBE}: ")
    return "" if message.startswith("published ") else printable(message, LONGEST_MESSAGE)


def _node_of(pod: Json) -> str:
    """The node of a DaemonSet's pod, also before it is scheduled (Kubernetes, DaemonSet controller)."""
    spec = pod["spec"]
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    fields = [each for term in required.get("nodeSelectorTerms") or () for each in term.get("matchFields") or ()]
    return next((str(each["values"][0]) for each in fields if each.get("key") == "metadata.name"), "")


def _ended(terminated: Json) -> str:
    text = printable((terminated.get("message") or "").strip()[-LONGEST_MESSAGE:], LONGEST_MESSAGE)
    return f"ended with status {terminated.get('exitCode')}{f': {text}' if text else ''}"


def _sentence(of: Json) -> str:
    """Reason and message."""
    return ": ".join(printable(of[key], LONGEST_MESSAGE) for key in ("reason", "message") if of.get(key))
