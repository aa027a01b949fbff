"""Roles that grant exactly what a stack needs, as manifests. Pure."""

from collections.abc import Iterable, Iterator

from mig_fleet.cluster.client import FIELD_MANAGER, Json
from mig_fleet.observed.rights.grant import Grant

NAME = "mig-fleet"
"""The name of each role."""

MANAGED = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
"""By this label a stack takes a namespace that exists as its own."""


def manifests(grants: Iterable[Grant], namespaces: Iterable[str]) -> list[Json]:
    """The namespaces that the stack would create, because a role needs its namespace; then a ClusterRole, and a Role
    for each namespace with rights.
    """
    grants = list(grants)
    scopes = sorted({grant.namespace for grant in grants})
    return [
        *(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": MANAGED}}
            for name in namespaces
        ),
        *(_role(scope, [grant for grant in grants if grant.namespace == scope]) for scope in scopes),
    ]


def _role(namespace: str, grants: Iterable[Grant]) -> Json:
    metadata = {"name": NAME} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": metadata,
        "rules": [rule for grant in grants for rule in _rules(grant)],
    }


def _rules(grant: Grant) -> Iterator[Json]:
    """One rule for each API group, because a rule allows each of its resources in each of its groups."""
    by_group: dict[str, list[str]] = {}
    for resource in grant.resources:
        plural, _, group = resource.partition(".")
        by_group.setdefault(group, []).append(plural)
    for group, plurals in by_group.items():
        rule: Json = {"apiGroups": [group], "resources": plurals, "verbs": list(grant.verbs)}
        yield rule | ({"resourceNames": list(grant.names)} if grant.names else {})
