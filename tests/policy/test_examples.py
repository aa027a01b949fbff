"""examples/policies is a pack of a user: all of our policies, and two of its own of 20 lines."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi_policy
import pytest
import yaml

from tests.policy.resources import ASSIGNMENT, POLICIES, UNKNOWN, a_resource, a_wave

FOLDER = Path(__file__).parents[2] / "examples" / "policies"
OWN = ("every_pool_is_ours", "no_stranded_pods")


@pytest.fixture(autouse=True)
def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in OWN:
        sys.modules.pop(name, None)


def violations(name: str, **changes: Any) -> list[str]:
    found: list[str] = []
    policy = getattr(importlib.import_module(name), name)
    policy.validate(a_resource(ASSIGNMENT, "chat", **a_wave(**changes)), lambda text, _urn: found.append(text))
    return found


def test_the_pack_has_ours_and_two_more(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(pulumi_policy, "PolicyPack", lambda name, policies: made.append((name, policies)))
    marked = SimpleNamespace(mark_secrets=lambda: made.append("secrets are marked"))
    monkeypatch.setitem(sys.modules, "mig_fleet.policy.secret_text", marked)
    exec(compile((FOLDER / "__main__.py").read_text(), "__main__.py", "exec"), {"__name__": "__main__"})
    first, (name, policies) = made
    assert first == "secrets are marked"
    assert name == "our-gpus"
    assert [each.name for each in policies] == [*POLICIES, "our-pools-name-their-team", "our-pods-find-slices"]


@pytest.mark.parametrize("name", OWN)
def test_a_policy_of_a_user_is_short(name: str) -> None:
    lines = [line for line in (FOLDER / f"{name}.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 21


def test_the_policies_of_a_user_read_plain_data() -> None:
    assert violations("every_pool_is_ours", wave="chat-wave-0") == []
    assert violations("every_pool_is_ours", wave=UNKNOWN) == []
    (text,) = violations("every_pool_is_ours")
    assert text.startswith("Wave 'inference-wave-0' must belong to a pool")
    assert violations("no_stranded_pods") == violations("no_stranded_pods", impact=UNKNOWN) == []
    (text,) = violations("no_stranded_pods", impact={"nodes": ["n1"], "podsUnschedulable": 2.0})
    assert text == "Wave 'chat' must leave a slice for each pod; 2 would find none."


def test_the_pack_names_the_virtual_environment_of_this_repository() -> None:
    options = yaml.safe_load((FOLDER / "PulumiPolicy.yaml").read_text())["runtime"]["options"]
    assert (FOLDER / options["virtualenv"]).resolve().parent == FOLDER.parents[1] or (
        FOLDER / options["virtualenv"]
    ).exists()
