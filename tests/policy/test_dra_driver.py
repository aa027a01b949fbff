"""The policy about NVIDIA's DRA driver, and the rules about layouts, in a program whose slices pods claim."""

from typing import Any

import pytest

from tests.policy.resources import UNKNOWN, a_resource, both_of_a_wave, violations

POLICY = "mig-dra-driver-is-static"
ON: dict[str, Any] = {"featureGates": {"DynamicMIG": True}}
RELEASE = "kubernetes:helm.sh/v3:Release"
CHART = "oci://registry.k8s.io/dra-driver-nvidia/charts/dra-driver-nvidia-gpu"
SWITCHED_ON = {
    "the driver's chart": a_resource(RELEASE, "dra", chart=CHART, values=ON),
    "its earlier name": a_resource(RELEASE, "dra", chart="nvidia-dra-driver-gpu", values=ON),
    "a chart of which the name is not known": a_resource(RELEASE, "dra", chart=UNKNOWN, values=ON),
    "as a chart": a_resource("kubernetes:helm.sh/v4:Chart", "dra", chart=CHART, values=ON),
    "the operator's chart": a_resource(RELEASE, "dra", chart="gpu-operator", values={"draDriver": ON}),
    "a GPUCluster": a_resource("kubernetes:nvidia.com/v1alpha1:GPUCluster", "dra", spec={"draDriver": ON}),
}
ACCEPTED = {
    "the default": a_resource(RELEASE, "dra", chart=CHART, values={}),
    "off": a_resource(RELEASE, "dra", chart=CHART, values={"featureGates": {"DynamicMIG": False}}),
    "not known": a_resource(RELEASE, "dra", chart=CHART, values={"featureGates": UNKNOWN}),
    "another chart": a_resource(RELEASE, "dra", chart="prometheus", values=ON),
}


@pytest.mark.parametrize("driver", SWITCHED_ON.values(), ids=SWITCHED_ON)
def test_a_driver_that_partitions_gpus_itself_is_denied_beside_a_wave(driver: Any) -> None:
    (violation,) = violations(POLICY, *both_of_a_wave(), driver)
    assert "'dra' must have the feature gate DynamicMIG off: at its start the driver destroys all slices" in violation
    assert violations(POLICY, driver) == [], "a program without waves is another program"


@pytest.mark.parametrize("driver", ACCEPTED.values(), ids=ACCEPTED)
def test_any_other_driver_is_accepted(driver: Any) -> None:
    assert violations(POLICY, *both_of_a_wave(), driver) == []


def test_a_request_for_an_extended_resource_is_denied_where_slices_are_claimed() -> None:
    spec = {"containers": [{"name": "c", "resources": {"limits": {"nvidia.com/mig-1g.10gb": 1.0}}}]}
    workload = a_resource("kubernetes:core/v1:Pod", "web", spec=spec)
    assert violations("mig-requests-offered", *both_of_a_wave(), workload) == []
    expected = {"allocation": "dra"}
    (violation,) = violations("mig-requests-offered", *both_of_a_wave(**with_expected(expected)), workload)
    assert "no layout has nvidia.com/mig-1g.10gb" in violation and "mig-1g.10gb.mig-fleet.dev" in violation


def test_a_part_of_a_slice_is_denied_with_the_drivers_reason() -> None:
    changes = {**with_expected({"allocation": "dra", "gpus": [{"1c.3g.40gb": 6.0}]})}
    found = violations("mig-strategy-serves-pools", *both_of_a_wave(**changes))
    assert found and all("a layout that the DRA driver can serve: 1c.3g.40gb is part of" in text for text in found)


def with_expected(changes: dict[str, Any]) -> dict[str, Any]:
    """The property ``expected`` of a wave, with these changes."""
    plain = {
        "config": "dense-1c0ffee2",
        "gpu": "H100-80GB",
        "gpus": [{"1g.10gb": 7.0}] * 2,
        "allocatable": {"nvidia.com/mig-1g.10gb": 14.0},
        "labels": {},
        "strategy": "mixed",
    }
    return {"expected": {**plain, **changes}}
