"""The address of docs/monitoring.md, which alerts, dashboards and errors link to."""

from typing import Final

PAGE: Final = "https://github.com/mig-fleet/mig-fleet/blob/main/docs/monitoring.md"
