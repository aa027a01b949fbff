"""Which dcgm-exporter a chart of the GPU Operator installs, and so which names its list of metrics may have."""

import re
from collections.abc import Mapping
from typing import Any, Final

from mig_fleet.model.operator_charts import operator_charts
from mig_fleet.monitoring.exporter.fields import Generation

FIRST_RENAMED: Final = (4, 9, 0)
"""dcgm-exporter 4.9.0, the first with DCGM 4.7 (its release notes)."""

_TAG = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-(\d+)\.(\d+)\.(\d+))?(?:[-+@].*)?")
"""``4.8.4``, or ``4.6.0-4.8.3-distroless``, where DCGM's version comes first."""


def generation_of(chart_version: str | None, values: Mapping[str, Any]) -> Generation:
    """The names to write for the exporter of a chart with these ``values`` of a user; an exporter that the values name
    (``dcgmExporter.version``, or a tag in ``dcgmExporter.image``) replaces the chart's own.

    An exporter that is not known, such as that of a newer chart or of an image digest, gets the legacy names: newer
    exporters still resolve them (go-dcgm, ``GetFieldID`` falls back to ``legacyDCGMFields``), but an older exporter
    does not start with a name that it does not know. The rules read both.
    """
    chart = operator_charts().get((chart_version or "").removeprefix("v"))
    tag = _tag_in(values) or (chart.dcgm_exporter if chart else "")
    version = exporter_version(tag)
    return Generation.RENAMED if version and version >= FIRST_RENAMED else Generation.LEGACY


def exporter_version(tag: str) -> tuple[int, int, int] | None:
    """The exporter's version in an image tag; None for a digest or any other text."""
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    first, last = found.groups()[:3], found.groups()[3:]
    major, minor, patch = (int(number) for number in (last if last[0] else first))
    return major, minor, patch


def _tag_in(values: Mapping[str, Any]) -> str:
    exporter = values.get("dcgmExporter")
    if not isinstance(exporter, Mapping):
        return ""
    if version := exporter.get("version"):
        return str(version)
    image = str(exporter.get("image") or "").rpartition("/")[2]
    return image.partition("@")[0].partition(":")[2]
