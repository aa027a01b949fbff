"""An API server in memory: plain JSON, versions, conflicts, and whatever a test lets go wrong."""

import copy
import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from mig_fleet.cluster.client import Cluster
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import ClusterError, Conflict, NotFound
from mig_fleet.model import labels

T = TypeVar("T")


class Api:
    """Nodes, pods and ConfigMaps, and every request that was made. Its heirs are told what was written."""

    def __init__(self) -> None:
        self.nodes: dict[str, Json] = {}
        self.pods: dict[tuple[str, str], Json] = {}
        self.config_maps: dict[tuple[str, str], Json] = {}
        self.requests: list[tuple[str, str, Json]] = []
        self._rules: list[_Rule] = []
        self._lock = threading.RLock()
        self._versions = itertools.count(1)

    def answer(self, method: str, path: str, error: ClusterError, times: int = 1, skip: int = 0) -> None:
        """The next requests of this kind fail; ``path`` is searched for."""

        def fail() -> None:
            raise error

        self._rules.append(_Rule(method, re.compile(path), fail, times, skip))

    def meanwhile(self, method: str, path: str, act: Callable[[], object], times: int = 1, skip: int = 0) -> None:
        """Something happens right before the next request of this kind is answered."""
        self._rules.append(_Rule(method, re.compile(path), act, times, skip))

    def call(self, method: str, path: str, query: Mapping[str, str] | None, body: Json | None) -> Json:
        with self._lock:
            self.requests.append((method, path, body or {}))
            due = [rule.act for rule in self._rules if rule.is_due(method, path)]
        # Without the lock: what happens meanwhile may ask for things itself, from several threads.
        for act in due:
            act()
        with self._lock:
            return copy.deepcopy(self._answered(method, path, dict(query or {}), body or {}))

    def configs(self) -> dict[str, str]:
        return {name: node["metadata"]["labels"].get(labels.CONFIG, "") for name, node in sorted(self.nodes.items())}

    def state(self, name: str) -> str:
        """What MIG Manager says of the node's config."""
        return str(self.nodes[name]["metadata"]["labels"].get(labels.STATE, ""))

    def marks(self, name: str) -> dict[str, str]:
        """Our annotations, without what they all begin with."""
        annotations: dict[str, str] = self.nodes[name]["metadata"]["annotations"]
        ours = {key: value for key, value in annotations.items() if key.startswith("mig-fleet.dev/")}
        return {key.removeprefix("mig-fleet.dev/"): value for key, value in ours.items()}

    def taints(self, name: str) -> list[str]:
        return [taint["key"] for taint in self.nodes[name]["spec"].get("taints") or []]

    def closed(self) -> list[str]:
        """The nodes that our taint keeps pods away from."""
        return [name for name in sorted(self.nodes) if labels.TAINT in self.taints(name)]

    def labelled(self) -> list[tuple[str, str]]:
        """Every config that was written, as (node, config)."""
        given = [(path, (body.get("metadata", {}).get("labels") or {})) for _, path, body in self.requests]
        return [(path.rpartition("/")[2], found[labels.CONFIG]) for path, found in given if labels.CONFIG in found]

    def touched(self) -> set[str]:
        """The nodes that anything was written to."""
        return {line.rpartition("/")[2] for line in self.written() if "/nodes/" in line}

    def started_over(self) -> list[str]:
        """The operands' pods that were deleted, as ``nvidia-mig-manager on n1``."""
        gone = [path.rpartition("/")[2] for method, path, _ in self.requests if method == "DELETE"]
        return [" on ".join(name.split("--")[:2]) for name in gone]

    def written(self) -> list[str]:
        """Every write, as ``PATCH /api/v1/nodes/n1``."""
        return [f"{method} {path}" for method, path, _ in self.requests if method != "GET"]

    def forget_requests(self) -> None:
        """From here on, what was written before is of no interest."""
        self.requests.clear()

    def renewed(self, thing: Json) -> Json:
        """The thing with a version of its own."""
        thing["metadata"]["resourceVersion"] = str(next(self._versions))
        return thing

    def patch(self, name: str, body: Json) -> Json:
        """Merge a patch into a node, whoever it comes from."""
        node = _there(self.nodes, name)
        version = node["metadata"]["resourceVersion"]
        if body.get("metadata", {}).get("resourceVersion", version) != version:
            raise Conflict(f"PATCH /api/v1/nodes/{name} answered 409: the object has been modified")
        before = copy.deepcopy(node)
        merge(node, body)
        self.renewed(node)
        self.node_written(name, before)
        return node

    # What heirs do when something was written.

    def node_written(self, name: str, before: Json) -> None: ...

    def pod_written(self, namespace: str, name: str) -> None: ...

    def pod_deleted(self, namespace: str, pod: Json) -> None: ...

    def evict(self, namespace: str, name: str) -> None: ...

    def _answered(self, method: str, path: str, query: Mapping[str, str], body: Json) -> Json:
        match method, path.removeprefix("/api/v1/").split("/"):
            case "GET", ["nodes"]:
                return {"items": list(self.nodes.values())}
            case "GET", ["nodes", name]:
                return _there(self.nodes, name)
            case "PATCH", ["nodes", name]:
                return self.patch(name, body)
            case "GET", ["pods"]:
                return {"items": [pod for pod in self.pods.values() if _selected(pod, query["fieldSelector"])]}
            case "PATCH", ["namespaces", namespace, "pods", name]:
                merge(_there(self.pods, (namespace, name)), body)
                self.pod_written(namespace, name)
                return {}
            case "DELETE", ["namespaces", namespace, "pods", name]:
                _there(self.pods, (namespace, name))
                self.pod_deleted(namespace, self.pods.pop((namespace, name)))
                return {}
            case "POST", ["namespaces", namespace, "pods", name, "eviction"]:
                _there(self.pods, (namespace, name))
                self.evict(namespace, name)
                return {}
            case "GET", ["namespaces", namespace, "configmaps"]:
                return {"items": [found for (where, _), found in self.config_maps.items() if where == namespace]}
            case "GET", ["namespaces", namespace, "configmaps", name]:
                return _there(self.config_maps, (namespace, name))
        raise AssertionError(f"the rollout never asks {method} {path}")


