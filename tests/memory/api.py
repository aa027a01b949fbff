"""An API server in memory: plain JSON, resource versions, conflicts, and the failures that a test plans."""

import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from mig_fleet.cluster.changes import Since
from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError, Conflict, Invalid, NotFound
from mig_fleet.cluster.lists import decode_items
from mig_fleet.model import labels
from tests.memory.rights import is_documented, needed_right

T = TypeVar("T")

OBJECT = re.compile(
    r"/(namespaces|serviceaccounts|daemonsets|roles|rolebindings|clusterroles|clusterrolebindings|clusterpolicies"
    r"|validatingadmissionpolicies|validatingadmissionpolicybindings|configmaps)/[^/]+$"
)
"""Paths of single objects that nothing in memory reacts to."""


class Api:
    """Nodes, pods and ConfigMaps, and a record of every request. Subclasses react to writes."""

    def __init__(self) -> None:
        self.nodes: dict[str, Json] = {}
        self.pods: dict[tuple[str, str], Json] = {}
        """By namespace and name, like :attr:`config_maps`."""
        self.config_maps: dict[tuple[str, str], Json] = {}
        self.cluster_policies: list[Json] | None = None
        """``None``: the API server does not serve them."""
        self.served_kinds: dict[str, list[str]] = {}
        """API version → the kinds of CustomResourceDefinitions."""
        self.budgets: list[Json] = []
        """PodDisruptionBudgets."""
        self.objects: dict[str, Json] = {}
        """Other objects, by their path: service accounts, DaemonSets, roles, policies."""
        self.refused_rights: set[str] = set()
        """What every service account lacks, such as ``patch configmaps``."""
        self.user_lacks: set[str] = set()
        """What the user of the kubeconfig lacks, in the same form."""
        self.logs: dict[str, str] = {}
        """Pod → the last line of its log."""
        self.cluster_uid = "0c5a7d0e-1111-4222-8333-444455556666"
        """Of the namespace ``kube-system``: another cluster has another one."""
        self.requests: list[tuple[str, str, Json]] = []
        """Method, path and body of each request."""
        self._rules: list[_Rule] = []
        self._lock = threading.RLock()
        self._versions = itertools.count(1)

    def fail_requests(self, method: str, path: str, error: ClusterError, times: int = 1, skip: int = 0) -> None:
        """Raise ``error`` for the next ``times`` requests whose path contains a match of the regular expression
        ``path``, after ``skip`` of them.
        """

        def fail() -> None:
            raise error

        self.before_request(method, path, fail, times, skip)

    def before_request(self, method: str, path: str, act: Callable[[], object], times: int = 1, skip: int = 0) -> None:
        """Call ``act`` right before the API server handles such a request."""
        self._rules.append(_Rule(method, re.compile(path), act, times, skip))

    def call(self, method: str, path: str, query: Mapping[str, str] | None, body: Json | None) -> Json:
        right = needed_right(method, path, query)
        assert right is None or is_documented(right), f"add to mig_fleet/observed/rights/needed.py: {right}"
        with self._lock:
            self.requests.append((method, path, body or {}))
            due = [rule.act for rule in self._rules if rule.is_due(method, path)]
        # Outside the lock: `act` may send requests itself, from several threads.
        for act in due:
            act()
        with self._lock:
            return copied(self._handle(method, path, dict(query or {}), body or {}))

    # What the tests read.

    def configs(self) -> dict[str, str]:
        """Node → the value of its config label; empty if it has none."""
        return {name: node["metadata"]["labels"].get(labels.CONFIG, "") for name, node in sorted(self.nodes.items())}

    def state(self, name: str) -> str:
        """The state label that MIG Manager wrote."""
        return str(self.nodes[name]["metadata"]["labels"].get(labels.STATE, ""))

    def ownership_annotations(self, name: str) -> dict[str, str]:
        """The annotations under ``mig-fleet.dev/``, without that prefix."""
        annotations: dict[str, str] = self.nodes[name]["metadata"]["annotations"]
        ours = {key: value for key, value in annotations.items() if key.startswith("mig-fleet.dev/")}
        return {key.removeprefix("mig-fleet.dev/"): value for key, value in ours.items()}

    def taints(self, name: str) -> list[str]:
        """The keys of a node's taints."""
        return [taint["key"] for taint in self.nodes[name]["spec"].get("taints") or []]

    def is_cordoned(self, name: str) -> bool:
        return bool(self.nodes[name]["spec"].get("unschedulable"))

    def isolated(self) -> list[str]:
        """The nodes with the taint that we set during a change."""
        return [name for name in sorted(self.nodes) if labels.TAINT in self.taints(name)]

    def writes(self) -> list[str]:
        """Every write, as ``PATCH /api/v1/nodes/n1``."""
        return [f"{method} {path}" for method, path, _ in self.requests if method != "GET"]

    def written_nodes(self) -> set[str]:
        return {line.rpartition("/")[2] for line in self.writes() if "/nodes/" in line}

    def written_configs(self) -> list[tuple[str, str]]:
        """Every write of the config label, as (node, config)."""
        given = [(path, (body.get("metadata", {}).get("labels") or {})) for _, path, body in self.requests]
        return [(path.rpartition("/")[2], found[labels.CONFIG]) for path, found in given if labels.CONFIG in found]

    def restarted_pods(self) -> list[str]:
        """The operands' pods that were deleted, as ``nvidia-mig-manager on n1``."""
        names = [path.rpartition("/")[2] for method, path, _ in self.requests if method == "DELETE"]
        return [" on ".join(name.split("--")[:2]) for name in names]

    def clear_requests(self) -> None:
        """Start the record of requests again."""
        self.requests.clear()

    # What subclasses use and override.

    def versioned(self, thing: Json) -> Json:
        """The object with a new resource version."""
        thing["metadata"]["resourceVersion"] = str(next(self._versions))
        return thing

    def patch(self, name: str, body: Json) -> Json:
        """Merge-patch a node, as any client may."""
        node = _existing(self.nodes, name)
        version = node["metadata"]["resourceVersion"]
        if body.get("metadata", {}).get("resourceVersion", version) != version:
            raise Conflict(f"PATCH /api/v1/nodes/{name} answered 409: the object has been modified")
        if body.get("metadata", {}).get("uid", node["metadata"]["uid"]) != node["metadata"]["uid"]:
            raise Invalid(f"PATCH /api/v1/nodes/{name} answered 422: metadata.uid: Invalid value: field is immutable")
        before = copied(node)
        merge(node, body)
        self.versioned(node)
        self.node_written(name, before)
        return node

    def pause(self, seconds: float) -> None: ...

    def node_written(self, name: str, before: Json) -> None: ...

    def pod_written(self, namespace: str, name: str) -> None: ...

    def pod_deleted(self, namespace: str, pod: Json) -> None: ...

    def evict(self, namespace: str, name: str) -> None: ...

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        raise NotImplementedError

    def _handle(self, method: str, path: str, query: Mapping[str, str], body: Json) -> Json:
        match method, path.removeprefix("/api/v1/").split("/"):
            case "GET", ["nodes"]:
                return {"items": list(self.nodes.values())}
            case "GET", ["nodes", name]:
                return _existing(self.nodes, name)
            case "PATCH", ["nodes", name]:
                return self.patch(name, body)
            case "GET", ["pods"]:
                return {"items": [pod for pod in self.pods.values() if _is_selected(pod, query["fieldSelector"])]}
            case "GET", ["namespaces", namespace, "pods"]:
                key, _, value = query["labelSelector"].partition("=")
                pods = [pod for (where, _), pod in self.pods.items() if where == namespace]
                return {"items": [pod for pod in pods if pod["metadata"].get("labels", {}).get(key) == value]}
            case "GET", ["", "apis", "nvidia.com", "v1", "clusterpolicies"]:
                if self.cluster_policies is None:
                    raise NotFound("the server does not serve this resource")
                return {"items": self.cluster_policies}
            case "GET", ["", "apis", group, version]:
                if (kinds := self.served_kinds.get(f"{group}/{version}")) is None:
                    raise NotFound("the server does not serve this version")
                return {"resources": [{"kind": kind} for kind in kinds]}
            case "PATCH", ["namespaces", namespace, "pods", name]:
                merge(_existing(self.pods, (namespace, name)), body)
                self.pod_written(namespace, name)
                return {}
            case "DELETE", ["namespaces", namespace, "pods", name]:
                _require_uid(_existing(self.pods, (namespace, name)), body)
                self.pod_deleted(namespace, self.pods.pop((namespace, name)))
                return {}
            case "POST", ["namespaces", namespace, "pods", name, "eviction"]:
                _require_uid(_existing(self.pods, (namespace, name)), body["deleteOptions"])
                self.evict(namespace, name)
                return {}
            case "GET", ["", "apis", "policy", "v1", "namespaces", namespace, "poddisruptionbudgets"]:
                return {"items": [it for it in self.budgets if it["metadata"]["namespace"] == namespace]}
            case "GET", ["namespaces", "kube-system"]:
                return {"metadata": {"name": "kube-system", "uid": self.cluster_uid}}
            case "GET", ["configmaps"]:
                name = query["fieldSelector"].removeprefix("metadata.name=")
                named = [(where, found) for (where, each), found in self.config_maps.items() if each == name]
                return {"items": [{**it, "metadata": {**it["metadata"], "namespace": where}} for where, it in named]}
            case "GET", ["namespaces", namespace, "configmaps"]:
                return {"items": [found for (where, _), found in self.config_maps.items() if where == namespace]}
            case "GET", ["namespaces", namespace, "configmaps", name]:
                return _existing(self.config_maps, (namespace, name))
            case "POST", ["", "apis", "authorization.k8s.io", "v1", "subjectaccessreviews"]:
                asked = body["spec"]["resourceAttributes"]
                return {"status": {"allowed": f"{asked['verb']} {asked['resource']}" not in self.refused_rights}}
            case "POST", ["", "apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"]:
                asked = body["spec"]["resourceAttributes"]
                right = f"{asked['verb']} {'/'.join(filter(None, (asked['resource'], asked['subresource'])))}"
                allowed = not self.user_lacks if asked["verb"] == "*" else right not in self.user_lacks
                return {"status": {"allowed": allowed}}
        if OBJECT.search(path):
            return self._handle_object(method, path, query, body)
        raise AssertionError(f"a rollout does not request {method} {path}")

    def _handle_object(self, method: str, path: str, query: Mapping[str, str], body: Json) -> Json:
        """Read, replace or merge into an existing object, or apply, which creates a missing one."""
        objects: dict[Any, Json] = self.objects
        key: Any = path
        if "/configmaps/" in path:
            objects, key = self.config_maps, tuple(path.split("/")[-3::2])
        if method == "PATCH" and "force" in query:
            objects.setdefault(key, {"metadata": {}})
        found = _existing(objects, key)
        if method == "PATCH":
            merge(found, body)
        if method == "PUT":
            found = objects[key] = copied(body)
        if method == "DELETE":
            del objects[key]
        return found


