"""The user chooses the MIG strategy, every layout is checked against it, and nothing that pools offer is shared."""

from typing import Any

import pytest

from mig_fleet.model.strategy import Strategy
from mig_fleet.stack_file import fleet, summary
from mig_fleet.stack_file.fleet import Fleet
from mig_fleet.stack_file.policy_facts import program_facts
from mig_fleet.stack_file.problems import InvalidSettings
from tests.policies.facts import NOW

SEVENS = {"gpu": "A100-80GB", "all": {"1g.10gb": 7}}
TWO_PROFILES = {"gpu": "A100-80GB", "all": {"3g.40gb": 1, "1g.10gb": 4}}
HALF = {"gpu": "A100-80GB", "gpus": [{"devices": [0], "profiles": {"1g.10gb": 7}}, {"devices": [1], "disabled": True}]}
PARTS = {"gpu": "A100-80GB", "all": {"1c.3g.40gb": 6}}
WHOLE = {"gpu": "A100-80GB", "disabled": True}


def a_stack(layout: dict[str, Any] = SEVENS, **operator: Any) -> dict[str, Any]:
    pool = {"gpu": "A100-80GB", "gpusPerNode": 2, "nodes": ["lab-1", "lab-2"], "layout": "lessons"}
    return {
        "cluster": {"context": "lab"},
        "operator": {"version": "v26.7.0", **operator},
        "layouts": {"lessons": layout},
        "pools": {"lab": pool},
    }


def parse(raw: dict[str, Any]) -> Fleet:
    return fleet.parse(raw, "Pulumi.lab.yaml")


def problems(raw: dict[str, Any], *secrets: str) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(raw, "Pulumi.lab.yaml", frozenset(secrets))
    return [str(problem) for problem in refused.value.problems]


def sharing(text: str, default: str = "shared") -> dict[str, Any]:
    config = {"create": True, "name": "plugin", "default": default, "data": {"shared": f"version: v1\nsharing: {text}"}}
    return {"devicePlugin": {"config": config}}


# Strategy


@pytest.mark.parametrize(
    ("strategy", "capacity"),
    [
        (None, {"nvidia.com/mig-1g.10gb": 28}),
        ("mixed", {"nvidia.com/mig-1g.10gb": 28}),
        ("single", {"nvidia.com/gpu": 28}),
    ],
)
def test_the_strategy_is_the_users_choice_and_names_the_resources(
    strategy: str | None, capacity: dict[str, int]
) -> None:
    found = parse(a_stack(strategy=strategy) if strategy else a_stack())
    assert found.strategy == (strategy or "mixed")
    assert summary.capacity(found) == capacity


@pytest.mark.parametrize("strategy", ["mixed", "single"])
def test_the_strategy_does_not_follow_from_the_layouts(strategy: str) -> None:
    assert parse(a_stack(WHOLE, strategy=strategy)).strategy == parse(a_stack(strategy=strategy)).strategy == strategy


def test_strategy_none_is_refused_with_the_reason() -> None:
    (found,) = problems(a_stack(strategy="none"))
    assert found == (
        "operator.strategy: must be mixed or single: under none, GPUs with slices are advertised as whole GPUs "
        "(found 'none')"
    )


@pytest.mark.parametrize("value", ["Single", "both", 1, None, ["single"]])
def test_another_strategy_is_refused_with_the_two_that_work(value: object) -> None:
    (found,) = problems(a_stack(strategy=value))
    assert found.startswith("operator.strategy: must be mixed or single (found ")


@pytest.mark.parametrize(
    ("layout", "why"),
    [
        (TWO_PROFILES, "strategy single needs one profile per node, found 1g.10gb, 3g.40gb"),
        (HALF, "strategy single needs MIG on every GPU of a node or on none"),
    ],
)
def test_a_layout_that_the_chosen_strategy_cannot_serve_is_refused(layout: dict[str, Any], why: str) -> None:
    assert parse(a_stack(layout)), "mixed serves it"
    (found,) = problems(a_stack(layout, strategy="single"))
    assert found == f"pools.lab: pool 'lab' must use a layout that MIG strategy single can serve: {why}"


