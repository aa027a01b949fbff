"""The operator overwrites its own ConfigMap and follows its ClusterPolicy."""

from collections.abc import Iterator

import pytest

from mig_fleet.model import labels
from mig_fleet.simulator.errors import ApiError
from mig_fleet.simulator.operands.stock_layouts import stock_layouts
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


def test_the_operator_restores_its_own_layout_file_after_any_change(policy: Site) -> None:
    policy.eventually(lambda: own_layouts(policy) == {labels.LAYOUTS_KEY: stock_layouts()}, "the ConfigMap exists")
    policy.fleet.call("patch", OWN, {"data": {labels.LAYOUTS_KEY: "version: v1", "notes": "ours"}})
    policy.eventually(
        lambda: own_layouts(policy) == {labels.LAYOUTS_KEY: stock_layouts()}, "the operator has overwritten it"
    )
    policy.fleet.call("delete", OWN)
    policy.eventually(
        lambda: own_layouts(policy) == {labels.LAYOUTS_KEY: stock_layouts()}, "the operator has created it again"
    )


def test_with_another_layout_file_the_operator_does_not_create_its_own(policy: Site) -> None:
    configure(policy, name=labels.LAYOUTS_CONFIG_MAP)
    # The operator may see the deletion before the new policy, and create the ConfigMap once more.
    policy.eventually(
        lambda: own_layouts(policy) is None or policy.fleet.call("delete", OWN) is None, "the ConfigMap is deleted"
    )
    policy.patch_labels("hopper-1", {labels.DEPLOY_PREFIX + "dcgm": ""})
    policy.eventually(
        lambda: policy.label("hopper-1", labels.DEPLOY_PREFIX + "dcgm") == "true",
        "the operator works",
    )
    assert own_layouts(policy) is None


def test_the_operator_applies_a_changed_policy_at_once(policy: Site) -> None:
    """It ignores any default except all-disabled, so a node without a config does not change."""
    configure(policy, default="all-1g.10gb")
    policy.assign("hopper-1", "dense")
    policy.wait_for_success("hopper-1", "dense")
    policy.patch_labels("hopper-1", {labels.CONFIG: None, labels.DEPLOY_PREFIX + "dcgm": ""})
    policy.eventually(
        lambda: policy.label("hopper-1", labels.DEPLOY_PREFIX + "dcgm") == "true",
        "the operator works",
    )
    assert policy.label("hopper-1", labels.CONFIG) is None
    configure(policy, default="all-disabled")
    policy.wait_for_success("hopper-1", labels.ALL_DISABLED)
