"""The kubelet of one node: starts pods, restarts what crashes, gives out GPUs, and lets pods go."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver import Client
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.node import device_plugin, pod_status, reboot
from mig_fleet.simulator.node.containers import behaviour
from mig_fleet.simulator.node.context import Context
from mig_fleet.simulator.node.mounts import Mounts
from mig_fleet.simulator.node.node import SimulatedNode
from mig_fleet.simulator.node.pod import Pod

MOST_BACKOFF_S: Final = 60.0
RETRY_S: Final = 1.0


class AllocationFailed(Exception):
    """The scheduler sent a pod whose devices are not there: what is offered and what exists have come apart."""


class Kubelet:
    """All pods of one node, each in a task of its own."""

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self._pods: dict[str, Pod] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._mounts: dict[str, Mounts] = {}
        self._running: dict[str, Context] = {}
        self._addresses = itertools.count(2)
        self._moved = asyncio.Condition()
        self._publishing: asyncio.Task[None] | None = None

    def pods(self, wanted: Callable[[Pod], bool]) -> list[Pod]:
        return [pod for pod in self._pods.values() if wanted(pod)]

    async def gone(self, wanted: Callable[[Pod], bool]) -> None:
        """Returns when the node has no such pod."""
        async with self._moved:
            await self._moved.wait_for(lambda: not self.pods(wanted))

    def running(self, uid: str) -> Context | None:
        """What the pod's container has at hand; ``None`` while it does not run."""
        return self._running.get(uid)

    def pod_changed(self, after: Json | None, uid: str) -> None:
        """The API server has news of a pod bound to this node; ``None`` when it is gone."""
        if after is None:
            self._pods.pop(uid, None)
            self._leaving.pop(uid, None)
            life = self._lives.pop(uid, None)
            if life is not None:
                life.cancel()
            self.node.cluster.spawn(self._stir())
            return
        before, pod = self._pods.get(uid), Pod(after)
        self._pods[uid] = pod
        if before is not None and before.annotations != pod.annotations and uid in self._mounts:
            self._mounts[uid].sync()
        if pod.is_leaving and uid not in self._leaving:
            self._leaving[uid] = self.node.cluster.spawn(self._leave(pod))
        elif uid not in self._lives and not pod.is_leaving and not pod.is_over:
            self._lives[uid] = self.node.cluster.spawn(self._live(pod))

    def node_changed(self, before: Json | None, after: Json) -> None:
        """The API server has news of the node."""
        self.node.node_changed(before, after)
        if before is not None and reboot.is_asked(before, after):
            self.reboot()

    def begin(self) -> None:
        """Keep the node's status in step from now on."""
        self._publishing = self.node.cluster.spawn(self.node.publish())

    async def end(self) -> None:
        """The machine is gone, with all that ran on it."""
        if self._publishing is not None:
            self._publishing.cancel()
        for leaving in self._leaving.values():
            leaving.cancel()
        await self.halt()

    def reboot(self) -> None:
        """Take the node down and up again; whoever asks for it goes down too."""
        self.node.cluster.spawn(reboot.reboot(self))

    async def halt(self) -> None:
        """Every container ends at once; their pods stay."""
        for life in self._lives.values():
            life.cancel()
        if self._lives:
            await asyncio.wait(self._lives.values())

    def resume(self) -> None:
        """After :meth:`halt`: the same pods start again, beside those that came meanwhile and waited."""
        for uid, pod in self._pods.items():
            life = self._lives.get(uid)
            if (life is None or life.done()) and not pod.is_leaving and not pod.is_over:
                self._lives[uid] = self.node.cluster.spawn(self._live(pod))

    async def _stir(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    async def _leave(self, pod: Pod) -> None:
        """Stop the container, then confirm the deletion of exactly this pod."""
        if pod.never_stops:
            return
        await asyncio.sleep(pod.stop_s(self.node.timing.pod_stop))
        await self.node.runtime_answers.wait()
        life = self._lives.pop(pod.uid, None)
        if life is not None:
            life.cancel()
            await asyncio.wait([life])
        while True:
            try:
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
                await self.node.cluster.api.delete(pod.path, options)
                return
            except ApiError as exc:
                if exc.status in (404, 409):
                    return
                await asyncio.sleep(RETRY_S)

    async def _live(self, pod: Pod) -> None:
        """From being bound to the node until the end of the pod, or of this task."""
        mounts = Mounts(self.node.cluster.config_maps, pod, lambda: self.node.projection_s)
        self._mounts[pod.uid] = mounts
        try:
            if mounts.missing() is not None:
                text = f'MountVolume.SetUp failed: configmap "{mounts.missing()}" not found'
                await self._report(pod, pod_status.pending(pod, "ContainerCreating", text))
            await mounts.open()
            await asyncio.sleep(self.node.timing.pod_start)
            await self.node.runtime_answers.wait()
            with self._devices(pod):
                await self._run(pod, mounts)
        except AllocationFailed as exc:
            await self._report(pod, pod_status.rejected("UnexpectedAdmissionError", str(exc)))
        finally:
            del self._mounts[pod.uid]
            mounts.close()

    async def _run(self, pod: Pod, mounts: Mounts) -> None:
        """The container, started again whenever it ends and its pod wants that."""
        address = self._address(pod)
        context = Context(self.node, self, pod, mounts)
        perform = behaviour(pod, self.node.cluster.fleet_file.probe)
        backoff = self.node.timing.restart_backoff
        for restarts in itertools.count(pod.starts):
            await self._report(pod, pod_status.running(pod, address, restarts))
            self._running[pod.uid] = context
            try:
                code = await perform(context)
            finally:
                del self._running[pod.uid]
            message = "" if code == 0 else f"exit status {code}; see {self.node.log_file(pod.name)}"
            policy = pod.restart_policy
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                await self._report(pod, pod_status.finished(pod, address, code, message))
                return
            await self._report(pod, pod_status.crashed(pod, address, restarts, code, message))
            await asyncio.sleep(backoff)
            await self.node.runtime_answers.wait()
            backoff = min(2 * backoff, MOST_BACKOFF_S)

    async def _report(self, pod: Pod, patch: Json) -> None:
        """Again and again until the API server knows; a pod that is gone already needs no status."""
        while True:
            try:
                await self.node.cluster.api.patch(f"{pod.path}/status", patch)
                return
            except ApiError as exc:
                if exc.status in (404, 409):
                    return
                await asyncio.sleep(RETRY_S)

    @contextmanager
    def _devices(self, pod: Pod) -> Iterator[None]:
        """GPUs or slices for a pod that asks for some; while it runs, it is a client in the way of changes."""
        requests = pod.gpu_requests()
        name = f"{pod.namespace}/{pod.name}"
        if not requests:
            yield
            return
        with self.node.driver_file.change() as driver:
            for resource, count in requests.items():
                free = device_plugin.devices(driver, resource)
                if len(free) < count:
                    raise AllocationFailed(
                        f"Allocate failed due to requested {count} {resource}, available {len(free)}"
                    )
                for index, instance in free[:count]:
                    driver.gpus[index].clients.append(Client(name, instance.id if instance else None))
        try:
            yield
        finally:
            with self.node.driver_file.change() as driver:
                for gpu in driver.gpus:
                    gpu.clients = [client for client in gpu.clients if client.name != name]

    def _address(self, pod: Pod) -> str:
        known = pod.json.get("status", {}).get("podIP")
        if known:
            return str(known)
        number, node = next(self._addresses), self.node.number
        return f"10.{244 + node // 256}.{node % 256}.{number % 254 + 1}"
