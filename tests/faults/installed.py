"""What is installed on the ground: NVIDIA's operands as the chart brings them, and the probes as `MigProbe` does."""

import json

from mig_fleet.components.probe import MigProbe
from mig_fleet.model import labels
from mig_fleet.policies.chart_values import derived_values
from mig_fleet.simulator.api import Json
from tests.faults.recorded import recorded
from tests.simulator.site import NAMESPACE, OPERANDS, config_map, daemon_set

REPORTS = "mig-fleet"
PROBE_INTERVAL_S = 0.4
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"


def an_operand(app: str) -> Json:
    """As the chart installs it with our values."""
    body = daemon_set(app, OPERANDS[app])
    body["spec"]["template"]["spec"]["tolerations"] = derived_values("mixed", "")["daemonsets"]["tolerations"]
    return body


def layout_file(text: str) -> Json:
    return {**config_map({}), "data": {labels.LAYOUTS_KEY: text}}


def probe_objects() -> list[Json]:
    """Everything that `MigProbe` installs, in its order."""
    inputs = recorded(
        lambda: MigProbe(
            "probe", {"namespace": REPORTS, "image": "python@sha256:" + 64 * "0", "interval_s": PROBE_INTERVAL_S}
        )
    )
    return [_whole(body) for _, body in inputs.values() if "apiVersion" in body]


def _whole(body: Json) -> Json:
    """Numbers reach the engine as floats; its Kubernetes provider writes whole ones as such."""
    found: Json = json.loads(json.dumps(body), parse_float=lambda text: int(float(text)))
    return found


def collection(body: Json) -> str:
    """Where the API server takes a new object of this kind."""
    version, metadata = body["apiVersion"], body["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    plural = body["kind"].lower().removesuffix("y") + ("ies" if body["kind"].endswith("y") else "s")
    return f"{root}{inside}/{plural}"
