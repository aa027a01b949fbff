"""What is installed in the simulated cluster: NVIDIA's operands as the chart does it, the probes as `MigProbe` does."""

import json

from mig_fleet.components.probe import MigProbe, MigProbeArgs
from mig_fleet.model import labels
from mig_fleet.policies.chart_values import derived_values
from mig_fleet.simulator.api import Json
from tests.faults.recording import record_inputs
from tests.simulator.site import NAMESPACE, OPERANDS, config_map, daemon_set, features_worker

REPORTS = "mig-fleet"
"""The namespace of the probes' reports."""
PROBE_INTERVAL_S = 1.0
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"


def operand(app: str) -> Json:
    """An operand's DaemonSet as the chart installs it with our values."""
    body = daemon_set(app, OPERANDS[app])
    body["spec"]["template"]["spec"]["tolerations"] = derived_values("mixed", "")["daemonsets"]["tolerations"]
    return body


def worker() -> Json:
    """Node Feature Discovery's, likewise."""
    return features_worker(derived_values("mixed", "")["node-feature-discovery"]["worker"]["tolerations"])


def layout_file(text: str) -> Json:
    return {**config_map({}), "data": {labels.LAYOUTS_KEY: text}}


def probe_objects() -> list[Json]:
    """Every object that `MigProbe` installs, in its order."""
    image = "python@sha256:" + 64 * "0"
    # The simulated containers have NVML, and the cluster has no runtime class.
    args: MigProbeArgs = {
        "namespace": REPORTS,
        "image": image,
        "runtime_class": None,
        "interval_seconds": PROBE_INTERVAL_S,
    }
    inputs = record_inputs(lambda: MigProbe("probe", args))
    return [_with_whole_numbers(body) for _, body in inputs.values() if "apiVersion" in body]


def _with_whole_numbers(body: Json) -> Json:
    """Numbers reach the engine as floats; its Kubernetes provider writes whole ones without a fraction."""
    found: Json = json.loads(json.dumps(body), parse_float=lambda text: int(float(text)))
    return found


def collection(body: Json) -> str:
    """The path at which the API server creates objects of this kind."""
    version, metadata = body["apiVersion"], body["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    plural = body["kind"].lower().removesuffix("y") + ("ies" if body["kind"].endswith("y") else "s")
    return f"{root}{namespace}/{plural}"
