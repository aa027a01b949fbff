"""An operator that a stack does not install, and that is not in the namespace of the stack's settings."""

import shlex

from mig_fleet.cluster.connection import Connection
from mig_fleet.model.short_repr import format_value
from mig_fleet.observed.installed.gpu_operator import find_operator


def misplaced_operator(cluster: Connection, namespace: str) -> str:
    """Why a stack with ``operator.managed: false`` cannot work with this ``operator.namespace``, and what to set; empty
    if the operator is there. Raises ClusterError.
    """
    if find_operator(cluster, namespace).operator:
        return ""
    search = find_operator(cluster)
    operator = search.operator
    looked = (
        f"operator.managed is false and operator.namespace is {format_value(namespace)}, but no pod of MIG Manager and "
        "no GPU Operator runs there"
    )
    if operator is not None:
        command = f"pulumi config set --path mig-fleet:operator.namespace {shlex.quote(operator.namespace)}"
        return f"{looked}; found {operator}: `{command}`"
    if search.unknown:
        return f"{looked}, as far as this user may read: {'; '.join(search.unknown)}; or set operator.namespace by hand"
    return (
        f"{looked}, and none was found in the cluster; install it, set operator.namespace to where it runs, or let "
        "this stack install it: `pulumi config set --path mig-fleet:operator.managed true`"
    )
