"""Each policy reports one sentence, and only about its own kind of resource."""

import importlib
import pkgutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel, deserialize

from mig_fleet import policy
from mig_fleet.policy.config_map_is_ours import CLUSTER_POLICY, RELEASE
from mig_fleet.policy.secret_text import mark_secrets
from mig_fleet.policy.waves import VERIFICATION

POLICIES = {
    "mig-config-map-is-ours": EnforcementLevel.MANDATORY,
    "mig-layout-file-is-sound": EnforcementLevel.MANDATORY,
    "mig-layout-fits-gpu": EnforcementLevel.MANDATORY,
    "mig-strategy-serves-pools": EnforcementLevel.MANDATORY,
}
"""Add every new policy here: users override policies by name and level."""


def every_policy() -> dict[str, Any]:
    modules = (importlib.import_module(f"mig_fleet.policy.{m.name}") for m in pkgutil.iter_modules(policy.__path__)
               if m.name not in ("__main__", "secret_text", "waves"))  # fmt: skip
    return {module.policy.name: module.policy for module in modules}


def violations(name: str, resource_type: str, props: dict[str, Any]) -> list[str]:
    found: list[str] = []
    args = SimpleNamespace(resource_type=resource_type, props=props, urn="urn:x", name="x")
    every_policy()[name].validate(args, lambda message, _urn: found.append(message))
    return found


def a_wave(**changes: Any) -> dict[str, Any]:
    """A wave that keeps every rule; numbers are floats, as policies receive them."""
    expected = {
        "config": "dense-1c0ffee2",
        "gpu": "H100-80GB",
        "gpus": [{"1g.10gb": 7.0}] * 2,
        "allocatable": {"nvidia.com/mig-1g.10gb": 14.0},
        "labels": {"nvidia.com/mig-1g.10gb.count": "14"},
        "strategy": "mixed",
        **changes,
    }
    return {"wave": "inference-wave-0", "expected": expected}


def test_every_policy_is_pinned_by_name_and_level() -> None:
    assert {name: p.enforcement_level for name, p in every_policy().items()} == POLICIES


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_wave_that_keeps_the_rules_is_accepted(name: str) -> None:
    assert violations(name, VERIFICATION, a_wave()) == []


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_resources_of_other_kinds_are_ignored(name: str) -> None:
    assert violations(name, "kubernetes:core/v1:Secret", {}) == []


def test_a_layout_that_cannot_be_placed_is_denied_in_one_sentence() -> None:
    (violation,) = violations("mig-layout-fits-gpu", VERIFICATION, a_wave(gpus=[{"3g.40gb": 2.0, "1g.10gb": 1.0}]))
    assert violation.startswith("Pool 'inference-wave-0' must use a layout that fits an H100-80GB: ")
    assert violation.endswith(".")


def test_a_profile_the_gpu_does_not_have_is_denied() -> None:
    (violation,) = violations("mig-layout-fits-gpu", VERIFICATION, a_wave(gpus=[{"1g.5gb": 1.0}]))
    assert "1g.5gb" in violation


def test_two_profiles_under_strategy_single_are_denied() -> None:
    wave = a_wave(gpus=[{"1g.10gb": 7.0}, {"2g.20gb": 3.0}], strategy="single")
    (violation,) = violations("mig-strategy-serves-pools", VERIFICATION, wave)
    assert "strategy single needs one profile per node" in violation


@pytest.mark.parametrize(
    ("kind", "where", "who"), [(RELEASE, "values", "Release"), (CLUSTER_POLICY, "spec", "ClusterPolicy")]
)
def test_the_operators_own_config_map_is_denied(kind: str, where: str, who: str) -> None:
    values = {"migManager": {"config": {"name": "default-mig-parted-config"}}}
    (violation,) = violations("mig-config-map-is-ours", kind, {where: values})
    assert f"{who} 'x' must name a ConfigMap of its own" in violation


