"""The address of docs/reference/monitoring.md, which alerts, dashboards and errors link to."""

from typing import Final

PAGE: Final = "https://github.com/mig-fleet/mig-fleet/blob/main/docs/reference/monitoring.md"
