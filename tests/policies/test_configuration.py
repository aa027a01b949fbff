"""The configuration of the policy pack: levels and parameters, with every mistake at its place."""

import json

import pytest

from mig_fleet.policies.all_policies import POLICIES
from mig_fleet.policies.configuration import InvalidConfiguration, configured
from mig_fleet.policies.no_parameters import NoParameters
from mig_fleet.policies.parameters import Parameters
from mig_fleet.policies.policy import Enforcement


def test_without_a_configuration_every_policy_has_its_own_level() -> None:
    assert {name: it.level for name, it in configured(POLICIES, None).items()} == {p.name: p.level for p in POLICIES}


def test_a_policys_own_level_has_priority_over_that_of_all() -> None:
    found = configured(POLICIES, {"all": "advisory", "mig-budget-kept": {"perHourUsd": 5}, "mig-no-slices": "disabled"})
    assert found["mig-budget-kept"].level is Enforcement.ADVISORY
    assert found["mig-budget-kept"].parameters == {"perHourUsd": 5}
    assert found["mig-no-slices"].level is Enforcement.DISABLED


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"mig-budget": {}}, "mig-budget: there is no such policy; did you mean 'mig-budget-kept'?"),
        ({"mig-budget-kept": {"perHourUsd": -1}}, "mig-budget-kept: perHourUsd: input should be greater than 0"),
        ({"mig-budget-kept": {"perHourUSD": 1}}, "there is no such parameter; did you mean 'perHourUsd'?"),
        ({"mig-canary-required": {"fromNodes": 1.5}}, "fromNodes: must be a whole number such as 1"),
        ({"mig-gpu-models-approved": {"models": "H100-80GB"}}, "models: must be a list such as [a, b]"),
        ({"mig-canary-required": "strict"}, "the level must be one of mandatory, advisory, disabled (found 'strict')"),
        ({"all": 3}, "all: must be a level, or an object with parameters (found 3)"),
        ({"mig-gpu-models-approved": {"models": ["H300"]}}, "models.0: unknown GPU model 'H300'"),
        ([], "must be an object of policies"),
    ],
)
def test_a_mistake_is_refused_with_what_is_allowed(data: object, text: str) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        configured(POLICIES, data)
    assert text in str(raised.value)


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        configured(POLICIES, {"a": {}, "b": {}, "mig-budget-kept": {"perHourUsd": "x"}})
    assert len(raised.value.problems) == 3


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_a_policy_is_described_completely(policy: object) -> None:
    (found,) = (each for each in POLICIES if each is policy)
    properties = found.parameters.properties()
    assert found.sentence.endswith(".")
    assert any(f" {word} " in found.sentence for word in ("must", "may"))
    assert found.title and found.remedy.endswith(".") and found.unknown and found.tags
    assert set(found.needs) <= properties.keys()
    assert set(found.example) <= properties.keys()
    assert bool(found.example) == bool(properties), "an example shows the parameters"
    assert all("description" in each for each in properties.values())
    json.dumps(properties)
    parameters = found.parameters.read(found.example)
    assert isinstance(parameters, Parameters | NoParameters)
    assert found.is_configured(parameters)


def test_every_policy_is_named_once_in_kebab_case() -> None:
    names = [str(policy.name) for policy in POLICIES]
    assert len(set(names)) == len(names) >= 18
    assert all(name.startswith("mig-") and name == name.lower() and "_" not in name for name in names)