def test_parts_of_gpu_instances_are_served_under_single_only() -> None:
    assert summary.capacity(parse(a_stack(PARTS, strategy="single"))) == {"nvidia.com/gpu": 24}
    (found,) = problems(a_stack(PARTS))
    assert "MIG strategy mixed can serve: 1c.3g.40gb is part of a GPU instance" in found


@pytest.mark.parametrize(("strategy", "value"), [("mixed", "single"), ("single", "mixed"), ("mixed", "none")])
def test_a_chart_value_that_contradicts_the_strategy_names_the_setting(strategy: str, value: str) -> None:
    (found,) = problems(a_stack(strategy=strategy, values={"mig": {"strategy": value}}))
    required = f"must be '{strategy}'; remove the value, and set operator.strategy (found '{value}')"
    assert found == f"operator.values.mig.strategy: {required}"


def test_policies_know_the_strategy_of_a_wave() -> None:
    (wave, *_) = program_facts(parse(a_stack(strategy="single")), "lab", NOW).waves
    assert wave.strategy is Strategy.SINGLE


# Sharing


def test_slices_that_are_offered_several_times_are_refused() -> None:
    values = sharing("{timeSlicing: {resources: [{name: nvidia.com/mig-1g.10gb, replicas: 2}]}}")
    (found,) = problems(a_stack(values=values))
    assert found == (
        "operator.values.devicePlugin.config.data.shared: sharing.timeSlicing must not have nvidia.com/mig-1g.10gb: "
        "pool 'lab' offers it, and mig-fleet counts each slice and GPU once, for one pod; remove it, and give each pod "
        "a slice of a smaller profile (found 2)"
    )


@pytest.mark.parametrize(
    ("layout", "strategy"), [(WHOLE, "mixed"), (WHOLE, "single"), (SEVENS, "single")], ids=["whole", "whole", "slices"]
)
def test_whole_gpus_and_slices_under_single_are_shared_by_the_name_gpu(layout: dict[str, Any], strategy: str) -> None:
    values = sharing("{timeSlicing: {renameByDefault: true, resources: [{name: nvidia.com/gpu, replicas: 4}]}}")
    (found,) = problems(a_stack(layout, strategy=strategy, values=values))
    assert "sharing.timeSlicing must not have nvidia.com/gpu: pool 'lab' offers it" in found


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ("mixed", "under strategy mixed the device plugin ends with MPS on every node, and offers nothing"),
        ("single", "the device plugin ends with MPS on a node with slices, and offers nothing"),
    ],
)
def test_mps_is_refused_with_what_the_device_plugin_does(strategy: str, why: str) -> None:
    values = sharing("{mps: {resources: [{name: nvidia.com/gpu, replicas: 4}]}}")
    (found,) = problems(a_stack(strategy=strategy, values=values))
    assert why in found


@pytest.mark.parametrize(
    "values",
    [
        sharing("{timeSlicing: {resources: [{name: nvidia.com/mig-2g.20gb, replicas: 2}]}}"),
        sharing("{timeSlicing: {resources: [{name: nvidia.com/mig-1g.10gb, replicas: 1}]}}"),
        sharing("{timeSlicing: {resources: [{name: nvidia.com/mig-1g.10gb, replicas: 2}]}}", default="another"),
        sharing("{timeSlicing: [], mps: none}"),
        sharing("[}"),
        {"devicePlugin": {"config": {"name": "plugin"}}},
        {},
    ],
    ids=["another resource", "once", "only by label", "no resources", "unreadable", "not known", "none"],
)
def test_what_shares_nothing_that_a_pool_offers_is_accepted(values: dict[str, Any]) -> None:
    assert parse(a_stack(values=values)).pools


def test_a_secret_number_of_replicas_is_not_repeated() -> None:
    values = sharing("{timeSlicing: {resources: [{name: nvidia.com/mig-1g.10gb, replicas: 2}]}}")
    (found,) = problems(a_stack(values=values), "operator")
    assert "found" not in found
