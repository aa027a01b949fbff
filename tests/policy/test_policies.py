"""Each policy is a sentence, and each says it about the right resource."""

import importlib
import pkgutil
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel

from mig_fleet import policy
from mig_fleet.policy.config_map_is_ours import CLUSTER_POLICY, RELEASE
from mig_fleet.policy.waves import VERIFICATION
from tests.hostile import BOMB, HOSTILE

POLICIES = {
    "mig-config-map-is-ours": EnforcementLevel.MANDATORY,
    "mig-layout-file-is-sound": EnforcementLevel.MANDATORY,
    "mig-layout-fits-gpu": EnforcementLevel.MANDATORY,
    "mig-strategy-serves-pools": EnforcementLevel.MANDATORY,
}
"""A new policy belongs here; names and levels are what users override."""


def every_policy() -> dict[str, Any]:
    modules = (importlib.import_module(f"mig_fleet.policy.{m.name}") for m in pkgutil.iter_modules(policy.__path__)
               if m.name not in ("__main__", "reading", "waves"))  # fmt: skip
    return {module.policy.name: module.policy for module in modules}


def violations(name: str, resource_type: str, props: dict[str, Any]) -> list[str]:
    found: list[str] = []
    args = SimpleNamespace(resource_type=resource_type, props=props, urn="urn:x", name="x")
    every_policy()[name].validate(args, lambda message, _urn: found.append(message))
    return found


def a_wave(**changes: Any) -> dict[str, Any]:
    """A wave that keeps every rule; numbers are floats, as policies receive them."""
    expected = {"gpu": "H100-80GB", "gpus": [{"1g.10gb": 7.0}] * 2, "strategy": "mixed", **changes}
    return {"wave": "inference-wave-0", "expected": expected}


def test_every_policy_is_pinned_by_name_and_level() -> None:
    assert {name: p.enforcement_level for name, p in every_policy().items()} == POLICIES


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_wave_that_keeps_the_rules_is_let_through(name: str) -> None:
    assert violations(name, VERIFICATION, a_wave()) == []


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_resources_of_other_kinds_are_let_through(name: str) -> None:
    assert violations(name, "kubernetes:core/v1:Secret", {}) == []


def test_a_layout_that_cannot_be_placed_is_denied_in_one_sentence() -> None:
    (said,) = violations("mig-layout-fits-gpu", VERIFICATION, a_wave(gpus=[{"3g.40gb": 2.0, "1g.10gb": 1.0}]))
    assert said.startswith("Pool 'inference-wave-0' must use a layout that fits an H100-80GB: ")
    assert said.endswith(".")


def test_a_profile_the_gpu_does_not_have_is_denied() -> None:
    (said,) = violations("mig-layout-fits-gpu", VERIFICATION, a_wave(gpus=[{"1g.5gb": 1.0}]))
    assert "1g.5gb" in said


def test_two_profiles_under_strategy_single_are_denied() -> None:
    wave = a_wave(gpus=[{"1g.10gb": 7.0}, {"2g.20gb": 3.0}], strategy="single")
    (said,) = violations("mig-strategy-serves-pools", VERIFICATION, wave)
    assert "strategy single needs one profile per node" in said


@pytest.mark.parametrize(
    ("kind", "where", "who"), [(RELEASE, "values", "Release"), (CLUSTER_POLICY, "spec", "ClusterPolicy")]
)
def test_the_operators_own_config_map_is_denied(kind: str, where: str, who: str) -> None:
    values = {"migManager": {"config": {"name": "default-mig-parted-config"}}}
    (said,) = violations("mig-config-map-is-ours", kind, {where: values})
    assert f"{who} 'x' must name a ConfigMap of its own" in said


