"""The ways between the dashboards, and their variables."""

from typing import Final

from mig_fleet.monitoring.dashboards import parts
from mig_fleet.monitoring.dashboards.queries import DATASOURCE
from mig_fleet.monitoring.dashboards.sdk import dashboard, models
from mig_fleet.monitoring.documentation import PAGE
from mig_fleet.monitoring.series import NODE, POWER

FLEET: Final = "mig-fleet-fleet"
POOL: Final = "mig-fleet-pool"
NODE_OF_POOL: Final = "mig-fleet-node"
"""The uid of each dashboard, which is its address."""

_SAME: Final = f"${{{DATASOURCE}:queryparam}}&${{__url_time_range}}"
"""The same Prometheus and the same time range."""


def pool_url(pool: str) -> str:
    """The dashboard of a pool; ``pool`` may be an expression of Grafana."""
    return f"/d/{POOL}?var-pool={pool}&{_SAME}"


def node_url(pool: str, node: str) -> str:
    return f"/d/{NODE_OF_POOL}?var-pool={pool}&var-node={node}&{_SAME}"


def to_fleet() -> dashboard.DashboardLink:
    return parts.link("Fleet", f"/d/{FLEET}?{_SAME}").tooltip("All pools").icon("apps")


def to_pool() -> dashboard.DashboardLink:
    return parts.link("Pool", pool_url("$pool")).tooltip("The pool of this node").icon("cube")


def to_documentation() -> dashboard.DashboardLink:
    link = parts.link("Documentation", PAGE).tooltip("What the series and the alerts mean")
    return link.icon("doc").target_blank(True)


POOLS: Final = f"label_values({NODE}, pool)"
NODES: Final = f'label_values({NODE}{{pool="$pool"}}, node)'
GPUS: Final = f'label_values({POWER}{{node="$node"}}, gpu)'


def variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A choice among the values of a label, read again when the time range changes."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(parts.SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
    )


def pool() -> dashboard.QueryVariable:
    return variable("pool", "Pool", POOLS)


def node() -> dashboard.QueryVariable:
    return variable("node", "Node", NODES)


def gpus() -> dashboard.QueryVariable:
    """All GPUs of the node, unless the reader selects some."""
    everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
    return variable("gpu", "GPU", GPUS).multi(True).include_all(True).current(everything)
