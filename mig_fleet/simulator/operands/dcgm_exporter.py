"""NVIDIA's dcgm-exporter on one node: answers scrapes while its pod runs."""

import asyncio
from typing import Final

from mig_fleet.simulator import faults
from mig_fleet.simulator.faults import Fault
from mig_fleet.simulator.node.container import Container
from mig_fleet.simulator.telemetry import counters, dcgm_exporter, exposition
from mig_fleet.simulator.telemetry.counters import Counter, CountersError
from mig_fleet.simulator.telemetry.dcgm_exporter import Spelling
from mig_fleet.simulator.telemetry.reading import Reading, loads, read

LIST: Final = "/etc/dcgm-exporter/dcgm-metrics.csv"
"""Where the operator mounts the list, by subPath: the file of a running pod never changes (gpu-operator,
controllers/object_controls.go, TransformDCGMExporter).
"""


async def run(container: Container) -> int:
    """Answer scrapes until the pod is deleted; ends at once if the list of metrics cannot be used."""
    node = container.node
    renamed = Fault.EXPORTER_OLD not in node.faults
    path = container.environment.get("DCGM_EXPORTER_COLLECTORS", LIST)
    content = container.mounts.read(path)
    try:
        listed = counters.parse((content or counters.DEFAULT.encode()).decode(), counters.known_names(renamed))
    except CountersError as exc:
        container.log(f'level=ERROR msg="Failed to watch metrics: {exc}"')
        return 1
    container.log(f'level=INFO msg="Starting webserver" counters={len(listed)}')
    node.exporter = Exporter(container, listed).scrape
    try:
        await asyncio.Event().wait()
    finally:
        node.exporter = None
    return 0


class Exporter:
    """The exporter of one pod."""

    def __init__(self, container: Container, listed: tuple[Counter, ...]) -> None:
        self._container, self._listed = container, listed
        self._last: Reading | None = None
        """The reading that is repeated while the exporter is stale."""

    def scrape(self, now: float) -> str | None:
        """The answer to a scrape at a time in seconds since 1970; None if the scrape fails."""
        injected = self._container.node.faults
        if Fault.EXPORTER_SILENT in injected:
            return None
        is_stale = Fault.EXPORTER_STALE in injected
        reading = (self._last if is_stale else None) or self._read(now)
        self._last = reading if is_stale else None
        host_label = "Hostname" if Fault.EXPORTER_OLD in injected else "hostname"
        spelling = Spelling(host_label, renames=Fault.EXPORTER_RENAMES in injected)
        return exposition.text(dcgm_exporter.render(reading, self._listed, spelling))

    def _read(self, now: float) -> Reading:
        node = self._container.node
        # Without an answer of the kubelet the exporter only logs, and its series have no labels of pods.
        pods = node.pod_resources.list() or ()
        return read(node.name, node.driver, pods, loads(self._container.pods, now), faults.read_xids(node.annotations))