class MemoryCluster(Cluster):
    """The product's client, whose requests go to an API server in memory."""

    server_time = None
    server, context = "https://memory:6443", "memory"

    def __init__(self, api: Api) -> None:
        self.api = api

    def call(self, method: str, path: str, query: Any = None, body: Any = None, *_: object, **__: object) -> Json:
        return self.api.call(method, path, query, json.loads(json.dumps(body)))

    def read(self, path: str, shape: type[T], query: Any = None) -> T:
        return msgspec.json.decode(msgspec.json.encode(self.call("GET", path, query)), type=shape)

    def read_items(self, path: str, shape: type[T], query: Any = None) -> tuple[list[T], dict[str, str]]:
        return decode_items(json.dumps(self.call("GET", path, query)).encode(), shape)

    def since_now(self, path: str, query: Mapping[str, str]) -> Since:
        self.call("GET", path, {**query, "limit": "1"})
        return Since(path, query, "1")

    def changes(self, since: Sequence[Since], within_s: int) -> list[bytes]:
        """Every object, as an API server may send it, and the nodes and reports that are gone."""
        before = [self.api.call("GET", it.path, {**it.query, "watch": "true"}, None)["items"] for it in since]
        self.api.pause(within_s)
        return [
            _events(then, self.api.call("GET", it.path, {**it.query, "watch": "true"}, None)["items"])
            for it, then in zip(since, before, strict=True)
        ]

    def metadata(self, path: str) -> Json:
        return {"metadata": self.call("GET", path)["metadata"]}

    def text(self, path: str, *_: object) -> str:
        return self.api.logs.get(path.split("/")[-2], "")

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        return self.api.execute(namespace, pod, command)


