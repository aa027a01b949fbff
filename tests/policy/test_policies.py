"""Each policy reports one sentence, and only about its own kind of resource."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, Severity, deserialize

from mig_fleet import policy
from mig_fleet.policies.all_policies import POLICIES as RULES
from mig_fleet.policy.objects import CLUSTER_POLICY
from mig_fleet.policy.secret_text import mark_secrets
from tests.policy.resources import (
    ASSIGNMENT,
    POLICIES,
    VERIFICATION,
    a_resource,
    a_wave,
    both_of_a_wave,
    secret,
    violations,
)

MANDATORY, ADVISORY = EnforcementLevel.MANDATORY, EnforcementLevel.ADVISORY
RELEASE = "kubernetes:helm.sh/v3:Release"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"

LEVELS = {
    "mig-blast-radius-limited": MANDATORY,
    "mig-budget-kept": MANDATORY,
    "mig-canary-required": MANDATORY,
    "mig-change-freeze": MANDATORY,
    "mig-chart-version-not-known-bad": MANDATORY,
    "mig-chart-version-pinned": ADVISORY,
    "mig-config-map-is-ours": MANDATORY,
    "mig-driver-serves-gpu": MANDATORY,
    "mig-enough-whole-gpus": MANDATORY,
    "mig-eviction-restricted": MANDATORY,
    "mig-gpu-models-approved": MANDATORY,
    "mig-layout-file-is-sound": MANDATORY,
    "mig-layout-fits-gpu": MANDATORY,
    "mig-max-unavailable-limited": MANDATORY,
    "mig-monitoring-present": ADVISORY,
    "mig-no-inline-credentials": MANDATORY,
    "mig-no-slices": MANDATORY,
    "mig-no-whole-gpus": MANDATORY,
    "mig-operator-serves-layouts": MANDATORY,
    "mig-dra-driver-is-static": MANDATORY,
    "mig-profiles-approved": MANDATORY,
    "mig-requests-offered": MANDATORY,
    "mig-strategy-serves-pools": MANDATORY,
    "mig-verification-present": MANDATORY,
}
"""Add every new policy here: users override policies by name and level."""


def test_every_policy_is_pinned_by_name_and_level() -> None:
    assert {name: each.enforcement_level for name, each in POLICIES.items()} == LEVELS


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_pulumi_gets_everything_that_describes_a_policy(name: str) -> None:
    found, (rule,) = POLICIES[name], [rule for rule in RULES if rule.name == name]
    assert (found.description, found.display_name, found.remediation_steps) == (rule.sentence, rule.title, rule.remedy)
    assert found.url == f"https://github.com/mig-fleet/mig-fleet/blob/main/docs/reference/policies.md#{name}"
    assert found.severity is Severity(rule.severity)
    assert found.tags == ["mig", *rule.tags]
    schema = found.config_schema
    assert (schema.properties if schema else {}) == rule.parameters.properties()
    assert not (schema and schema.required), "Pulumi would ask every user for it"


PROGRAM_KINDS = [ASSIGNMENT, VERIFICATION, RELEASE, CLUSTER_POLICY, CONFIG_MAP, "pulumi:pulumi:StackReference"]


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_a_sound_program_is_accepted(name: str) -> None:
    chart = a_resource(RELEASE, "gpu-operator", chart="gpu-operator", version="v26.7.0", values={"driver": {}})
    rules = a_resource(CONFIG_MAP, "rules", metadata={"name": "mig-fleet-rules"}, data={"a": "b"})
    assert violations(name, *both_of_a_wave(), chart, rules) == []


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_another_program_is_accepted(name: str) -> None:
    """With a value of every kind of policy, so that none is off."""
    (rule,) = (rule for rule in RULES if rule.name == name)
    others = [
        a_resource("kubernetes:core/v1:Secret", data={"a": secret("b")}),
        a_resource("kubernetes:apps/v1:Deployment", spec={"template": {"spec": {"containers": [{"name": "web"}]}}}),
        a_resource(RELEASE, chart="prometheus", repositoryOpts={"repo": "https://charts.example.com"}),
        a_resource("pulumi:pulumi:StackReference", outputs={"url": "https://example.com"}),
        a_resource("aws:s3/bucket:Bucket", acl="private"),
        a_resource("mig-fleet:index:Pool"),
    ]
    assert violations(name, *others, **rule.example) == []


def test_a_layout_that_cannot_be_placed_is_denied_in_one_sentence() -> None:
    wave = a_wave(gpus=[{"3g.40gb": 2.0, "1g.10gb": 1.0}])
    for kind in (ASSIGNMENT, VERIFICATION):
        (violation,) = violations("mig-layout-fits-gpu", a_resource(kind, **wave))
        assert violation.startswith("Pool 'inference-wave-0' must use a layout that fits an H100-80GB: ")
        assert violation.endswith(".")


def test_a_profile_the_gpu_does_not_have_is_denied() -> None:
    (violation,) = violations("mig-layout-fits-gpu", a_resource(ASSIGNMENT, **a_wave(gpus=[{"1g.5gb": 1.0}])))
    assert "1g.5gb" in violation


@pytest.mark.parametrize(("confirmed", "denials"), [({}, 1), ({"confirmed": {"names": "-lgip on tray-3"}}, 0)])
def test_a_name_that_boards_showed_is_accepted(confirmed: dict[str, Any], denials: int) -> None:
    wave = a_wave(gpu="GB200-186GB", gpus=[{"1g.23gb": 7.0}])
    wave["expected"] |= confirmed
    assert len(violations("mig-layout-fits-gpu", a_resource(ASSIGNMENT, **wave))) == denials


@pytest.mark.parametrize(
    ("kind", "props", "denials"),
    [
        (RELEASE, {"chart": "gpu-operator", "version": "v24.9.2", "values": {}}, 1),
        (RELEASE, {"chart": "gpu-operator", "version": "v24.9.2", "values": {"migManager": {"version": "v0.13.1"}}}, 0),
        (CLUSTER_POLICY, {"spec": {"migManager": {"version": "v0.12.1-ubuntu20.04"}}}, 1),
    ],
    ids=["a chart", "a newer MIG Manager in it", "a ClusterPolicy"],
)
def test_a_mig_manager_that_does_not_know_a_profile_is_denied(kind: str, props: dict[str, Any], denials: int) -> None:
    wave = both_of_a_wave(gpu="RTX-PRO-6000", gpus=[{"1g.24gb+gfx": 4.0}])
    assert len(violations("mig-operator-serves-layouts", *wave, a_resource(kind, **props))) == denials


def test_two_profiles_under_strategy_single_are_denied() -> None:
    wave = a_wave(gpus=[{"1g.10gb": 7.0}, {"2g.20gb": 3.0}], strategy="single")
    (violation,) = violations("mig-strategy-serves-pools", a_resource(ASSIGNMENT, **wave))
    assert "strategy single needs one profile per node" in violation


def test_a_configuration_that_cannot_be_used_is_denied_and_switches_nothing_off() -> None:
    wave = both_of_a_wave()[0]
    (violation,) = violations("mig-change-freeze", wave, weekly=["Mon 00:00/Tue 00:00"], timeZone="Mars")
    assert violation.startswith("The configuration of mig-change-freeze must be one that it can use: timeZone: must be")
    (violation,) = violations("mig-budget-kept", wave, perHourUSD=3.0)
    assert violation.endswith("perHourUSD: there is no such parameter; did you mean 'perHourUsd'?.")


@pytest.mark.parametrize(
    ("kind", "where", "who"), [(RELEASE, "values", "Release"), (CLUSTER_POLICY, "spec", "ClusterPolicy")]
)
def test_the_operators_own_config_map_is_denied(kind: str, where: str, who: str) -> None:
    values = {"migManager": {"config": {"name": "default-mig-parted-config"}}}
    props: dict[str, Any] = {where: values}
    (violation,) = violations("mig-config-map-is-ours", a_resource(kind, **props))
    assert f"{who} 'x' must name a ConfigMap of its own" in violation


FILE = """
version: v1
mig-configs:
  all-disabled: [{{devices: all, mig-enabled: false}}]
  dense: [{{device-filter: "0x233010DE", devices: all, mig-enabled: true, mig-devices: {{{profiles}}}}}]
