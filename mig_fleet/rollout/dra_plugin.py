"""Restarts the plugin of NVIDIA's DRA driver on nodes whose published devices are not what NVML has.

The plugin reads NVML once, when it starts (dra-driver-nvidia-gpu v0.4.1), and MIG Manager does not restart it. So its
restart ends each change, also if recovery is off: no GPU is touched, pods keep their devices, and new ones stay off the
node until it is verified. A node has one restart in each verification.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mig_fleet.observed.drift import Difference, DriftClass
from mig_fleet.observed.operands import DRA_PLUGIN, dra_plugin_pods
from mig_fleet.observed.snapshot import Snapshot, invalidate
from mig_fleet.rollout.adopted_node import is_only_adopted, way_out
from mig_fleet.rollout.context import RolloutContext
from mig_fleet.rollout.remedy import Remedy

STALE_DEVICES_S: Final = 5.0
"""The plugin publishes within two seconds of its start, so one that started after the change has done it by then."""


@dataclass
class DraPlugin:
    """The restarts of one verification."""

    context: RolloutContext
    restarted: set[str] = field(default_factory=set)
    """Nodes with a new plugin."""
    notes: dict[str, str] = field(default_factory=dict)
    """Node → why its plugin was not restarted."""
    _since: dict[str, float] = field(default_factory=dict)

    def restart(self, seen: Snapshot, found: Iterable[Difference]) -> list[Difference]:
        """The differences for which a plugin was restarted now, one per node. Raises
        :class:`~mig_fleet.cluster.errors.ClusterError`.
        """
        stale: dict[str, Difference] = {}
        for difference in found:
            if difference.drift is DriftClass.DEVICES_STALE:
                stale.setdefault(difference.node, difference)
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name in stale}
        due = [name for name in stale if now - self._since[name] > STALE_DEVICES_S and name not in self.restarted]
        if not due:
            return []
        cluster, namespace = self.context.cluster(), self.context.wave.dra_namespace
        label = "=".join(DRA_PLUGIN)
        pods = dra_plugin_pods(cluster.pods_in(namespace, label))
        done = []
        for name in due:
            node = seen.nodes[name]
            if is_only_adopted(self.context.wave, node):
                self.notes[name] = way_out(self.context.wave, Remedy.RESTART_DRA_PLUGIN, node)
            elif name not in pods:
                text = "no pod of the DRA driver's plugin runs there: operator.draNamespace is {}, its label is {}"
                self.notes[name] = text.format(namespace, label)
            else:
                metadata = pods[name]["metadata"]
                cluster.delete_pod(namespace, metadata["name"], metadata["uid"])  # its DaemonSet creates it again
                self.restarted.add(name)
                self.notes.pop(name, None)
                done.append(stale[name])
        if done:
            invalidate()
        return done
