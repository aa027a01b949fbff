"""The facts about a chart of the GPU Operator, or the ClusterPolicy that it makes."""

import re
from dataclasses import dataclass

_PINNED = re.compile(r"v?\d+\.\d+\.\d+([-+][\w.+-]+)?")
_REPOSITORY = re.compile(r"(?:oci|https?)://|^[\w-]+/[\w.-]+$|^[\w.-]+$", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChartFacts:
    """What a resource sets. A text that is not set is empty; ``None`` is not known in a preview."""

    kind: str
    """``Release``, ``Chart`` or ``ClusterPolicy``"""
    name: str
    """The resource's name in the program."""
    chart: str | None = ""
    version: str | None = ""
    config_map: str | None = ""
    """The ConfigMap that MIG Manager reads."""
    driver_version: str | None = ""
    """The version of the driver that the operator installs; empty for the chart's own, or a driver on the host."""
    manager_version: str | None = ""
    """The version of MIG Manager's image; empty for the chart's own."""
    secret: bool = False
    """Whether one of these is secret: then no message repeats a value."""

    @property
    def label(self) -> str:
        return f"{self.kind} '{self.name}'"

    @property
    def is_from_repository(self) -> bool:
        """Whether the chart is downloaded; a folder or an archive has one version only."""
        chart = self.chart or ""
        return bool(_REPOSITORY.search(chart)) and not chart.endswith(".tgz")

    @property
    def is_pinned(self) -> bool:
        """Whether the version is one version, and not a range such as ``^25``."""
        return bool(_PINNED.fullmatch(self.version or ""))

    @property
    def bare_version(self) -> str:
        """The version without ``v`` and suffix, ``25.10.0``; empty if it is none."""
        found = re.match(r"v?(\d+\.\d+\.\d+)", self.version or "")
        return found[1] if found else ""
