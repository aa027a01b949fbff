"""A fleet whose slices NVIDIA's DRA driver publishes: what it registers; any other fleet has none of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from mig_fleet import DeviceClasses, Fleet, FleetRefused, Pool
from mig_fleet.model.allocated_by import DRA_NAMESPACE
from tests.components.fleets import DENSE, Engine, a_fleet, event_loop, run

DRA = {"version": "v26.7.0", "allocation": "dra", "claim_templates": ["team"]}
CLASS = "kubernetes:resource.k8s.io/v1:DeviceClass"


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    with event_loop():
        yield


def with_dra(**operator: Any) -> Engine:
    return run(lambda: Fleet("gpus", a_fleet(operator={**DRA, **operator})))


def test_each_profile_gets_a_device_class_and_a_claim_template_in_each_namespace() -> None:
    engine = with_dra()
    made = engine.inputs("gpus-device-classes-1g.10gb")
    assert (made["apiVersion"], made["kind"]) == ("resource.k8s.io/v1", "DeviceClass")
    assert made["metadata"]["name"] == "mig-1g.10gb.mig-fleet.dev"
    (selector,) = made["spec"]["selectors"]
    assert selector["cel"]["expression"].endswith(".profile == '1g.10gb'")
    template = engine.inputs("gpus-device-classes-team-1g.10gb")
    assert (template["metadata"]["namespace"], template["metadata"]["name"]) == ("team", "mig-1g.10gb")
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"]["deviceClassName"] == "mig-1g.10gb.mig-fleet.dev"


def test_the_chart_runs_no_device_plugin_and_the_cluster_policy_is_watched_for_it() -> None:
    engine = with_dra()
    assert engine.inputs("gpus-gpu-operator-release")["values"]["devicePlugin"] == {"enabled": False}
    assert '"devicePlugin": {"enabled": false}' in str(engine.inputs("gpus-supporting-objects")["chartObjects"])


def test_the_waves_the_owner_and_the_probe_know_that_slices_are_claimed() -> None:
    engine = with_dra()
    for step in ("assigned", "verified"):
        wave = engine.inputs(f"gpus-a-wave-0-{step}")
        assert wave["expected"]["allocation"] == "dra"
        assert (wave["draNamespace"], wave["isolation"]) == (DRA_NAMESPACE, "cordon"), (
            "the driver's pods do not tolerate our taint"
        )
    owner = engine.inputs("gpus-cluster-owner")
    assert owner["draNamespace"] == DRA_NAMESPACE
    assert {"operator.allocation: dra", "operator.claimTemplates"} <= {*owner["uses"]}
    command = engine.inputs("gpus-probe-daemons")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[-1] == "--mig-uuids"


def test_the_classes_exist_before_the_first_wave_and_are_watched() -> None:
    engine = with_dra()
    watched = str(engine.inputs("gpus-supporting-objects")["objects"])
    assert "mig-1g.10gb.mig-fleet.dev" in watched and "ResourceClaimTemplate" in watched
    (pool,) = (each for each in engine.requests.values() if each.name == "gpus-a")
    assert [urn for urn in pool.dependencies if "gpus-device-classes-1g.10gb" in urn], "its waves come after it"


def test_a_fleet_with_the_device_plugin_registers_nothing_of_it() -> None:
    engine = run(lambda: Fleet("gpus", a_fleet()))
    assert [name for name in engine.names if "device-classes" in name] == []
    assert "devicePlugin" not in engine.inputs("gpus-gpu-operator-release")["values"]
    wave = engine.inputs("gpus-a-wave-0-verified")
    assert "allocation" not in wave["expected"] and "draNamespace" not in wave
    assert "draNamespace" not in engine.inputs("gpus-cluster-owner")
    command = engine.inputs("gpus-probe-daemons")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert "--mig-uuids" not in command


def test_contradictions_are_refused_together_before_anything_is_registered() -> None:
    values = {"devicePlugin": {"enabled": True}, "draDriver": {"featureGates": {"DynamicMIG": True}}}
    with pytest.raises(FleetRefused) as refused:
        with_dra(strategy="single", values=values)
    assert [problem.path for problem in refused.value.problems] == [
        "operator.strategy",
        "operator.values.devicePlugin.enabled",
        "operator.values.draDriver.featureGates.DynamicMIG",
    ]


def test_the_components_alone_take_plain_data() -> None:
    layout: Any = {"name": "dense", **DENSE}

    def program() -> None:
        DeviceClasses("classes", {"layouts": [layout]})
        Pool(
            "a",
            {
                "cluster": {"context": "prod"},
                "gpus_per_node": 2,
                "nodes": ["n1"],
                "layout": layout,
                "allocation": "dra",
                "dra_namespace": "nvidia",
            },
        )

    engine = run(program)
    assert engine.inputs("classes-1g.10gb")["kind"] == "DeviceClass"
    wave = engine.inputs("a-wave-0-verified")
    assert (wave["draNamespace"], wave["isolation"]) == ("nvidia", "cordon")


def test_a_part_of_a_slice_is_refused_with_the_drivers_reason() -> None:
    layouts = {"dense": {"gpu": "H100-80GB", "all": {"1c.3g.40gb": 6}}}
    with pytest.raises(FleetRefused, match=r"must use a layout that the DRA driver can serve: 1c\.3g\.40gb is part of"):
        run(lambda: Fleet("gpus", a_fleet(operator=DRA, layouts=layouts)))
