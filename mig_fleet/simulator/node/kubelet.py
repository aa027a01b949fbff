"""The kubelet of one node: starts pods, restarts crashed containers, allocates GPUs, confirms deletions."""

import asyncio
import itertools
from typing import Final

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.node import pod_status, reboot
from mig_fleet.simulator.node.allocation import AllocationFailed, allocated
from mig_fleet.simulator.node.claims import NotPrepared, allocated_names, prepared
from mig_fleet.simulator.node.container import BehaviourOf, Container
from mig_fleet.simulator.node.mounts import Mounts
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.node.node_pods import NodePods
from mig_fleet.simulator.node.pod import Pod

MAX_BACKOFF_S: Final = 60.0
RETRY_S: Final = 1.0
CANCEL_AGAIN_S = 5.0
GONE: Final = (404, 409)
"""The pod is deleted, or another pod has its name."""


class Kubelet:
    """All pods of one node, each in its own task; ``behaviour_of`` selects what a pod's container does."""

    def __init__(self, node: SimulatedNode, behaviour_of: BehaviourOf) -> None:
        self.node = node
        self.pods = NodePods()
        self._behaviour_of = behaviour_of
        self._pod_tasks: dict[str, asyncio.Task[None]] = {}
        self._terminating: dict[str, asyncio.Task[None]] = {}
        self._mounts: dict[str, Mounts] = {}
        self._running: dict[str, Container] = {}
        self._addresses = itertools.count(2)
        self._publishing: asyncio.Task[None] | None = None

    def running(self, uid: str) -> Container | None:
        """The pod's container; ``None`` while it does not run."""
        return self._running.get(uid)

    def pod_changed(self, after: Json | None, uid: str) -> None:
        """A pod bound to this node changed; ``None``: it was deleted."""
        if after is None:
            self.pods.remove(uid)
            self._terminating.pop(uid, None)
            task = self._pod_tasks.pop(uid, None)
            if task is not None:
                task.cancel()
            self.node.spawn(self.pods.notify())
            return
        before, pod = self.pods.get(uid), Pod(after)
        self.pods.put(pod)
        if before is not None and before.annotations != pod.annotations and uid in self._mounts:
            self._mounts[uid].sync()
        if pod.is_terminating and uid not in self._terminating:
            self._terminating[uid] = self.node.spawn(self._terminate(pod))
        elif uid not in self._pod_tasks and not pod.is_terminating and not pod.is_over:
            self._pod_tasks[uid] = self.node.spawn(self._run_pod(pod))

    def node_changed(self, before: Json | None, after: Json) -> None:
        """The Node object changed."""
        self.node.node_changed(before, after)
        if before is not None and reboot.is_requested(before, after):
            self.reboot()

    def start(self) -> None:
        """Publish the node's status from now on."""
        self._publishing = self.node.spawn(self.node.publish())

    async def stop(self) -> None:
        """The machine is switched off for good, and everything on it ends."""
        if self._publishing is not None:
            self._publishing.cancel()
        for task in self._terminating.values():
            task.cancel()
        await self._stop_containers()

    def reboot(self) -> None:
        """Start a reboot in the background; a container that requests it ends too."""
        self.node.spawn(self._reboot())

    async def _reboot(self) -> None:
        """Every container ends without notice; the same pods start again when the machine is up."""
        self.node.set_down(True)
        await self._stop_containers()
        with self.node.driver_file.change() as driver:
            for gpu in driver.gpus:
                gpu.power_cycle()
        await asyncio.sleep(self.node.timing.reboot)
        self.node.set_down(False)
        self._restart_pods()

    async def _stop_containers(self) -> None:
        await asyncio.gather(*map(_end, self._pod_tasks.values()))

    def _restart_pods(self) -> None:
        """Start the pods from before the reboot; pods that were bound meanwhile have a task that waits already."""
        for pod in self.pods:
            task = self._pod_tasks.get(pod.uid)
            if (task is None or task.done()) and not pod.is_terminating and not pod.is_over:
                self._pod_tasks[pod.uid] = self.node.spawn(self._run_pod(pod))

    async def _terminate(self, pod: Pod) -> None:
        """Stop the container, then confirm the deletion of exactly this pod."""
        if pod.never_stops:
            return
        await asyncio.sleep(pod.stop_s(self.node.timing.pod_stop))
        await self.node.runtime_ready.wait()
        task = self._pod_tasks.pop(pod.uid, None)
        if task is not None:
            await _end(task)
        while True:
            try:
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
                await self.node.api.delete(pod.path, options)
                return
            except ApiError as exc:
                if exc.status in GONE:
                    return
                await asyncio.sleep(RETRY_S)

    async def _run_pod(self, pod: Pod) -> None:
        """From the binding to the node until the pod ends or this task is cancelled."""
        mounts = Mounts(self.node.surroundings.config_maps, pod, lambda: self.node.projection_s)
        self._mounts[pod.uid] = mounts
        try:
            if mounts.missing() is not None:
                text = f'MountVolume.SetUp failed: configmap "{mounts.missing()}" not found'
                await self._report(pod, pod_status.pending(pod, "ContainerCreating", text))
            await mounts.open()
            await asyncio.sleep(self.node.timing.pod_start)
            await self.node.runtime_ready.wait()
            while True:
                try:
                    await self._run_with_devices(pod, mounts)
                    return
                except NotPrepared as exc:
                    await self._report(pod, pod_status.pending(pod, "ContainerCreating", str(exc)))
                    await asyncio.sleep(RETRY_S)
        except AllocationFailed as exc:
            await self._report(pod, pod_status.rejected("UnexpectedAdmissionError", str(exc)))
        finally:
            del self._mounts[pod.uid]
            mounts.close()

    async def _run_with_devices(self, pod: Pod, mounts: Mounts) -> None:
        """Raises :class:`NotPrepared` before the container starts, and :class:`AllocationFailed`."""
        with (
            prepared(self.node.driver_file, pod, await allocated_names(self.node.api, pod)),
            allocated(self.node.driver_file, pod) as devices,
            self.node.pod_resources.recorded(pod, devices),
        ):
            await self._run_container(pod, mounts)

    async def _run_container(self, pod: Pod, mounts: Mounts) -> None:
        """Run the container, and restart it as the pod's restart policy requires."""
        address = self._address(pod)
        container = Container(self.node, self.pods, pod, mounts, self.reboot)
        behaviour = self._behaviour_of(pod)
        backoff = self.node.timing.restart_backoff
        last = None
        for restarts in itertools.count(pod.starts):
            await self._report(pod, pod_status.running(pod, address, restarts, last))
            self._running[pod.uid] = container
            try:
                code = await behaviour(container)
            finally:
                del self._running[pod.uid]
            message = "" if code == 0 else f"exit status {code}; see {self.node.log_file(pod.name)}"
            policy = pod.restart_policy
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                await self._report(pod, pod_status.finished(pod, address, code, message))
                return
            last = pod_status.ended(code, message)
            await self._report(pod, pod_status.crashed(pod, address, restarts, last))
            await asyncio.sleep(backoff)
            await self.node.runtime_ready.wait()
            backoff = min(2 * backoff, MAX_BACKOFF_S)

    async def _report(self, pod: Pod, patch: Json) -> None:
        """Write the pod's status; retries until the API server has it or the pod is deleted."""
        while True:
            try:
                await self.node.api.patch(f"{pod.path}/status", patch)
                return
            except ApiError as exc:
                if exc.status in GONE:
                    return
                await asyncio.sleep(RETRY_S)

    def _address(self, pod: Pod) -> str:
        """The pod's IP address: the one in its status, else a new one."""
        known = pod.json.get("status", {}).get("podIP")
        if known:
            return str(known)
        number, node = next(self._addresses), self.node.number
        return f"10.{244 + node // 256}.{node % 256}.{number % 254 + 1}"


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a container until it ends: a library may lose a cancellation (cpython#86296)."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
