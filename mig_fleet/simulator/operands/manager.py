"""NVIDIA MIG Manager on one node: reacts to the config label while its pod runs.

Behaviour of mig-parted v0.15.0 (cmd/nvidia-mig-manager/main.go).
"""

import asyncio

from mig_fleet.model import labels
from mig_fleet.simulator.api import Json
from mig_fleet.simulator.errors import ApiError, PartedError
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.operands.reconfiguration import Process, Reconfiguration


class DesiredConfig:
    """The config label, with upstream's memory: :meth:`next` returns a value that differs from its last one.

    The same value written again is not a change. A value that was removed and written again is a change, if
    :meth:`next` did not run meanwhile.
    """

    def __init__(self) -> None:
        self._current = self._last = ""
        self._changed = asyncio.Event()

    def set(self, value: str) -> None:
        self._current = value
        if value:
            self._changed.set()

    async def next(self) -> str:
        self._changed.clear()
        if self._last == self._current:
            await self._changed.wait()
        self._last = self._current
        return self._last


async def run(container: Container) -> int:
    """The main loop; it ends only with the pod."""
    desired, process = DesiredConfig(), Process()

    def on_change(before: Json, after: Json) -> None:
        old, new = _config_of(before), _config_of(after)
        if old != new and Fault.MANAGER_SILENT not in container.node.faults:
            desired.set(new)

    with container.node.listening(on_change):
        if Fault.MANAGER_SILENT not in container.node.faults:
            desired.set(_config_of(container.node.object))
        while True:
            container.log(f"Waiting for change to '{labels.CONFIG}' label")
            value = await desired.next()
            container.log(f"Updating to MIG config: {value}")
            try:
                await Reconfiguration(container, value, process).run()
                container.log(f"Successfully updated to MIG config: {value}")
            except (PartedError, ApiError, TimeoutError) as exc:
                container.log(f"Error: {exc}")


def _config_of(node: Json) -> str:
    return str((node["metadata"].get("labels") or {}).get(labels.CONFIG, ""))
