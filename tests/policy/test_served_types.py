"""Policies read the waves of the plugin as they read those of a Python program."""

from typing import Any

import pytest

from mig_fleet.model.resource_types import KINDS, dynamic_type, served_type
from mig_fleet.policy.objects import read_credentials
from tests.policy.resources import SERVED_ASSIGNMENT, SERVED_VERIFICATION, a_resource, a_wave, violations

TOO_MUCH = a_wave(gpus=[{"7g.80gb": 2.0}])


@pytest.mark.parametrize("kind", [SERVED_ASSIGNMENT, SERVED_VERIFICATION])
def test_a_layout_that_does_not_fit_is_denied_for_both_resources_of_a_wave(kind: str) -> None:
    assert violations("mig-layout-fits-gpu", a_resource(kind, **a_wave())) == []
    (violation,) = violations("mig-layout-fits-gpu", a_resource(kind, **TOO_MUCH))
    assert "7g.80gb" in violation


def test_an_assignment_of_the_plugin_needs_a_verification_of_the_plugin_after_it() -> None:
    assigned = a_resource(SERVED_ASSIGNMENT, "assigned", **a_wave())
    verified = a_resource(SERVED_VERIFICATION, "verified", [assigned], **a_wave())
    assert violations("mig-verification-present", assigned, verified) == []
    assert len(violations("mig-verification-present", assigned)) == 1


@pytest.mark.parametrize("kind", [make(name) for name in KINDS for make in (dynamic_type, served_type)])
def test_credentials_in_the_kubeconfig_of_any_of_our_resources_are_read(kind: str) -> None:
    props: dict[str, Any] = {"cluster": {"kubeconfig": "users: []"}}
    (found,) = read_credentials(kind, "it", a_resource(kind, **props).props)
    assert found.kubeconfigs == (("cluster.kubeconfig", "users: []"),)


def test_a_component_has_no_credentials_to_read() -> None:
    props = a_resource("mig-fleet:index:Pool", cluster={"kubeconfig": "users: []"}).props
    assert list(read_credentials("mig-fleet:index:Pool", "it", props)) == []
