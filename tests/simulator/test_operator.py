"""What the operator takes for its own, whoever wrote it."""

from collections.abc import Iterator

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.operator import LAYOUTS
from tests.simulator.site import NAMESPACE, Site

pytestmark = pytest.mark.engine

POLICY = "/apis/nvidia.com/v1/clusterpolicies/cluster-policy"
OWN = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{labels.OPERATOR_OWNED_CONFIG_MAP}"


@pytest.fixture
def policy(site: Site) -> Iterator[Site]:
    yield site
    configure(site, name=None, default="all-disabled")


def configure(site: Site, **config: str | None) -> None:
    site.fleet.call("patch", POLICY, {"spec": {"migManager": {"config": config}}})


def own_layouts(site: Site) -> dict[str, str] | None:
    try:
        found: dict[str, str] = site.fleet.call("get", OWN)["data"]
    except ApiError as exc:
        assert exc.status == 404
        return None
    return found


def test_its_own_file_of_layouts_is_written_anew_whoever_changes_it(policy):
    policy.eventually(lambda: own_layouts(policy) == {labels.LAYOUTS_KEY: LAYOUTS}, "it is there")
    policy.fleet.call("patch", OWN, {"data": {labels.LAYOUTS_KEY: "version: v1", "notes": "ours"}})
    policy.eventually(lambda: own_layouts(policy) == {labels.LAYOUTS_KEY: LAYOUTS}, "it is the operator's again")
    policy.fleet.call("delete", OWN)
    policy.eventually(lambda: own_layouts(policy) == {labels.LAYOUTS_KEY: LAYOUTS}, "it is back")


def test_with_a_file_of_the_administrators_it_leaves_that_name_alone(policy):
    configure(policy, name=labels.LAYOUTS_CONFIG_MAP)
    # It may hear of the deletion before it hears of the new policy.
    policy.eventually(lambda: own_layouts(policy) is None or policy.fleet.call("delete", OWN) is None, "it is gone")
    policy.patch_labels("hopper-1", {labels.DEPLOY_PREFIX + "dcgm": ""})
    policy.eventually(lambda: policy.label("hopper-1", labels.DEPLOY_PREFIX + "dcgm") == "true", "it is at work")
    assert own_layouts(policy) is None


def test_a_changed_policy_is_followed_at_once(policy):
    """Any other default than all-disabled is ignored, so that a node without a config stays as it is."""
    configure(policy, default="all-1g.10gb")
    policy.assign("hopper-1", "dense")
    policy.settled("hopper-1", "dense")
    policy.patch_labels("hopper-1", {labels.CONFIG: None, labels.DEPLOY_PREFIX + "dcgm": ""})
    policy.eventually(lambda: policy.label("hopper-1", labels.DEPLOY_PREFIX + "dcgm") == "true", "it is at work")
    assert policy.label("hopper-1", labels.CONFIG) is None
    configure(policy, default="all-disabled")
    policy.settled("hopper-1", labels.ALL_DISABLED)