"""


def violations_of_file(text: Any) -> list[str]:
    return violations("mig-layout-file-is-sound", a_resource(CONFIG_MAP, data={"config.yaml": text}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            FILE.format(profiles='"3g.40gb": 2, "1g.10gb": 1'),
            "impossible on H100-80GB: 3g.40gb ×2",
        ),
        (FILE.format(profiles='"1g.5gb": 7'), "mig-configs.dense[0]"),
        (FILE.format(profiles='"1g.10gb": 7').replace("all-disabled", "off"), "no config all-disabled"),
        (
            FILE.format(profiles='"1g.10gb": 7').rstrip("]\n") + ", {devices: [0], mig-enabled: false}]\n",
            "switches MIG off for GPU 0 of 0x233010DE, and entry 0 switches it on: mig-parted applies both, so every "
            "change fails",
        ),
        ("version: v2\nmig-configs: {}\n", "version: mig-parted refuses it: must be v1, found 'v2'"),
        ("mig-configs: [\n", "config.yaml:2: is not YAML: "),
    ],
)
def test_a_hand_written_layout_file_that_would_be_misread_is_denied(text: str, expected: str) -> None:
    (violation,) = violations_of_file(text)
    assert violation.startswith("ConfigMap 'x' must hold a sound layout file: config.yaml:")
    assert expected in violation


@pytest.mark.parametrize(
    "data", [{"config.yaml": FILE.format(profiles='"1g.10gb": 7')}, {"a": "mig-configs"}, {}, None]
)
def test_a_sound_layout_file_and_any_other_config_map_are_accepted(data: dict[str, str] | None) -> None:
    assert violations("mig-layout-file-is-sound", a_resource(CONFIG_MAP, data=data)) == []


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
    assert violations("mig-layout-file-is-sound", a_resource(CONFIG_MAP, data=data)) == [
        "ConfigMap 'x' must hold a sound layout file: config.yaml is secret, so its mistakes are not shown; "
        "run `mig-fleet check` on its file."
    ]


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("name", sorted(LEVELS))
@pytest.mark.parametrize("kind", [RELEASE, CLUSTER_POLICY, CONFIG_MAP])
def test_no_policy_prints_a_secret(name: str, kind: str) -> None:
    manager = {"migManager": {"config": {"name": "default-mig-parted-config"}, "env": SECRET}, "token": SECRET}
    resource = a_resource(
        kind,
        chart=secret(f"https://me:{SECRET}@charts/gpu-operator"),
        version=secret(f"1.8.0-{SECRET}"),
        values=secret({**manager, "driver": {"version": f"450.1.1-{SECRET}"}}),
        spec=manager,
        data=secret({SECRET: SECRET, "c": f"mig-configs: {SECRET}"}),
        repositoryOpts={"repo": f"https://me:{SECRET}@charts", "password": SECRET},
    )
    assert SECRET not in "".join(violations(name, resource, *both_of_a_wave()))


@pytest.mark.usefixtures("marked")
def test_credentials_are_denied_in_plain_text_and_accepted_as_secrets() -> None:
    address, contents = (
        f"https://me:{SECRET}@charts.example.com",
        f"users: [{{user: {{token: {SECRET}}}}}]\nkind: Config\n",
    )
    cases: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
        "repositoryOpts.repo": (RELEASE, lambda value: {"chart": "gpu-operator", "repositoryOpts": {"repo": value}}),
        "values.env[0].value": (
            RELEASE,
            lambda value: {"chart": "gpu-operator", "values": {"env": [{"value": value}]}},
        ),
        "kubeconfig": ("pulumi:providers:kubernetes", lambda value: {"kubeconfig": value}),
        "cluster.kubeconfig": (ASSIGNMENT, lambda value: {"cluster": {"kubeconfig": value}}),
    }
    for path, (kind, props) in cases.items():
        value = contents if "kubeconfig" in path else address
        (violation,) = violations("mig-no-inline-credentials", a_resource(kind, **props(value)))
        assert f"in plain text at {path};" in violation and SECRET not in violation
        assert violations("mig-no-inline-credentials", a_resource(kind, **props(secret(value)))) == []
    password = a_resource(RELEASE, chart="gpu-operator", repositoryOpts={"password": SECRET})
    assert "at repositoryOpts.password;" in violations("mig-no-inline-credentials", password)[0]


def test_the_policy_pack_marks_secrets() -> None:
    source = Path(str(policy.__file__)).with_name("__main__.py").read_text()
    assert source.index("mark_secrets()") < source.index("PolicyPack(\n")


def test_a_rule_about_one_resource_is_checked_before_it_changes() -> None:
    """A stack policy of Pulumi runs at the end: in an update that is after the change."""
    of_the_whole = {name for name, each in POLICIES.items() if not isinstance(each, ResourceValidationPolicy)}
    assert of_the_whole == {
        "mig-blast-radius-limited",
        "mig-budget-kept",
        "mig-canary-required",
        "mig-dra-driver-is-static",
        "mig-driver-serves-gpu",
        "mig-enough-whole-gpus",
        "mig-max-unavailable-limited",
        "mig-monitoring-present",
        "mig-operator-serves-layouts",
        "mig-requests-offered",
        "mig-verification-present",
    }
