"""What each chart of NVIDIA's GPU Operator installs. ``charts.toml`` has the facts and their source; it also
records the chart's values that mig-fleet relies on, which the tests compare with ours and with the simulator's chart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Chart:
    """Image tags of the chart's own operands."""

    mig_manager: str
    """``0.13.1``, or ``0.12.1-ubuntu20.04``."""
    device_plugin: str
    dcgm_exporter: str
    """DCGM's version, the exporter's, and the base image: ``4.6.0-4.8.3-distroless``."""
    driver: str
    """The driver's version, ``580.105.08``."""


@cache
def operator_charts() -> Mapping[str, Chart]:
    """By version without ``v``, such as ``26.7.0``, oldest first. A chart that is not here is not known, not wrong."""
    import tomllib  # takes 7 ms, so only a look-up loads it

    text = files(__package__).joinpath("charts.toml").read_text("utf-8")
    rows: dict[str, dict[str, str]] = tomllib.loads(text)["charts"]
    return {
        version: Chart(**{name.replace("-", "_"): tag for name, tag in row.items()}) for version, row in rows.items()
    }
