"""The right that a request needs, and whether the documented list has it."""

import re
from collections.abc import Mapping
from functools import cache

from mig_fleet.observed.rights.grant import Right, Use
from mig_fleet.observed.rights.needed import needed_grants

PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v[^/]+(?:/namespaces/(?P<namespace>[^/]+)(?=/.))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>.+))?)?$"
)
OPERATORS, PROBES = ("gpu-operator", "gpus"), "mig-fleet"
"""The namespaces of the fleet in memory. A few tests have a second stack, with another namespace for its operator."""
VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


def needed_right(method: str, path: str, query: Mapping[str, str] | None) -> Right | None:
    """``None`` for what every user may do: ask which kinds the API server has, and what the user may do."""
    found = PATH.match(path)
    if found is None or found["resource"] == "selfsubjectaccessreviews":
        return None
    group, namespace, resource, name, subresource = found.group("group", "namespace", "resource", "name", "subresource")
    selected = re.fullmatch("metadata.name=(.*)", (query or {}).get("fieldSelector", ""))
    verb = VERBS.get(method) or ("watch" if "watch" in (query or {}) else "get" if name else "list")
    full = "/".join(filter(None, (resource, subresource))) + (f".{group}" if group else "")
    return Right(verb, full, namespace or "", name or (selected[1] if selected else ""))


@cache
def _documented() -> frozenset[Right]:
    grants = [grant for operator in OPERATORS for grant in needed_grants(operator, PROBES, list(Use))]
    return frozenset(right for grant in grants for right in grant.rights())


def is_documented(right: Right) -> bool:
    """Whether a right is in the list, or part of one that is: of any name, or of every namespace."""
    wider = ((namespace, name) for namespace in {right.namespace, ""} for name in {right.name, ""})
    return any(Right(right.verb, right.resource, namespace, name) in _documented() for namespace, name in wider)
