"""How a stack configures dcgm-exporter, which the GPU Operator runs."""

from mig_fleet.monitoring.exporter import Generation, generation_of
from mig_fleet.policies.chart_values import ServiceMonitor
from mig_fleet.stack_file.settings import Settings


def generation(settings: Settings) -> Generation:
    """The names of fields in the list of metrics."""
    return generation_of(settings.operator.version, settings.operator.values)


def service_monitor(settings: Settings) -> ServiceMonitor | None:
    """The ServiceMonitor that the operator's chart must create, if the stack file asks for one."""
    monitoring = settings.monitoring
    if not monitoring.service_monitor:
        return None
    return ServiceMonitor(monitoring.scrape_interval, monitoring.monitor_labels)
