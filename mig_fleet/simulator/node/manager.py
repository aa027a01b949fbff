"""NVIDIA MIG Manager on one node, for as long as its pod runs.

Behaviour of mig-parted v0.15.0 (cmd/nvidia-mig-manager/main.go, pkg/mig/reconfigure/reconfigure.go): what it reacts
to, in which order it does things, and in which of its failures it leaves the node half-way.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import yaml

from mig_fleet.model import labels
from mig_fleet.model.errors import MigError
from mig_fleet.model.parted import Entry
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.errors import ApiError, PartedError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node import parted
from mig_fleet.simulator.node.context import Context
from mig_fleet.simulator.node.pod import Pod

OPERANDS: Final = ("device-plugin", "gpu-feature-discovery", "dcgm-exporter", "dcgm", "nvsm")
"""Paused for a change by their deploy labels; ``nvsm`` too, on nodes that never had it."""

OPERAND_PODS: Final = ("nvidia-device-plugin-daemonset", "gpu-feature-discovery", "nvidia-dcgm-exporter", "nvidia-dcgm")
"""Label ``app`` of the pods whose end is waited for, one after the other."""

VALIDATOR: Final = "nvidia-operator-validator"
CONFIG_FILE: Final = "/mig-parted-config/config.yaml"
REBOOTING: Final = "rebooting"
SLOW_FACTOR: Final = 10
CALLS_OF_OTHERS: Final = frozenset(
    {"nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetName", "nvmlDeviceGetUUID"}
)
"""NVML calls that mig-parted does without."""


class Wish:
    """The config label with upstream's memory: :meth:`next` returns a value that differs from the one before.

    A value written again is no news; one that was removed and came back is, if nobody looked in between.
    """

    def __init__(self) -> None:
        self._current = self._last = ""
        self._news = asyncio.Event()

    def set(self, value: str) -> None:
        self._current = value
        if value:
            self._news.set()

    async def next(self) -> str:
        self._news.clear()
        if self._last == self._current:
            await self._news.wait()
        self._last = self._current
        return self._last


async def run(context: Context) -> int:
    """The container's main loop; it ends only with the pod."""
    wish = Wish()

    def on_change(before: Json, after: Json) -> None:
        old, new = _wish_of(before), _wish_of(after)
        if old != new and Fault.MANAGER_SILENT not in context.node.faults:
            wish.set(new)

    with context.node.listening(on_change):
        if Fault.MANAGER_SILENT not in context.node.faults:
            wish.set(_wish_of(context.node.object))
        while True:
            context.say(f"Waiting for change to '{labels.CONFIG}' label")
            value = await wish.next()
            context.say(f"Updating to MIG config: {value}")
            try:
                await Reconfiguration(context, value).run()
                context.say(f"Successfully updated to MIG config: {value}")
            except (PartedError, ApiError, TimeoutError) as exc:
                context.say(f"Error: {exc}")


