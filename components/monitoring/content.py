"""The generated content of the objects, within the limits of what reads it. Pure."""

from typing import Any, Final

from mig_fleet.monitoring.alerts import alert_groups
from mig_fleet.monitoring.alerts.thresholds import Thresholds
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.monitoring.recording import recording_groups
from mig_fleet.monitoring.rules import rule_file, rule_text

CONFIG_MAP_BYTES: Final = 1 << 20
"""All values of a ConfigMap (kubernetes v1.37.2, pkg/apis/core/validation, ValidateConfigMap). A GrafanaDashboard gets
the same limit: etcd accepts 1.5 MiB for an object."""
PROMETHEUS_RULE_BYTES: Final = 1 << 19
"""The Prometheus Operator leaves out a larger one (prometheus-operator pkg/operator/rules.go, MaxConfigMapDataSize)."""

FILES: Final = "`mig-fleet monitoring --out DIR` writes the same as files"


class TooLarge(ValueError):
    """An object that nothing would load; the message names it, its size and the ways out."""


def rules(fleet: MonitoredFleet, thresholds: Thresholds, runbooks: str, kind: str) -> tuple[dict[str, Any], str]:
    """Recording rules and alerts, as data and as YAML; ``kind`` is ``prometheusRule`` or ``configMap``. Raises
    :class:`TooLarge`.
    """
    file = rule_file([*recording_groups(fleet), *alert_groups(fleet, thresholds, runbooks)])
    limit = PROMETHEUS_RULE_BYTES if kind == "prometheusRule" else CONFIG_MAP_BYTES
    way_out = f"remove layouts that no pool uses, or set rules: none; {FILES}"
    return file, _bounded(rule_text(file), limit, "the rules", way_out)


def dashboards(fleet: MonitoredFleet) -> dict[str, str]:
    """File name → dashboard as JSON. Raises :class:`TooLarge`."""
    # Grafana's builders take longer to import than the rest of the program.
    from mig_fleet.monitoring.dashboards import dashboards as generated

    way_out = f"set dashboards: none; {FILES}"
    return {name: _bounded(text, CONFIG_MAP_BYTES, name, way_out) for name, text in generated(fleet).items()}


def _bounded(text: str, limit: int, what: str, way_out: str) -> str:
    if (size := len(text.encode())) > limit:
        raise TooLarge(f"{what} would have {size} bytes, and {limit} are allowed; {way_out}")
    return text
