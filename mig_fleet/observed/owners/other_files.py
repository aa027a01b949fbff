"""The layout files of other namespaces, with the stacks that they record: a stack may have another
``operator.namespace`` than the owner of the cluster.
"""

from mig_fleet.cluster.connection import Connection
from mig_fleet.model import labels
from mig_fleet.observed.owners.cluster_owner import Owner, file_owner


def other_file_owners(cluster: Connection, namespace: str) -> dict[str, Owner]:
    """Namespace → the owner that the layout file there records; without ``namespace``. Raises ClusterError."""
    query = {"fieldSelector": f"metadata.name={labels.LAYOUTS_CONFIG_MAP}"}
    found = {
        item["metadata"]["namespace"]: file_owner(item) for item in cluster.get("/api/v1/configmaps", query)["items"]
    }
    return {where: owner for where, owner in found.items() if owner is not None and where != namespace}
