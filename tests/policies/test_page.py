"""docs/reference/policies.md is written from the policies, and its configurations are accepted."""

import json
import re

import pytest

from mig_fleet.policies.all_policies import POLICIES
from mig_fleet.policies.configuration import configured
from tools.policies_page import MARK, PAGE, generated

TEXT = PAGE.read_text("utf-8")


def test_the_page_has_every_policy_as_it_is() -> None:
    assert TEXT.partition(MARK)[2] == generated(), "run `make policies-page`"
    for policy in POLICIES:
        assert f"\n### {policy.name}\n{policy.sentence}\n" in TEXT
        for parameter in policy.parameters.properties():
            assert f"| `{parameter}`: " in TEXT


@pytest.mark.parametrize("block", re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))
def test_a_configuration_on_the_page_is_accepted(block: str) -> None:
    configured(POLICIES, json.loads(block))
