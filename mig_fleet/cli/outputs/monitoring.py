"""The JSON of `mig-fleet monitoring`."""

from mig_fleet.cli.outputs.base import Output


class Alert(Output, frozen=True):
    """An alert that is on."""

    name: str
    severity: str
    for_seconds: int
    """How long its condition must hold."""
    settings: dict[str, float | list[str]]
    """Its other settings of `monitoring.alerts`; a window is in seconds, a bound is a ratio from 0 to 1."""


class Monitoring(Output, frozen=True):
    """What monitors the slices of a stack."""

    kube_state_metrics_flags: tuple[str, ...]
    alerts: tuple[Alert, ...]
    off: tuple[str, ...]
    """The alerts that the stack file turns off."""
    files: dict[str, str]
    """Path → content."""
    written: str | None
    """The folder of `--out`."""
