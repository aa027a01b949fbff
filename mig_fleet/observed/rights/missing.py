"""Which rights the user of a kubeconfig lacks: the API server's own answers, all at once and before the first write."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from mig_fleet.cluster.connection import Connection, Json
from mig_fleet.cluster.errors import ClusterError
from mig_fleet.observed.rights.grant import Grant, Right, Step

REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
EVERYTHING: Final = Right("*", "*.*")
PARALLEL_REVIEWS: Final = 16


@dataclass(frozen=True, slots=True)
class MissingRights:
    """What a user may not do."""

    failing: tuple[Right, ...] = ()
    """Without them a preview or an update fails."""
    only_reads: bool = False
    """Whether the user may read all that a preview needs, and write nothing: a user for previews."""
    optional: tuple[Right, ...] = ()
    """Without them less is checked or explained."""

    def error(self, stack: str) -> str:
        """What must fail a preview; empty if nothing must."""
        if self.only_reads or not self.failing:
            return ""
        return f"the user of this kubeconfig {_may_not(self.failing)}{_way_out(stack)}"

    def warning(self, stack: str) -> str:
        """What a preview mentions; empty if there is nothing to mention."""
        if self.only_reads:
            return "the user of this kubeconfig can preview this stack, and not update it: it may write nothing"
        if self.failing or not self.optional:
            return ""
        return f"less is checked and explained: the user of this kubeconfig {_may_not(self.optional)}{_way_out(stack)}"


def missing_rights(cluster: Connection, grants: Sequence[Grant]) -> MissingRights:
    """One request for a user who may do everything, one for each right otherwise. Nothing is missing if the API server
    does not answer them.
    """
    try:
        if _is_allowed(cluster, EVERYTHING):
            return MissingRights()
        steps = {right: grant.step for grant in grants for right in grant.rights()}
        with ThreadPoolExecutor(PARALLEL_REVIEWS) as executor:
            answers = executor.map(lambda right: _is_allowed(cluster, right), steps)
            missing = [right for right, allowed in zip(steps, answers, strict=True) if not allowed]
    except ClusterError:
        return MissingRights()
    reads, writes, optional = (tuple(right for right in missing if steps[right] is step) for step in Step)
    only_reads = not reads and len(writes) == sum(step is Step.UPDATE for step in steps.values())
    return MissingRights((*reads, *writes), only_reads, optional)


def _is_allowed(cluster: Connection, right: Right) -> bool:
    """Raises :class:`~mig_fleet.cluster.errors.ClusterError`."""
    resource, _, group = right.resource.partition(".")
    plural, _, subresource = resource.partition("/")
    attributes: Json = {
        "verb": right.verb,
        "group": group,
        "resource": plural,
        "subresource": subresource,
        "namespace": right.namespace,
        "name": right.name,
    }
    answer = cluster.call("POST", REVIEWS, body={"spec": {"resourceAttributes": attributes}}, tries=1)
    return bool(answer["status"].get("allowed"))


def _may_not(rights: Iterable[Right]) -> str:
    """``may not patch nodes; get, create pods/exec in namespace gpu-operator``"""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        verbs.setdefault(right.where, []).append(right.verb)
    return "may not " + "; ".join(f"{', '.join(each)} {where}" for where, each in verbs.items())


def _way_out(stack: str) -> str:
    return f"; `mig-fleet rights --stack {stack}` prints roles that allow all that it needs"
