"""What dcgm-exporter collects: its fields, their levels and units, the list for each version of the exporter, and how
Prometheus reads it.
"""

from mig_fleet.monitoring.exporter.fields import Generation
from mig_fleet.monitoring.exporter.metrics_list import FILE, metrics_config_map_name, metrics_csv
from mig_fleet.monitoring.exporter.scrape import scrape_config
from mig_fleet.monitoring.exporter.versions import generation_of

__all__ = ["FILE", "Generation", "generation_of", "metrics_config_map_name", "metrics_csv", "scrape_config"]
