"""A pod, as the simulated kubelet reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.model.labels import is_gpu_resource
from mig_fleet.simulator.api import Json

PREFIX: Final = "simulator.mig-fleet.dev/"
EXIT_CODE: Final = PREFIX + "exit-code"
"""Pod annotation: the exit status of its container. Without it a Job's pod ends with 0, any other pod never ends."""
RUNS_FOR: Final = PREFIX + "runs-for"
"""Pod annotation: seconds until its container ends."""
NEVER_READY: Final = PREFIX + "never-ready"
"""Pod annotation, ``true``: the pod runs, but its readiness probe fails."""

STOPS_AFTER: Final = PREFIX + "stops-after"
"""Pod annotation: seconds from its deletion until its container has ended; at most its grace period."""
NEVER_STOPS: Final = PREFIX + "never-stops"
"""Pod annotation, ``true``: it stays Terminating, and its container keeps its devices."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A read-only view of a pod's JSON."""

    json: Json

    @property
    def uid(self) -> str:
        return str(self.json["metadata"]["uid"])

    @property
    def name(self) -> str:
        return str(self.json["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.json["metadata"]["namespace"])

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"

    @property
    def labels(self) -> Mapping[str, str]:
        return self.json["metadata"].get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.json["metadata"].get("annotations") or {}

    @property
    def spec(self) -> Json:
        spec: Json = self.json["spec"]
        return spec

    @property
    def first_container(self) -> Json:
        """The spec of the first container; the simulator plays no other."""
        container: Json = self.spec["containers"][0]
        return container

    @property
    def phase(self) -> str:
        return str(self.json.get("status", {}).get("phase", "Pending"))

    @property
    def starts(self) -> int:
        """How often its container has been started so far, from its status."""
        known = self.json.get("status", {}).get("containerStatuses") or [{}]
        started = any(kind in known[0].get("state", {}) for kind in ("running", "terminated")) or known[0].get(
            "lastState"
        )
        return int(known[0].get("restartCount", 0)) + bool(started)

    @property
    def is_terminating(self) -> bool:
        return "deletionTimestamp" in self.json["metadata"]

    @property
    def never_stops(self) -> bool:
        return self.annotations.get(NEVER_STOPS) == "true"

    def stop_s(self, default: float) -> float:
        """Seconds that its container takes to end; ``default`` without the annotation."""
        seconds = float(self.annotations.get(STOPS_AFTER, default))
        grace = self.json["metadata"].get("deletionGracePeriodSeconds")
        return seconds if grace is None else min(seconds, float(grace))

    @property
    def is_over(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def of_job(self) -> bool:
        return any(owner["kind"] == "Job" for owner in self.json["metadata"].get("ownerReferences") or [])

    @property
    def restart_policy(self) -> str:
        return str(self.spec.get("restartPolicy", "Always"))

    @property
    def service_account(self) -> str:
        return str(self.spec.get("serviceAccountName", "default"))

    def environment(self, node: str) -> dict[str, str]:
        """The first container's variables with ``fieldRef`` resolved; variables from other sources are omitted."""
        fields = {
            "spec.nodeName": node,
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": self.uid,
            "spec.serviceAccountName": self.service_account,
        }
        found: dict[str, str] = {}
        for variable in self.first_container.get("env") or []:
            reference = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            if "value" in variable:
                found[variable["name"]] = variable["value"]
            elif reference in fields:
                found[variable["name"]] = fields[reference]
        return found

    @property
    def has_extended_claim(self) -> bool:
        """Whether the scheduler has allocated its extended resources by a ResourceClaim."""
        return bool(self.json.get("status", {}).get("extendedResourceClaimStatus"))

    def gpu_requests(self) -> dict[str, int]:
        """NVIDIA resources of all containers, name → count."""
        found: dict[str, int] = {}
        for container in self.spec["containers"]:
            limits: dict[str, Any] = container.get("resources", {}).get("limits") or {}
            for name, count in limits.items():
                if is_gpu_resource(name):
                    found[name] = found.get(name, 0) + int(count)
        return found

    def host_folders(self) -> dict[str, str]:
        """Path in the first container → the folder of the node that is mounted there."""
        paths = {
            volume["name"]: str(volume["hostPath"]["path"])
            for volume in self.spec.get("volumes") or []
            if "hostPath" in volume
        }
        mounts = self.first_container.get("volumeMounts") or []
        return {mount["mountPath"]: paths[mount["name"]] for mount in mounts if mount["name"] in paths}

    def config_map_volumes(self) -> dict[str, Json]:
        """Volume name → its ``configMap`` source."""
        return {
            volume["name"]: volume["configMap"] for volume in self.spec.get("volumes") or [] if "configMap" in volume
        }
