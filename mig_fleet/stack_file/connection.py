"""Whether the program itself can use the connection that the settings name; no request is made."""

from mig_fleet.cluster.errors import NoCredentials
from mig_fleet.cluster.in_cluster import service_account_kubeconfig
from mig_fleet.cluster.kubeconfig_path import kubeconfig_path
from mig_fleet.model.finding import Finding
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.settings import Cluster


def require_connection(cluster: Cluster, source: str) -> None:
    """Raises :class:`InvalidSettings` for a kubeconfig that is several files or, in ``$KUBECONFIG``, contents; and for
    ``inCluster`` outside of a pod. Of contents the Kubernetes provider would print the text as a missing file.
    """
    try:
        if cluster.in_cluster:
            service_account_kubeconfig()
        else:
            kubeconfig_path(cluster.kubeconfig)
    except ValueError as exc:
        raise InvalidSettings(source, [Finding("cluster.kubeconfig", str(exc))]) from None
    except NoCredentials as exc:
        raise InvalidSettings(source, [Finding("cluster.inCluster", str(exc))]) from None
