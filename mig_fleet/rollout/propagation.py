"""The barrier before the label: every node's MIG Manager must see the config in its own copy of the layout file.

The kubelet projects a changed ConfigMap into a running pod in its own time, a minute or more; a label that is faster
ends in `failed`, which MIG Manager never retries (mig-parted cmd/nvidia-mig-manager/main.go; gpu-operator #891). So the
manager's own copy is asked, with the program that it carries; a pod whose annotations change is synchronised at once.
"""

import secrets
import time
from collections.abc import Mapping, Sequence

from mig_fleet.cluster.client import Cluster, ClusterError, NodeMissing
from mig_fleet.cluster.connection import Json
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.rollout.context import POLL_S, Order
from mig_fleet.rollout.preflight import manager_pods

FILE_VARIABLE = "CONFIG_FILE"
FILE = "/mig-parted-config/config.yaml"
"""Where the manager's pod has the layout file, unless its environment says otherwise (gpu-operator v26.7.0)."""

WITHIN_S = 180.0
"""The kubelet's sync period and its ConfigMap cache, a minute each, and one more."""

BLIND_S = 120.0
"""How long to wait where the manager's copy may not be read: the sync period and the cache, a minute each."""

NUDGE = "mig-fleet.dev/nudge"
"""Pod annotation that is changed so that the kubelet looks at the pod's volumes now. Another value each time: the same
config may be awaited again, after a rollback."""


def await_projection(order: Order, targets: Mapping[str, str]) -> None:
    """Returns once each node's manager has its target in the mounted file; raises :class:`Refused` else."""
    started = time.monotonic()
    waiting, nudged = dict(targets), set[str]()
    while True:
        managers = manager_pods(order.cluster().pods(), order.namespace)
        waiting, silent = _asked(order, waiting, managers)
        waited = time.monotonic() - started
        if not waiting:
            return
        _refuse_the_gone(order, waiting)
        if waited > BLIND_S and silent.keys() == waiting.keys():
            first = min(silent)
            order.say(
                f"goes on without knowing what {len(silent)} node(s) see of the layout file: {first}: {silent[first]}"
            )
            return
        if waited > WITHIN_S or order.late:
            raise Refused(_unseen(sorted(waiting.keys() - silent.keys()) or sorted(waiting), targets, waited))
        _nudge(order, {name: pod for name, pod in managers.items() if name in waiting.keys() - nudged})
        nudged |= waiting.keys()
        order.say(f"waits for MIG Manager on {len(waiting)} node(s) to see the config: {min(waiting)}")
        time.sleep(POLL_S)


def _refuse_the_gone(order: Order, waiting: Mapping[str, str]) -> None:
    """No waiting brings back a node that left the cluster, though its pods may stay listed for a while."""
    gone = sorted(waiting.keys() - order.look().nodes.keys())
    if gone:
        raise Refused("; ".join(str(NodeMissing(name)) for name in gone))


def _asked(
    order: Order, waiting: Mapping[str, str], managers: Mapping[str, Json]
) -> tuple[dict[str, str], dict[str, str]]:
    """Those whose manager does not see its config yet, and why those could not be asked that could not."""
    seen, failed = order.each(waiting, lambda cluster, name: _sees(cluster, order, managers.get(name), waiting[name]))
    return {name: config for name, config in waiting.items() if not seen.get(name)}, failed


def _unseen(nodes: Sequence[str], targets: Mapping[str, str], waited: float) -> str:
    return (
        f"MIG Manager on {', '.join(nodes)} does not see config {targets[nodes[0]]!r} in its layout file "
        f"after {waited:.0f} s; does ConfigMap {labels.LAYOUTS_CONFIG_MAP} hold it, and does the operator mount it?"
    )


def _sees(cluster: Cluster, order: Order, pod: Json | None, config: str) -> bool:
    """What the manager's own program says of its own copy; raises ``ClusterError`` where it cannot be asked."""
    if pod is None:
        return False
    command = ["nvidia-mig-parted", "assert", "--valid-config", "-f", _file(pod), "-c", config]
    status, text = cluster.execute(order.namespace, pod["metadata"]["name"], command)
    if status not in (0, 1):
        raise ClusterError(f"{command[0]} ended with {status}: {text}")
    return status == 0


def _nudge(order: Order, managers: Mapping[str, Json]) -> None:
    """Failures do not matter: the kubelet looks by itself a little later."""
    new = {NUDGE: secrets.token_hex(4)}
    order.each(
        managers, lambda cluster, name: cluster.annotate_pod(order.namespace, managers[name]["metadata"]["name"], new)
    )


def _file(pod: Json) -> str:
    variables = pod["spec"]["containers"][0].get("env") or []
    return next((v["value"] for v in variables if v["name"] == FILE_VARIABLE and "value" in v), FILE)