FILE = """
version: v1
mig-configs:
  all-disabled: [{{devices: all, mig-enabled: false}}]
  dense: [{{device-filter: "0x233010DE", devices: all, mig-enabled: true, mig-devices: {{{profiles}}}}}]
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            FILE.format(profiles='"3g.40gb": 2, "1g.10gb": 1'),
            "impossible on H100-80GB: 3g.40gb ×2",
        ),
        (FILE.format(profiles='"1g.5gb": 7'), "mig-configs.dense[0]"),
        (FILE.format(profiles='"1g.10gb": 7').replace("all-disabled", "off"), "no config all-disabled"),
        ("version: v2\nmig-configs: {}\n", "version: mig-parted refuses it: must be v1, found 'v2'"),
        ("mig-configs: [\n", "config.yaml:2: is not YAML: "),
    ],
)
def test_a_hand_written_layout_file_that_would_be_misread_is_denied(text: str, expected: str) -> None:
    (violation,) = violations(
        "mig-layout-file-is-sound", "kubernetes:core/v1:ConfigMap", {"data": {"config.yaml": text}}
    )
    assert violation.startswith("ConfigMap 'x' must hold a sound layout file: config.yaml:")
    assert expected in violation


@pytest.mark.parametrize(
    "data", [{"config.yaml": FILE.format(profiles='"1g.10gb": 7')}, {"a": "mig-configs"}, {}, None]
)
def test_a_sound_layout_file_and_any_other_config_map_are_accepted(data: dict[str, str] | None) -> None:
    assert violations("mig-layout-file-is-sound", "kubernetes:core/v1:ConfigMap", {"data": data}) == []


def violations_of_file(text: str) -> list[str]:
    return violations("mig-layout-file-is-sound", "kubernetes:core/v1:ConfigMap", {"data": {"config.yaml": text}})


def test_a_duplicate_key_is_denied_with_its_line() -> None:
    text = FILE.format(profiles='"1g.10gb": 6, "1g.10gb": 7')
    (violation,) = violations_of_file(text)
    assert violation.endswith("config.yaml:5: duplicate key '1g.10gb'.")
    assert violations_of_file("a: 1\na: 2\n# mig-configs\n") == [], "this is no layout file"


def test_aliases_with_little_content_are_accepted() -> None:
    file = FILE.format(profiles='"1g.10gb": 7').replace("dense: [", "dense: &dense [")
    assert violations_of_file(f"{file}  also: *dense\n") == []
    assert violations_of_file(f"{file}  merged: [{{<<: {{devices: all}}, <<: {{mig-enabled: false}}}}]\n") == []


SECRET = "s3cr3tMARKER"


def secret(value: Any) -> dict[str, Any]:
    """A secret as the engine sends it."""
    return {deserialize.SPECIAL_SIG_KEY: deserialize.SPECIAL_SECRET_SIG, "value": value}


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are marked, as in the policy pack, until the end of the test."""
    monkeypatch.setattr(deserialize, "_deserialize_property", deserialize._deserialize_property)
    mark_secrets()


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize(
    "text",
    [
        FILE.format(profiles='"1g.10gb": 7').replace("v1", SECRET),
        FILE.format(profiles=f'"{SECRET}": 7'),
        f"mig-configs: *{SECRET}\n",
        f"mig-configs: !!int {SECRET}\n",
    ],
)
@pytest.mark.parametrize("whole", [True, False], ids=["the data", "one text"])
def test_a_secret_layout_file_is_denied_without_a_word_of_it(text: str, whole: bool) -> None:
    data = secret({"config.yaml": text}) if whole else {"config.yaml": secret(text)}
    props = deserialize.deserialize_properties({"data": data})
    assert violations("mig-layout-file-is-sound", "kubernetes:core/v1:ConfigMap", props) == [
        "ConfigMap 'x' must hold a sound layout file: config.yaml is secret, so its mistakes are not shown; "
        "run `mig-fleet check` on its file."
    ]


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("name", sorted(POLICIES))
@pytest.mark.parametrize("kind", [RELEASE, CLUSTER_POLICY, "kubernetes:core/v1:ConfigMap"])
def test_no_policy_prints_a_secret(name: str, kind: str) -> None:
    manager = {"migManager": {"config": {"name": "default-mig-parted-config"}, "env": SECRET}, "token": SECRET}
    props = {
        "values": secret(manager),
        "spec": manager,
        "data": secret({SECRET: SECRET, "c": f"mig-configs: {SECRET}"}),
    }
    assert SECRET not in "".join(violations(name, kind, deserialize.deserialize_properties(props)))


def test_the_policy_pack_marks_secrets() -> None:
    source = Path(str(policy.__file__)).with_name("__main__.py").read_text()
    assert source.index("mark_secrets()") < source.index("PolicyPack(\n")