class MemoryCluster(Cluster):
    """The product's own words for a cluster, asked of an API server in memory."""

    server_time = None

    def __init__(self, api: Any) -> None:
        self.api = api

    def call(self, method: str, path: str, query: Any = None, body: Any = None, *_: object, **__: object) -> Json:
        return self.api.call(method, path, query, json.loads(json.dumps(body)))

    def read(self, path: str, shape: type[T], query: Any = None) -> T:
        return msgspec.convert(self.call("GET", path, query), shape)

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        return self.api.execute(namespace, pod, command)


@dataclass
class _Rule:
    """Something that happens at certain requests, a few times."""

    method: str
    path: re.Pattern[str]
    act: Callable[[], object]
    times: int
    skip: int

    def is_due(self, method: str, path: str) -> bool:
        """Counts the requests that it is about."""
        if method != self.method or not self.path.search(path) or not self.times:
            return False
        due = self.skip == 0
        self.skip, self.times = max(0, self.skip - 1), self.times - due
        return due


def merge(into: Json, patch: Json) -> None:
    """RFC 7386: a null removes, an object is merged, anything else replaces."""
    for key, value in patch.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _selected(pod: Json, selector: str) -> bool:
    key, _, node = selector.partition("=")
    return key != "spec.nodeName" or pod["spec"].get("nodeName") == node


def _there(where: Mapping[Any, Json], key: Any) -> Json:
    if key not in where:
        raise NotFound(f"{key} answered 404: not found")
    return where[key]
