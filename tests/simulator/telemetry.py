"""A node's reading for tests, and the series that an exporter writes for it."""

from collections.abc import Mapping

from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.node.allocation import device_id
from mig_fleet.simulator.node.pod_resources import PodDevices
from mig_fleet.simulator.telemetry import counters, dcgm_exporter
from mig_fleet.simulator.telemetry.activity import Load, load
from mig_fleet.simulator.telemetry.dcgm_exporter import Spelling
from mig_fleet.simulator.telemetry.exposition import Family, Sample
from mig_fleet.simulator.telemetry.reading import Reading, read

NOW = 1_800_000_000.0
ACTIVITY = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
USED, FREE, POWER, XID = (
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_XID_ERRORS",
)
LIST = f"""\
# our list
{ACTIVITY}, gauge, activity
{USED}, gauge, used
{FREE}, gauge, free

{POWER}, gauge, power
{XID}, gauge, the last XID
DCGM_FI_DEV_GPU_UTIL, gauge, utilization
DCGM_FI_DEV_MIG_MAX_SLICES, gauge, slices
DCGM_FI_DEV_MEM_CLOCK, gauge, clock
DCGM_FI_DRIVER_VERSION, label, driver
"""


def pod_on(driver: Driver, gpu: int, index: int | None, name: str = "training") -> PodDevices:
    """A pod with the slice at this index of a GPU's instances; None: with the whole GPU."""
    found = driver.gpus[gpu]
    return PodDevices("ml", name, "main", (("", device_id(found, None if index is None else found.instances[index])),))


def reading(
    driver: Driver, *pods: PodDevices, xids: Mapping[tuple[int, int], int] | None = None, now: float = NOW
) -> Reading:
    def load_of(pod: PodDevices) -> Load:
        return load(f"{pod.namespace}/{pod.name}", {}, now)

    return read("node-1", driver, pods, load_of, xids or {})


def rendered(found: Reading, spelling: Spelling | None = None, listed: str = LIST) -> dict[str, Family]:
    """Name → family."""
    rows = counters.parse(listed, counters.known_names(renamed=True))
    return {family.name: family for family in dcgm_exporter.render(found, rows, spelling or Spelling())}


def by_slice(family: Family) -> dict[str, Sample]:
    """``GPU index/instance`` → the sample."""
    return {f"{each.labels['gpu']}/{each.labels.get('GPU_I_ID', '')}": each for each in family.samples}