@dataclass
class _Rule:
    """An action before some requests: it skips the first ``skip`` of them and then runs ``times`` times."""

    method: str
    path: re.Pattern[str]
    act: Callable[[], object]
    times: int
    skip: int

    def is_due(self, method: str, path: str) -> bool:
        """Whether to act before this request; a request that matches is counted."""
        if method != self.method or not self.path.search(path) or not self.times:
            return False
        due = self.skip == 0
        self.skip, self.times = max(0, self.skip - 1), self.times - due
        return due


def copied(document: Json) -> Json:
    """A deep copy, several times faster than :mod:`copy`."""
    copy: Json = msgspec.to_builtins(document)
    return copy


def merge(into: Json, patch: Json) -> None:
    """RFC 7386: a null removes a key, an object is merged, any other value replaces."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _events(before: list[Json], after: list[Json]) -> bytes:
    names = {it["metadata"]["name"] for it in after}
    gone = [("DELETED", it) for it in before if it["metadata"]["name"] not in names]
    found = [*gone, *(("MODIFIED", it) for it in after)]
    versioned = [(kind, {**it, "metadata": {"resourceVersion": "1", **it["metadata"]}}) for kind, it in found]
    return b"".join(json.dumps({"type": kind, "object": it}).encode() + b"\n" for kind, it in versioned)


def _require_uid(found: Json, options: Json) -> None:
    """A deletion carries the uid of the object that was looked at."""
    if options["preconditions"]["uid"] != found["metadata"]["uid"]:
        raise Conflict("answered 409: the UID in the precondition does not match the UID in record")


def _is_selected(pod: Json, selector: str) -> bool:
    key, _, node = selector.partition("=")
    return key != "spec.nodeName" or pod["spec"].get("nodeName") == node


def _existing(objects: Mapping[Any, Json], key: Any) -> Json:
    if key not in objects:
        raise NotFound(f"{key} answered 404: not found")
    return objects[key]
