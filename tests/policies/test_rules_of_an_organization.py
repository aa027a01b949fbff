"""Each rule of an organization reports one sentence for what breaks it, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from mig_fleet.model.finding import Level
from mig_fleet.model.strategy import Strategy
from mig_fleet.policies.all_policies import POLICIES
from mig_fleet.policies.credential_facts import PlainTexts
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.pool_facts import PoolFacts
from mig_fleet.policies.program_facts import ProgramFacts, Workload
from mig_fleet.policies.wave_facts import Impact
from tests.policies.facts import NOW, a_chart, a_program, a_wave

BY_NAME: dict[str, Policy[Any, Any]] = {str(policy.name): policy for policy in POLICIES}
WHOLE = (None, {"1g.10gb": 7})
CHANGED = Impact(("n1", "n2", "n3"), pods=5)
EVICTS = {"on_user_pods": "evict"}

BROKEN: list[tuple[str, dict[str, Any], Any, str]] = [
    (
        "mig-gpu-models-approved",
        {"models": ["A100-80GB"]},
        a_wave(),
        "wave 'chat-wave-0' must have GPUs of an approved model (A100-80GB); it has H100-80GB",
    ),
    (
        "mig-profiles-approved",
        {"profiles": ["3g.40gb"]},
        a_wave(gpus=({"3g.40gb": 1, "1g.10gb": 2}, None)),
        "must have slices of approved profiles (3g.40gb); it also has 1g.10gb",
    ),
    ("mig-no-whole-gpus", {"stacks": ["pro*"]}, a_wave(gpus=WHOLE), "in stack 'prod'; 2 GPUs are whole"),
    ("mig-no-slices", {"stacks": ["prod"]}, a_wave(), "must have whole GPUs only in stack 'prod'; it has 1g.10gb"),
    (
        "mig-enough-whole-gpus",
        {"atLeast": 5.0},
        a_program(a_wave(gpus=WHOLE), a_wave("train-wave-0", gpus=(None,))),
        "the stack must keep at least 5 GPUs whole; it keeps 4",
    ),
    (
        "mig-canary-required",
        {"fromNodes": 4},
        a_program(a_wave("chat-wave-00"), a_wave("chat-wave-01"), a_wave("small-wave-0")),
        "pool 'chat' must have a canary, because its number of nodes is 4; set `rollout.canary: 1`",
    ),
    (
        "mig-max-unavailable-limited",
        {"nodes": 3, "percent": 25},
        a_program(a_wave("chat-wave-00"), a_wave("chat-wave-01")),
        "pool 'chat' must change at most 1 of its 4 nodes at the same time; a wave has 2: "
        "set `rollout.maxUnavailable: 1`",
    ),
    (
        "mig-blast-radius-limited",
        {"nodes": 2},
        a_program(a_wave(impact=CHANGED), a_wave("train-wave-0", impact=replace(CHANGED, changed_nodes=("n3", "n4")))),
        "one update must change at most 2 nodes; this one changes 4: ",
    ),
    (
        "mig-blast-radius-limited",
        {"nodes": 3, "pods": 0},
        a_program(a_wave(impact=CHANGED)),
        "one update must take slices from at most 0 pods; this one takes them from 5: ",
    ),
    ("mig-eviction-restricted", {"eviction": "forbidden"}, a_wave(**EVICTS), "must not evict users' pods; set"),
    (
        "mig-eviction-restricted",
        {"eviction": "withDeadline", "deadlineSeconds": 599},
        a_wave(**EVICTS),
        "must evict users' pods within 599 s; its `rollout.timeout` is 600 s",
    ),
    ("mig-verification-present", {}, a_program(unverified=("chat",)), "wave 'chat' must be verified: "),
    ("mig-chart-version-pinned", {}, a_chart(version=""), "Release 'gpu-operator' must pin the version of its chart"),
    ("mig-chart-version-pinned", {}, a_chart(version="^26"), "found '^26'"),
    (
        "mig-chart-version-pinned",
        {},
        a_chart(chart="oci://registry/gpu-operator", version=">=25.3.0"),
        "found '>=25.3.0'",
    ),
    ("mig-chart-version-not-known-bad", {}, a_chart(version="v25.10.0"), "must not use 25.10.0: its container toolkit"),
    (
        "mig-chart-version-not-known-bad",
        {"versions": ["v26.7.0"]},
        a_chart(version="26.7.0"),
        "the configuration of the policy pack denies it",
    ),
    (
        "mig-driver-serves-gpu",
        {},
        a_program(charts=(a_chart(driver_version="510.47.03"),)),
        "driver 510.47.03 does not support MIG on H100-80GB of pool 'chat', which needs R525 (525.85.12)",
    ),
    (
        "mig-driver-serves-gpu",
        {},
        a_program(a_wave(gpus=WHOLE), charts=(a_chart(driver_version="570.148.08"),)),
        "leaves GPU pods of pool 'chat' Pending, because its nodes have slices and whole GPUs; use 570.172.08",
    ),
    (
        "mig-operator-serves-layouts",
        {},
        a_program(a_wave(gpus=({"1g.24gb+gfx": 4},)), charts=(a_chart(version="v24.3.0"),)),
        "must use MIG Manager v0.12.3 (GPU Operator v25.3.3) or newer for pool 'chat': an older one does not know "
        "1g.24gb+gfx (found 24.3.0)",
    ),
    (
        "mig-operator-serves-layouts",
        {},
        a_program(a_wave(gpus=({"2g.48gb-me": 2},)), charts=(a_chart(manager_version="v0.12.2-ubi9"),)),
        "an older one does not know 2g.48gb-me (found MIG Manager v0.12.2-ubi9)",
    ),
    (
        "mig-operator-serves-layouts",
        {},
        a_program(charts=(a_chart(version="v1.7.0"),)),
        "must use chart v23.6.0 or newer: the ClusterPolicy of an older one lacks fields that mig-fleet sets",
    ),
    (
        "mig-dra-driver-is-static",
        {},
        a_program(dynamic_mig=("Release 'dra'",)),
        "Release 'dra' must have the feature gate DynamicMIG off: at its start the driver destroys all slices",
    ),
    ("mig-monitoring-present", {}, a_program(is_monitored=False), "the stack must have alert rules for its slices"),
    (
        "mig-budget-kept",
        {"perHourUsd": 19.5},
        a_program(a_wave(), a_wave("train-wave-0")),
        "the stack must cost at most $19.50 per hour; its GPUs cost $20.00",
    ),
    (
        "mig-change-freeze",
        {"weekly": ["Wed 11:00/Wed 13:00"]},
        a_wave(impact=CHANGED),
        "must not change in the freeze Wed 11:00/Wed 13:00 (UTC); this update changes n1, n2, n3: ",
    ),
    (
        "mig-requests-offered",
        {},
        a_program(workloads=(Workload("Deployment", "web", ("nvidia.com/mig-1g.10gb", "nvidia.com/mig-2g.10gb")),)),
        "Deployment 'web' must request a resource that a layout offers: no layout has nvidia.com/mig-2g.10gb, so its "
        "pods would stay Pending; did you mean 'nvidia.com/mig-1g.10gb'?",
    ),
    (
        "mig-requests-offered",
        {},
        a_program(a_wave(strategy=Strategy.SINGLE), workloads=(Workload("Pod", "web", ("nvidia.com/mig-1g.10gb",)),)),
        "no layout has nvidia.com/mig-1g.10gb, so its pods would stay Pending; did you mean 'nvidia.com/gpu'?",
    ),
    (
        "mig-no-inline-credentials",
        {},
        PlainTexts("Release 'x'", (("repositoryOpts.repo", "https://me:s3cr3t@charts.example.com"),)),
        "Release 'x' must not have a password, token or key in plain text at repositoryOpts.repo",
    ),
    (
        "mig-no-inline-credentials",
        {},
        PlainTexts("Provider 'x'", (), (("kubeconfig", "users:\n- user: {token: s3cr3t}\n"),)),
        "Provider 'x' must not have a kubeconfig's credentials in plain text at kubeconfig",
    ),
]


@pytest.mark.parametrize(("name", "config", "facts", "text"), BROKEN, ids=[f"{row[0]} {row[1]}" for row in BROKEN])
def test_a_broken_rule_is_one_sentence(name: str, config: dict[str, Any], facts: Any, text: str) -> None:
    (finding,) = BY_NAME[name].findings(facts, config)
    assert text in finding.text
    assert finding.rule == name
    assert finding.level is Level.WRONG
    assert "s3cr3t" not in finding.text


def test_every_rule_that_has_parameters_is_broken_by_some_facts() -> None:
    rest = {name for name, policy in BY_NAME.items() if policy.facts is not PoolFacts} - {row[0] for row in BROKEN}
    assert rest == {"mig-config-map-is-ours", "mig-layout-file-is-sound"}, "test_rules.py has the others"


KEPT: list[tuple[str, dict[str, Any], Any, str]] = [
    ("mig-gpu-models-approved", {"models": ["NVIDIA H100 80GB HBM3"]}, a_wave(), "another name of the model"),
    ("mig-profiles-approved", {"profiles": ["1g.10gb"]}, a_wave(gpus=WHOLE), "a whole GPU has no profile"),
    ("mig-no-whole-gpus", {"stacks": ["dev", "dev-*"]}, a_wave(gpus=WHOLE), "another stack"),
    ("mig-no-slices", {"stacks": ["*"]}, a_wave(gpus=(None, None)), "whole GPUs"),
    ("mig-enough-whole-gpus", {"atLeast": 2}, a_program(a_wave(gpus=WHOLE)), "exactly enough"),
    ("mig-enough-whole-gpus", {"atLeast": 2}, ProgramFacts(), "a program without waves is not ours"),
    ("mig-canary-required", {"fromNodes": 4}, a_program(a_wave("chat-canary"), a_wave("chat-wave-0")), "a canary"),
    ("mig-max-unavailable-limited", {"percent": 10, "nodes": 2}, a_program(a_wave(nodes=("n1",))), "at least one node"),
    ("mig-blast-radius-limited", {"nodes": 3, "pods": 5}, a_program(a_wave(impact=CHANGED)), "exactly the limits"),
    ("mig-eviction-restricted", {"eviction": "forbidden"}, a_wave(on_user_pods="wait"), "no eviction"),
    ("mig-eviction-restricted", {"eviction": "withDeadline"}, a_wave(**EVICTS), "the default deadline is 1800 s"),
    ("mig-chart-version-pinned", {}, a_chart(chart="./charts/gpu-operator", version=""), "a folder has one version"),
    ("mig-chart-version-pinned", {}, a_chart(chart="https://x/gpu-operator-v26.7.0.tgz", version=""), "an archive"),
    ("mig-driver-serves-gpu", {}, a_program(charts=(a_chart(driver_version="525.85.12"),)), "the first driver"),
    ("mig-driver-serves-gpu", {}, a_program(charts=(a_chart(driver_version="525"),)), "a branch may be new enough"),
    ("mig-driver-serves-gpu", {}, a_program(charts=(a_chart(driver_version="570.148.08"),)), "no whole GPUs"),
    ("mig-operator-serves-layouts", {}, a_program(charts=(a_chart(version="v23.6.0"),)), "the first chart"),
    (
        "mig-operator-serves-layouts",
        {},
        a_program(a_wave(gpus=({"1g.24gb+me.all": 1},)), charts=(a_chart(version="v25.3.3"),)),
        "the first MIG Manager",
    ),
    (
        "mig-operator-serves-layouts",
        {},
        a_program(a_wave(gpus=({"1g.24gb-me": 1},)), charts=(a_chart(version="v25.3.0", manager_version="v0.12.3"),)),
        "an older chart with a newer MIG Manager",
    ),
    (
        "mig-operator-serves-layouts",
        {},
        a_program(a_wave(gpus=({"1g.10gb+me": 1},)), charts=(a_chart(version="v24.3.0"),)),
        "older MIG Managers know +me",
    ),
    ("mig-operator-serves-layouts", {}, a_program(charts=(a_chart(chart="./x", version="v1.0.0"),)), "a folder"),
    ("mig-monitoring-present", {}, ProgramFacts(), "a program without waves is not ours"),
    ("mig-change-freeze", {"weekly": ["Wed 11:00/Wed 13:00"]}, a_wave(), "no node changes"),
    (
        "mig-requests-offered",
        {"alsoOffered": ["nvidia.com/mig-1g.5gb"]},
        a_program(workloads=(Workload("Pod", "web", ("nvidia.com/mig-1g.5gb",)),)),
        "nodes outside of the stack",
    ),
    (
        "mig-requests-offered",
        {},
        a_program(
            workloads=(Workload("Pod", "web", ("nvidia.com/mig-2g.20gb",)),),
            offered_elsewhere=frozenset({"nvidia.com/mig-2g.20gb"}),
        ),
        "a referenced stack",
    ),
    (
        "mig-requests-offered",
        {},
        ProgramFacts(workloads=(Workload("Pod", "web", ("nvidia.com/mig-2g.20gb",)),)),
        "another program, which knows no layout",
    ),
    (
        "mig-requests-offered",
        {},
        a_program(a_wave(gpus=({"1g.10gb+me": 1},)), workloads=(Workload("Pod", "w", ("nvidia.com/mig-1g.10gb.me",)),)),
        "the resource's own spelling of a profile",
    ),
    (
        "mig-no-inline-credentials",
        {},
        PlainTexts("Provider 'x'", (("a", "nvcr.io/nvidia:tag"),), (("kubeconfig", "users:\n- user: {exec: {}}\n"),)),
        "a kubeconfig whose credentials come from a command",
    ),
]


@pytest.mark.parametrize(("name", "config", "facts", "reason"), KEPT, ids=[f"{row[0]}: {row[3]}" for row in KEPT])
def test_a_kept_rule_is_silent(name: str, config: dict[str, Any], facts: Any, reason: str) -> None:
    assert BY_NAME[name].findings(facts, config) == [], reason


UNKNOWN: list[tuple[str, dict[str, Any], Any, str]] = [
    ("mig-enough-whole-gpus", {"atLeast": 3}, a_program(unread=("x",)), "'x' must have nodes and a layout that are"),
    ("mig-canary-required", {"fromNodes": 9}, a_program(unread=("x",)), "'x' must have nodes and a layout that are"),
    ("mig-max-unavailable-limited", {"nodes": 9}, a_program(unread=("x",)), "'x' must have nodes and a layout that"),
    ("mig-blast-radius-limited", {"nodes": 9}, a_program(unread=("x",)), "'x' must have nodes and a layout that are"),
    ("mig-budget-kept", {"perHourUsd": 99}, a_program(unread=("x",)), "'x' must have nodes and a layout that are"),
    ("mig-budget-kept", {"perHourUsd": 99}, a_program(a_wave(cost_per_hour=None)), "H100-80GB must have a price"),
    (
        "mig-blast-radius-limited",
        {"pods": 9},
        a_program(a_wave(impact=None), a_wave("train-wave-0", impact=None)),
        "the impact on chat-wave-0, train-wave-0 must be known",
    ),
    ("mig-change-freeze", {"weekly": ["Mon 00:00/Sun 23:59"]}, a_wave(impact=None), "and its impact is not known"),
    (
        "mig-driver-serves-gpu",
        {},
        a_program(charts=(a_chart(driver_version=None),)),
        "must set a driver.version that is known in a preview",
    ),
]


@pytest.mark.parametrize(("name", "config", "facts", "text"), UNKNOWN, ids=[f"{row[0]} {row[3]}" for row in UNKNOWN])
def test_what_is_not_known_is_denied_where_a_sum_needs_it(
    name: str, config: dict[str, Any], facts: Any, text: str
) -> None:
    (finding,) = BY_NAME[name].findings(facts, config)
    assert finding.level is Level.UNPROVEN
    assert text in finding.text


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("mig-chart-version-pinned", a_chart(version=None)),
        ("mig-chart-version-not-known-bad", a_chart(version=None)),
        ("mig-config-map-is-ours", a_chart(config_map=None)),
        ("mig-eviction-restricted", a_wave(on_user_pods=None)),
        ("mig-operator-serves-layouts", a_program(charts=(a_chart(version=None),))),
        (
            "mig-operator-serves-layouts",
            a_program(a_wave(gpus=({"1g.24gb-me": 1},)), charts=(a_chart(version="v25.3.0", manager_version=None),)),
        ),
        ("mig-requests-offered", a_program(unread=("x",), workloads=(Workload("Pod", "w", ("nvidia.com/mig-x",)),))),
        (
            "mig-requests-offered",
            a_program(offered_elsewhere=None, workloads=(Workload("Pod", "w", ("nvidia.com/mig-x",)),)),
        ),
    ],
)
def test_what_the_update_decides_again_is_accepted_while_it_is_not_known(name: str, facts: Any) -> None:
    config = {"eviction": "forbidden"} if name == "mig-eviction-restricted" else {}
    assert BY_NAME[name].findings(facts, config) == []


def test_a_secret_version_is_denied_without_its_value() -> None:
    (bad,) = BY_NAME["mig-chart-version-not-known-bad"].findings(a_chart(version="25.10.0", secret=True), {})
    (unpinned,) = BY_NAME["mig-chart-version-pinned"].findings(a_chart(version="^25", secret=True), {})
    old = a_program(charts=(a_chart(version="v22.9.0", driver_version="510.47.03", secret=True),))
    (driver,) = BY_NAME["mig-driver-serves-gpu"].findings(old, {})
    (operator,) = BY_NAME["mig-operator-serves-layouts"].findings(old, {})
    found = (bad, unpinned, driver, operator)
    assert not any(value in it.text for it in found for value in ("25.10.0", "^25", "510.47", "22.9"))


@pytest.mark.parametrize("name", sorted(name for name, policy in BY_NAME.items() if policy.needs))
def test_a_policy_without_what_it_needs_checks_nothing(name: str) -> None:
    unknown = a_wave(impact=None, cost_per_hour=None, **EVICTS), a_program(a_wave(impact=None), unread=("x",))
    facts = unknown[BY_NAME[name].facts is ProgramFacts]
    assert BY_NAME[name].findings(facts, {}) == []
    assert NOW.tzinfo is not None
