"""Where the documentation of alerts and dashboards is."""

from typing import Final

PAGE: Final = "https://github.com/mig-fleet/mig-fleet/blob/main/docs/monitoring.md"
