"""Which rights a stack needs, and what a user is reported to lack."""

from collections import Counter
from typing import Any

import pytest

from mig_fleet.cluster.errors import ClusterError, ClusterUnreachable
from mig_fleet.observed.rights.grant import Grant, Right, Step, Use
from mig_fleet.observed.rights.missing import PARALLEL_REVIEWS, REVIEWS, missing_rights
from mig_fleet.observed.rights.needed import needed_grants
from mig_fleet.observed.rights.roles import manifests
from tests.memory.api import Api, MemoryCluster

OPERATOR, REPORTS = "gpu-operator", "mig-fleet"
ALL = needed_grants(OPERATOR, REPORTS, list(Use))
WRITING = [right for grant in ALL if grant.step is Step.UPDATE for right in grant.rights()]


def missing(*lacking: str) -> Any:
    api = Api()
    api.user_lacks |= set(lacking)
    return missing_rights(MemoryCluster(api), ALL)


def rights_of(grants: list[Grant]) -> list[Right]:
    return [right for grant in grants for right in grant.rights()]


def test_no_right_is_listed_twice() -> None:
    assert [right for right, count in Counter(rights_of(ALL)).items() if count > 1] == []


@pytest.mark.parametrize("use", [use for use in Use if use is not Use.SERVICE_MONITOR])  # the operator creates it
def test_a_right_that_only_some_stacks_need_is_not_asked_of_others(use: Use) -> None:
    without = rights_of(needed_grants(OPERATOR, REPORTS, [each for each in Use if each is not use]))
    assert set(without) < set(rights_of(ALL))


def test_a_preview_writes_nothing() -> None:
    verbs = {right.verb for grant in ALL if grant.step is Step.PREVIEW for right in grant.rights()}
    assert verbs == {"get", "list"}


def test_a_right_is_limited_to_names_where_the_names_are_known_and_kubernetes_can_limit_it() -> None:
    """`create` has no name yet, and a `list` is limited only if it selects the name."""
    limited = {it.resources[0] for it in ALL if it.names and it.step is not Step.OPTIONAL}
    for grant in ALL:
        if grant.resources[0] in limited and grant.resources[0] not in ("nodes", "pods"):
            assert grant.names or set(grant.verbs) <= {"create", "list", "watch"}, grant


def test_the_roles_grant_each_right_and_nothing_else() -> None:
    roles = [it for it in manifests(ALL, [REPORTS]) if "rules" in it]
    granted = Counter(
        Right(verb, ".".join(filter(None, (plural, group))), role["metadata"].get("namespace", ""), name)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for plural in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    )
    assert granted == Counter(rights_of(ALL))
    assert [role["kind"] for role in roles] == ["ClusterRole", "Role", "Role", "Role"]


def test_a_namespace_that_the_stack_would_create_comes_first_and_with_the_label_by_which_it_is_taken_over() -> None:
    first = manifests(ALL, [REPORTS])[0]
    assert (first["kind"], first["metadata"]["labels"]) == ("Namespace", {"app.kubernetes.io/managed-by": "mig-fleet"})


def test_a_user_who_may_do_everything_costs_one_request() -> None:
    api = Api()
    assert missing_rights(MemoryCluster(api), ALL).error("prod") == ""
    assert [path for _, path, _ in api.requests] == [REVIEWS]


def test_every_right_that_is_missing_is_named_at_once_with_the_command_that_helps() -> None:
    found = missing("*", "patch nodes", "get pods/exec", "create pods/exec")
    assert found.error("prod") == (
        "the user of this kubeconfig may not patch nodes; get, create pods/exec in namespace gpu-operator; "
        "`mig-fleet rights --stack prod` prints roles that allow all that it needs"
    )
    assert found.warning("prod") == ""


def test_a_user_who_can_only_read_can_preview() -> None:
    """A pipeline that shows previews of pull requests must not be able to write."""
    found = missing("*", *(f"{right.verb} {right.resource.partition('.')[0]}" for right in WRITING))
    assert found.error("prod") == ""
    assert found.warning("prod") == (
        "the user of this kubeconfig can preview this stack, and not update it: it may write nothing"
    )


def test_a_user_who_can_neither_write_nor_read_cannot_preview() -> None:
    everything = (f"{right.verb} {right.resource.partition('.')[0]}" for right in rights_of(ALL))
    text = missing("*", *everything).error("prod")
    assert text.startswith("the user of this kubeconfig may not get, list, patch, watch nodes; list pods;"), text


def test_a_right_without_which_less_is_explained_is_only_mentioned() -> None:
    found = missing("*", "get pods/log")
    assert found.error("prod") == ""
    assert found.warning("prod").startswith(
        "less is checked and explained: the user of this kubeconfig may not get pods/log in namespace mig-fleet;"
    )


@pytest.mark.parametrize("error", [ClusterUnreachable("no answer"), ClusterError("the server does not serve this")])
@pytest.mark.parametrize("skip", [0, 3], ids=["at once", "later"])
def test_reviews_that_are_not_answered_are_no_error_of_their_own(error: ClusterError, skip: int) -> None:
    api = Api()
    api.user_lacks |= {"*", "patch nodes"}
    api.fail_requests("POST", REVIEWS, error, times=99, skip=skip)
    found = missing_rights(MemoryCluster(api), ALL)
    assert (found.error("prod"), found.warning("prod")) == ("", "")
    assert len(api.requests) <= skip + 1 + PARALLEL_REVIEWS + len(rights_of(ALL))