FILE = """
version: v1
mig-configs:
  all-disabled: [{{devices: all, mig-enabled: false}}]
  dense: [{{device-filter: "0x233010DE", devices: all, mig-enabled: true, mig-devices: {{{profiles}}}}}]
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            FILE.format(profiles='"3g.40gb": 2, "1g.10gb": 1'),
            "cannot be on H100-80GB: 3g.40gb ×2",
        ),
        (FILE.format(profiles='"1g.5gb": 7'), "mig-configs.dense[0]"),
        (FILE.format(profiles='"1g.10gb": 7').replace("all-disabled", "off"), "no config all-disabled"),
        ("version: v2\nmig-configs: {}\n", "not a mig-parted file: version: must be v1, found 'v2'"),
        ("mig-configs: [\n", "while parsing a flow"),
    ],
)
def test_a_layout_file_by_hand_that_would_be_misread_is_denied(text: str, says: str) -> None:
    (said,) = violations("mig-layout-file-is-sound", "kubernetes:core/v1:ConfigMap", {"data": {"config.yaml": text}})
    assert said.startswith("ConfigMap 'x' must hold a layout file that does what it says: config.yaml: ")
    assert says in said


@pytest.mark.parametrize(
    "data", [{"config.yaml": FILE.format(profiles='"1g.10gb": 7')}, {"a": "mig-configs"}, {}, None]
)
def test_a_sound_layout_file_and_any_other_config_map_are_let_through(data: dict[str, str] | None) -> None:
    assert violations("mig-layout-file-is-sound", "kubernetes:core/v1:ConfigMap", {"data": data}) == []


def said_of(text: str) -> list[str]:
    return violations("mig-layout-file-is-sound", "kubernetes:core/v1:ConfigMap", {"data": {"config.yaml": text}})


MERGED = "".join(f"- &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}], k{n}: 1}}\n" for n in range(1, 9))
"""Merge keys multiply while they are built."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mig-configs: " + "[" * 5000, "config.yaml: line 1: is nested more than 64 levels deep."),
        (f"{BOMB}mig-configs: *i\n", "line 5: holds more than 100000 values once its aliases are written out."),
        (f"mig-configs:\n- &m0 {{a: 1}}\n{MERGED}", "holds more than 100000 values once its aliases"),
        ("mig-configs: &a [*a]\n", "line 1: *a refers to nothing that ends before it."),
        (f"mig-configs: 1{':1' * 500_000}\n", "line 1: holds a number of 1000001 digits."),
        (
            f"mig-configs: 1{':1' * 190}.5\n",
            "holds a value that is not what its tag (!!int, !!bool and the like) says.",
        ),
        ("mig-configs: !!bool foo\n", "holds a value that is not what its tag"),
        (f"mig-configs: {'x' * (1 << 20)}", "config.yaml: is larger than 1 MiB, more than a ConfigMap can hold."),
        ("version: v1\nmig-configs: {a: 1, b: 2}\n---\nmore: 1\n", "is not YAML: expected a single document"),
    ],
    ids=["deep", "bomb", "merged bomb", "in itself", "by sixties", "no float", "no bool", "large", "two documents"],
)
def test_a_layout_file_that_would_blow_up_is_denied_in_one_sentence(text: str, says: str) -> None:
    (said,) = said_of(text)
    assert said.startswith("ConfigMap 'x' must hold a layout file that does what it says: config.yaml: ")
    assert says in said
    assert len(said) < 400


@pytest.mark.parametrize(("content", "says"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_that_speaks_of_layouts_is_one_sentence_at_most_and_no_traceback(
    content: bytes, says: str
) -> None:
    said = said_of(content.decode(errors="replace") + "\n# mig-configs")
    would_blow_up = "larger" in says or "more than" in says or "is not YAML" in says
    assert (len(said) == 1) if would_blow_up else (len(said) <= 1)


def test_a_key_that_stands_twice_is_denied_at_its_line() -> None:
    text = FILE.format(profiles='"1g.10gb": 6, "1g.10gb": 7')
    (said,) = said_of(text)
    assert said.endswith("config.yaml: line 5: 1g.10gb stands there twice.")
    assert said_of("a: 1\na: 2\n# mig-configs\n") == [], "this is no layout file"


def test_aliases_that_do_not_grow_are_let_through() -> None:
    file = FILE.format(profiles='"1g.10gb": 7').replace("dense: [", "dense: &dense [")
    assert said_of(f"{file}  also: *dense\n") == []
    assert said_of(f"{file}  merged: [{{<<: {{devices: all}}, <<: {{mig-enabled: false}}}}]\n") == []
