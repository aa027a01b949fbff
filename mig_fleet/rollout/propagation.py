"""Wait until each node's MIG Manager has the config in its own copy of the layout file.

The kubelet projects a changed ConfigMap into a running pod after a minute or more. A label that arrives earlier ends in
`failed`, which MIG Manager never retries (mig-parted cmd/nvidia-mig-manager/main.go; gpu-operator #891). So the copy in
the manager's pod is read, with the program in its image. A change of the pod's annotations makes the kubelet
synchronise the pod immediately.
"""

import secrets
import time
from collections.abc import Mapping, Sequence

from mig_fleet.cluster.client import Cluster, ClusterError, NodeMissing
from mig_fleet.cluster.connection import Json
from mig_fleet.cluster.errors import Forbidden
from mig_fleet.failures import Refused
from mig_fleet.model import labels
from mig_fleet.observed.configs.manager_file import config_maps_read, file_path, reads_layout_file
from mig_fleet.observed.operands import MIG_MANAGER, operand_pods
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.manager_file import explain_other_file

WITHIN_S = 180.0
"""Seconds: a minute for the kubelet's sync period, a minute for its ConfigMap cache, and a minute in reserve."""

UNREADABLE_S = 120.0
"""Seconds to wait if the manager's copy cannot be read: the sync period and the cache, a minute each."""

SYNC_ANNOTATION = "mig-fleet.dev/sync"
"""Pod annotation. A change of it makes the kubelet update the pod's volumes. Each value is new, because a later update
may wait for the same config again, for example after a rollback."""


def await_propagation(context: RolloutContext, targets: Mapping[str, str]) -> None:
    """Return once each node's manager has its target in the mounted file; raises :class:`Refused` otherwise."""
    started = time.monotonic()
    waiting, synced = dict(targets), set[str]()
    while True:
        pods = context.retry_in_time(context.cluster().pods)
        managers = operand_pods(pods, context.wave.namespace, MIG_MANAGER)
        waiting, unreadable = _without_config(context, waiting, managers)
        waited = time.monotonic() - started
        if not waiting:
            context.finish_progress(f"MIG Manager sees the config on {len(targets)} node(s)")
            return
        _refuse_missing(context, waiting)
        if other := explain_other_file(context.wave, context.cluster(), managers.values(), waiting):
            raise Refused(other)
        if waited > UNREADABLE_S and unreadable.keys() == waiting.keys():
            first = min(unreadable)
            what = f"could not read MIG Manager's layout file on {len(unreadable)} node(s)"
            context.progress(f"{what}, continues: {first}: {unreadable[first]}")
            return
        if waited > WITHIN_S or context.is_late:
            raise Refused(
                _not_propagated(
                    sorted(waiting.keys() - unreadable.keys()) or sorted(waiting), targets, waited, managers
                )
            )
        _trigger_sync(context, {name: pod for name, pod in managers.items() if name in waiting.keys() - synced})
        synced |= waiting.keys()
        context.progress(f"waits for MIG Manager on {len(waiting)} node(s) to see the config: {min(waiting)}")
        context.sleep()


def _refuse_missing(context: RolloutContext, waiting: Mapping[str, str]) -> None:
    """A node that left the cluster does not come back, although its pods may stay listed for a while."""
    missing = sorted(waiting.keys() - context.retry_in_time(context.observe).nodes.keys())
    if missing:
        raise Refused("; ".join(str(NodeMissing(name)) for name in missing))


def _without_config(
    context: RolloutContext, waiting: Mapping[str, str], managers: Mapping[str, Json]
) -> tuple[dict[str, str], dict[str, str]]:
    """The nodes whose manager does not have its config yet, and the errors of those that could not be read. Raises
    :class:`Refused` without the right to read them: no wait would show whether the config has arrived.
    """
    has, failed = context.on_each(
        waiting, lambda cluster, name: _has_config(cluster, context, managers.get(name), waiting[name])
    )
    for found in has.values():
        if isinstance(found, Forbidden):
            raise Refused(
                "MIG Manager's copy of the layout file may not be read, which needs get and create of pods/exec in "
                f"namespace {context.wave.namespace}: {found}; `mig-fleet rights` prints roles that allow it"
            )
    return {name: config for name, config in waiting.items() if not has.get(name)}, failed


def _not_propagated(
    nodes: Sequence[str], targets: Mapping[str, str], waited: float, managers: Mapping[str, Json]
) -> str:
    others = {
        name: config_maps_read(managers[name])[0]
        for name in nodes
        if name in managers and not reads_layout_file(managers[name])
    }
    why = f"does ConfigMap {labels.LAYOUTS_CONFIG_MAP} hold it, and does the operator mount it?"
    if others:
        first = min(others)
        why = f"its pod on {first} mounts ConfigMap {others[first]}, not {labels.LAYOUTS_CONFIG_MAP}"
    return (
        f"MIG Manager on {', '.join(nodes)} does not see config {targets[nodes[0]]!r} in its layout file "
        f"after {waited:.0f} s; {why}"
    )


def _has_config(cluster: Cluster, context: RolloutContext, pod: Json | None, config: str) -> bool | Forbidden:
    """Run mig-parted in the manager's pod on its own copy; raises ``ClusterError`` if that is not possible."""
    if pod is None:
        return False
    command = ["nvidia-mig-parted", "assert", "--valid-config", "-f", file_path(pod), "-c", config]
    try:
        status, text = cluster.execute(context.wave.namespace, pod["metadata"]["name"], command)
    except Forbidden as exc:
        return exc
    if status not in (0, 1):
        raise ClusterError(f"{command[0]} exited with {status}: {text}")
    return status == 0


def _trigger_sync(context: RolloutContext, managers: Mapping[str, Json]) -> None:
    """Errors are ignored: the kubelet synchronises by itself a little later."""
    new = {SYNC_ANNOTATION: secrets.token_hex(4)}
    context.on_each(
        managers,
        lambda cluster, name: cluster.annotate_pod(context.wave.namespace, managers[name]["metadata"]["name"], new),
    )
