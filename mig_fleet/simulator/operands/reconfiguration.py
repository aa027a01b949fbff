"""One reconfiguration of a node by MIG Manager: the order of its steps, and the failures that leave it unfinished.

Behaviour of mig-parted v0.15.0 (pkg/mig/reconfigure/reconfigure.go).
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from mig_fleet.documents import DocumentError
from mig_fleet.model import labels
from mig_fleet.model.errors import MigError
from mig_fleet.model.parted import Entry
from mig_fleet.simulator.driver.state import Driver
from mig_fleet.simulator.errors import ApiError, PartedError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.node.node_pods import Selection, has_app
from mig_fleet.simulator.node.pod import Pod
from mig_fleet.simulator.operands import parted

OPERANDS: Final = ("device-plugin", "gpu-feature-discovery", "dcgm-exporter", "dcgm", "nvsm")
"""Operands that are paused by their deploy labels during a change; also ``nvsm``, on nodes that never had it."""

CLIENT: Final = "client"
"""The same for the DaemonSets of others that need the GPUs; only on nodes that have its label."""

OPERAND_PODS: Final = ("nvidia-device-plugin-daemonset", "gpu-feature-discovery", "nvidia-dcgm-exporter", "nvidia-dcgm")
"""Label ``app`` of the pods whose deletion is waited for, one after the other."""

VALIDATOR: Final = "nvidia-operator-validator"
CONFIG_FILE: Final = "/mig-parted-config/config.yaml"
REBOOTING: Final = "rebooting"
RESTORED: Final = "Restarting all GPU clients previously shutdown in Kubernetes"
"""The line in the log of a process after its first change that succeeds; see :class:`Process`."""
SLOW_FACTOR: Final = 10
NOT_CALLED: Final = frozenset(
    {"nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetName", "nvmlDeviceGetUUID"}
)
"""NVML functions that mig-parted does not call."""


@dataclass
class Process:
    """What a process of MIG Manager keeps from one reconfiguration to the next."""

    has_succeeded: bool = False
    """Upstream's `NoRestartK8sDaemonsetsOnExit`: set by the first change that succeeds, and never reset. From then on
    operands are restored only by a change that succeeds: not by a failure, nor where nothing was to change."""


class Reconfiguration:
    """One attempt. It always sets the state label at its end, except in the two cases where upstream does not.

    These are a timeout while it waits for the operands, and a reboot of the node.
    """

    def __init__(self, container: Container, config_name: str, process: Process) -> None:
        self.container, self.node, self.config_name = container, container.node, config_name
        self.process = process
        self.deploy_labels: dict[str, str] = {}
        self.state = ""

    async def run(self) -> None:
        """Raises :class:`PartedError` or ``TimeoutError`` with the message for the log, after all labels are set."""
        node, timing = self.node, self.node.timing
        fresh = await node.api.get(f"/api/v1/nodes/{node.name}")
        current = fresh["metadata"].get("labels") or {}
        self.deploy_labels = {name: current.get(labels.DEPLOY_PREFIX + name, "") for name in OPERANDS}
        if current.get(labels.DEPLOY_PREFIX + CLIENT):
            self.deploy_labels[CLIENT] = current[labels.DEPLOY_PREFIX + CLIENT]
        self.state = current.get(labels.STATE, "")
        try:
            config = self._selected()
        except PartedError:
            await self._finish("failed")
            raise
        if parted.is_applied(node.driver, config):
            self.container.log("Selected MIG config is already applied")
            await self._finish("success")
            return
        mode_differs = not parted.mode_is_applied(node.driver, config)
        if mode_differs and self.state == REBOOTING:
            await self._finish("failed")
            raise PartedError("MIG mode change did not take effect after rebooting")
        await node.patch_labels({labels.STATE: "pending"})
        await node.patch_labels(self._operand_labels(labels.PAUSED))
        await self._wait_for_operands()
        factor = SLOW_FACTOR if Fault.MANAGER_SLOW in node.faults else 1
        try:
            if Fault.MANAGER_FAILS in node.faults or node.use_up(Fault.MANAGER_FAILS_ONCE):
                raise PartedError("error initializing NVML: ERROR_LIBRARY_NOT_FOUND")
            if mode_differs:
                await asyncio.sleep(timing.mode_change * factor)
                await self._change_mode(config)
            await asyncio.sleep(timing.apply * factor)
            self._apply(config)
        except PartedError:
            await self._finish("failed")
            raise
        await self._delete_pods(VALIDATOR)
        self.container.log(RESTORED)
        self.process.has_succeeded = True
        await self._set_state("success", restored=True)

    def _selected(self) -> tuple[Entry, ...]:
        """The config from the file as it is mounted at this moment."""
        path = self.container.environment.get("CONFIG_FILE", CONFIG_FILE)
        content = self.container.mounts.read(path)
        if content is None:
            raise PartedError(f"error reading config file: open {path}: no such file or directory")
        try:
            return parted.load(content).select(self.config_name)
        except (MigError, DocumentError) as exc:
            raise PartedError(f"error validating config: {exc}") from None

    async def _change_mode(self, config: parted.Config) -> None:
        """Change MIG mode. A failure is only logged, as upstream, and the apply fails later; or the node reboots."""
        try:
            with self.node.driver_file.change() as driver:
                if Fault.MODE_CHANGE_NEEDS_REBOOT in self.node.faults:
                    parted.leave_mode_pending(driver, config)
                parted.apply_mode(driver, config)
        except PartedError as exc:
            self.container.log(str(exc))
            if self.container.environment.get("WITH_REBOOT") == "true":
                await self._reboot()

    async def _reboot(self) -> None:
        """Never returns: this container ends with the node."""
        self.container.log(f"Changing the '{labels.STATE}' node label to '{REBOOTING}'")
        await self.node.patch_labels({labels.STATE: REBOOTING})
        self.container.log("Rebooting the node...")
        self.container.reboot_node()
        await asyncio.Event().wait()

    def _apply(self, config: parted.Config) -> None:
        node = self.node
        with node.driver_file.change() as driver:
            for call, code in driver.errors.items():
                if call not in NOT_CALLED:
                    raise PartedError(f"error from NVML: {call} returned {code}")
            if Fault.MANAGER_CREATES_NOTHING in node.faults:
                parted.clear(driver)
            else:
                parted.apply(driver, config)
            if Fault.MANAGER_ONE_SLICE_SHORT in node.faults:
                _destroy_one_slice(driver)

    async def _wait_for_operands(self) -> None:
        """Raises ``TimeoutError``, with the state left at pending and the operands paused."""
        for app in OPERAND_PODS:
            stuck = Fault.MANAGER_STUCK_PENDING in self.node.faults or self._is_stuck()
            await self._wait_for(has_app(app), f"{app} pod did not shutdown", stuck=stuck)
        await self._wait_for(is_client, "third-party gpu client pods did not shutdown")

    async def _wait_for(self, pods: Selection, message: str, *, stuck: bool = False) -> None:
        try:
            if stuck:
                raise TimeoutError
            deleted = self.container.pods.wait_deleted(pods)
            # `wait_for` of Python 3.11 may lose a cancellation that comes as its wait ends (cpython#86296).
            async with asyncio.timeout(self.node.timing.operand_timeout):
                await deleted
        except TimeoutError:
            raise TimeoutError(f"failed to wait for pods to be deleted: {message}") from None

    def _is_stuck(self) -> bool:
        """Whether :attr:`Fault.MANAGER_WEDGED` applies; it ends when a new MIG Manager pod finds no paused operand."""
        node = self.node
        if Fault.MANAGER_WEDGED not in node.faults:
            return False
        node.stuck_manager = node.stuck_manager or self.container.pod.uid
        if self.container.pod.uid == node.stuck_manager or labels.PAUSED in self.deploy_labels.values():
            return True
        node.stuck_manager = ""
        node.use_up(Fault.MANAGER_WEDGED)
        return False

    async def _delete_pods(self, app: str) -> None:
        for pod in self.container.pods.select(has_app(app)):
            try:
                await self.node.api.delete(pod.path)
            except ApiError as exc:
                if exc.status != 404:
                    raise

    async def _finish(self, state: str) -> None:
        """End without a change that succeeded."""
        await self._set_state(state, restored=not self.process.has_succeeded)

    async def _set_state(self, state: str, *, restored: bool) -> None:
        """Set the labels of the operands, if they are ``restored``, and then the state label."""
        if restored:
            await self.node.patch_labels(self._operand_labels("true"))
        self.container.log(f"Changing the '{labels.STATE}' node label to '{state}'")
        await self.node.patch_labels({labels.STATE: state})

    def _operand_labels(self, value: str) -> dict[str, str]:
        """The deploy labels with this value; an operand that a user switched off stays off."""
        return {
            labels.DEPLOY_PREFIX + name: "false" if before == "false" else value
            for name, before in self.deploy_labels.items()
        }


def is_client(pod: Pod) -> bool:
    """Whether a pod is a DaemonSet's that runs on nodes with the label :data:`CLIENT`."""
    owners = pod.json["metadata"].get("ownerReferences") or []
    of_daemon_set = any(owner.get("controller") and owner["kind"] == "DaemonSet" for owner in owners)
    return of_daemon_set and labels.DEPLOY_PREFIX + CLIENT in (pod.spec.get("nodeSelector") or {})


def _destroy_one_slice(driver: Driver) -> None:
    for gpu in driver.gpus:
        if gpu.instances:
            gpu.destroy(gpu.instances[-1].id)
            return