class Reconfiguration:
    """One attempt; every way out sets the state label, except the two that do not do so upstream either."""

    def __init__(self, context: Context, config_name: str) -> None:
        self.context, self.node, self.config_name = context, context.node, config_name
        self.deployed: dict[str, str] = {}
        self.state = ""

    async def run(self) -> None:
        """Raises :class:`PartedError` or ``TimeoutError`` for the log, after the labels are what they shall be."""
        node, timing = self.node, self.node.timing
        fresh = await node.cluster.api.get(f"/api/v1/nodes/{node.name}")
        current = fresh["metadata"].get("labels") or {}
        self.deployed = {name: current.get(labels.DEPLOY_PREFIX + name, "") for name in OPERANDS}
        self.state = current.get(labels.STATE, "")
        try:
            config = self._selected()
        except PartedError:
            await self._finish("failed")
            raise
        if parted.is_applied(node.driver, config):
            self.context.say("Selected MIG config is already applied")
            await self._finish("success")
            return
        mode_differs = not parted.mode_is_applied(node.driver, config)
        if mode_differs and self.state == REBOOTING:
            await self._finish("failed")
            raise PartedError("MIG mode change did not take effect after rebooting")
        # Two patches upstream, one right after the other.
        await node.patch_labels({labels.STATE: "pending", **self._operand_labels(labels.PAUSED)})
        await self._operands_gone()
        slowness = SLOW_FACTOR if Fault.MANAGER_SLOW in node.faults else 1
        try:
            if Fault.MANAGER_FAILS in node.faults or node.spend(Fault.MANAGER_FAILS_ONCE):
                raise PartedError("error initializing NVML: ERROR_LIBRARY_NOT_FOUND")
            if mode_differs:
                await asyncio.sleep(timing.mode_change * slowness)
                await self._change_mode(config)
            await asyncio.sleep(timing.apply * slowness)
            self._apply(config)
        except PartedError:
            await self._finish("failed")
            raise
        await self._delete_pods(VALIDATOR)
        await self._finish("success")

    def _selected(self) -> tuple[Entry, ...]:
        """The config out of the file as it is mounted at this moment."""
        path = self.context.environment.get("CONFIG_FILE", CONFIG_FILE)
        content = self.context.mounts.read(path)
        if content is None:
            raise PartedError(f"error reading config file: open {path}: no such file or directory")
        try:
            return parted.load(content).select(self.config_name)
        except (MigError, yaml.YAMLError) as exc:
            raise PartedError(f"error validating config: {exc}") from None

    async def _change_mode(self, config: parted.Config) -> None:
        """A failure is only logged, and upstream stumbles over the mode when it applies; or the node is rebooted."""
        try:
            with self.node.driver_file.change() as driver:
                if Fault.MODE_CHANGE_NEEDS_REBOOT in self.node.faults:
                    parted.leave_mode_pending(driver, config)
                parted.apply_mode(driver, config)
        except PartedError as exc:
            self.context.say(str(exc))
            if self.context.environment.get("WITH_REBOOT") == "true":
                await self._reboot()

    async def _reboot(self) -> None:
        """Returns never: this container goes down with the node."""
        self.context.say(f"Changing the '{labels.STATE}' node label to '{REBOOTING}'")
        await self.node.patch_labels({labels.STATE: REBOOTING})
        self.context.say("Rebooting the node...")
        self.context.kubelet.reboot()
        await asyncio.Event().wait()

    def _apply(self, config: parted.Config) -> None:
        node = self.node
        with node.driver_file.change() as driver:
            for call, code in driver.errors.items():
                if call not in CALLS_OF_OTHERS:
                    raise PartedError(f"error from NVML: {call} answered {code}")
            if Fault.MANAGER_CREATES_NOTHING in node.faults:
                parted.clear(driver)
            else:
                parted.apply(driver, config)
            if Fault.MANAGER_ONE_SLICE_SHORT in node.faults:
                _lose_a_slice(driver)

    async def _operands_gone(self) -> None:
        """Raises ``TimeoutError`` with the state left pending and the operands paused."""
        for app in OPERAND_PODS:
            if Fault.MANAGER_STUCK_PENDING in self.node.faults or self._is_wedged():
                raise TimeoutError(f"failed to wait for pods to be deleted: {app} pod did not shutdown")
            try:
                await asyncio.wait_for(self.context.kubelet.gone(_is(app)), self.node.timing.operand_timeout)
            except TimeoutError:
                raise TimeoutError(f"failed to wait for pods to be deleted: {app} pod did not shutdown") from None

    def _is_wedged(self) -> bool:
        """Until another pod of the manager finds no operand paused when it begins."""
        node = self.node
        if Fault.MANAGER_WEDGED not in node.faults:
            return False
        node.wedged_manager = node.wedged_manager or self.context.pod.uid
        if self.context.pod.uid == node.wedged_manager or labels.PAUSED in self.deployed.values():
            return True
        node.wedged_manager = ""
        node.spend(Fault.MANAGER_WEDGED)
        return False

    async def _delete_pods(self, app: str) -> None:
        for pod in self.context.kubelet.pods(_is(app)):
            try:
                await self.node.cluster.api.delete(pod.path)
            except ApiError as exc:
                if exc.status != 404:
                    raise

    async def _finish(self, state: str) -> None:
        """Bring the operands back, whatever paused them, and say how it went: two patches upstream."""
        self.context.say(f"Changing the '{labels.STATE}' node label to '{state}'")
        await self.node.patch_labels({labels.STATE: state, **self._operand_labels("true")})

    def _operand_labels(self, value: str) -> dict[str, str]:
        """An operand that an administrator switched off stays off."""
        return {
            labels.DEPLOY_PREFIX + name: "false" if before == "false" else value
            for name, before in self.deployed.items()
        }


def _lose_a_slice(driver: Driver) -> None:
    for gpu in driver.gpus:
        if gpu.instances:
            gpu.destroy(gpu.instances[-1].id)
            return


def _is(app: str) -> Callable[[Pod], bool]:
    return lambda pod: pod.labels.get("app") == app


def _wish_of(node: Json) -> str:
    return str((node["metadata"].get("labels") or {}).get(labels.CONFIG, ""))
