"""What Kubernetes, the chart or a verification would refuse later is refused in the stack file, with its path."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydantic import BaseModel

from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.settings import Settings

NOT_A_VALUE = (
    "is not a label value: at most 63 letters, digits, -, _ and ., with a letter or digit at the start and end"
)
CONTENTS = "apiVersion: v1\nusers:\n- user: {token: s3cret}\n"


def a_stack(**changes: Any) -> dict[str, Any]:
    """A stack file that works."""
    pool = {"gpu": "H100-80GB", "gpusPerNode": 8, "nodes": ["n1"], "layout": "dense"}
    layouts = {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}}
    return {"cluster": {"context": "c"}, "layouts": layouts, "pools": {"p": pool}, **changes}


def problems(raw: dict[str, Any], *secrets: str) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        fleet.parse(raw, "x", frozenset(secrets))
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize("section", ["operator", "probe"])
@pytest.mark.parametrize("name", ["GPU", "gpu_operator", "-gpu", "gpu-", "gpu.operator", "", "g" * 64])
def test_a_namespace_must_have_a_valid_name(section: str, name: str) -> None:
    (found,) = problems(a_stack(**{section: {"namespace": name}}))
    assert found.startswith(f"{section}.namespace: must be a namespace name: at most 63 of a-z, 0-9 and -")


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({"team lead": "x"}, "'team lead' is not a label name; names look like release or example.com/team"),
        ({"a/b/c": "x"}, "'a/b/c' is not a label name; names look like release or example.com/team"),
        ({"/team": "x"}, "'/team' is not a label name; names look like release or example.com/team"),
        ({"x" * 64: "x"}, f"{'x' * 64!r:.57}... is not a label name; names look like release or example.com/team"),
        ({"team": "a b"}, f"'a b' {NOT_A_VALUE}"),
        ({"team": "-a"}, f"'-a' {NOT_A_VALUE}"),
    ],
)
def test_labels_must_be_valid_in_kubernetes(labels: dict[str, str], text: str) -> None:
    assert problems(a_stack(monitoring={"monitorLabels": labels})) == [f"monitoring.monitorLabels: {text}"]
    selector = {"gpu": "H100-80GB", "gpusPerNode": 8, "layout": "dense", "selector": {"matchLabels": labels}}
    assert problems(a_stack(pools={"p": selector}))[0] == f"pools.p.selector.matchLabels: {text}"


def test_valid_labels_and_names_are_accepted() -> None:
    labels = {"release": "prometheus", "example.com/Team_1": "", "a": "1.2-b_C"}
    settings = fleet.parse(a_stack(monitoring={"monitorLabels": labels}, operator={"namespace": "gpu-1"}), "x").settings
    assert settings.monitoring.monitor_labels == labels and settings.operator.namespace == "gpu-1"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"monitoring": True}, "monitoring: must be a mapping; its keys: alerts, costBasis, dashboardLabels"),
        ({"operator": "helm"}, "operator: must be a mapping; its keys: allocation, chart, claimTemplates"),
        ({"pools": {"p": 8}}, "pools.p: must be a mapping; its keys: configName, gpu, gpusPerNode, layout, nodes"),
        ({"pools": ["p"]}, "pools: must be a mapping such as {name: value} (found ['p'])"),
        ({"prices": 2.5}, "prices: must be a mapping such as {name: value} (found 2.5)"),
        ({"monitoring": {"monitorLabels": "release=kps"}}, "monitoring.monitorLabels: must be a mapping such as {name"),
        ({"monitoring": {"serviceMonitor": "yes"}}, "monitoring.serviceMonitor: must be true or false (found 'yes')"),
        (
            {"monitoring": {"alerts": {"sliceIdle": {"exceptNamespaces": "notebooks"}}}},
            "monitoring.alerts.sliceIdle.exceptNamespaces: must be a list such as [a, b] (found 'notebooks')",
        ),
        *(
            (
                {"monitoring": {"alerts": value}},
                "monitoring.alerts: must be a mapping; {sliceIdle: false} turns that alert off, and `rules: none` "
                f"every one (found {value})",
            )
            for value in (False, True, None)
        ),
        ({"monitoring": {"folder": 3}}, "monitoring.folder: must be text; a number, true or false needs quotes"),
        ({"prices": {"H100-80GB": "2"}}, "prices.H100-80GB: must be a number such as 0.5 (found '2')"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused_in_words_of_yaml(keys: dict[str, Any], text: str) -> None:
    (found,) = problems(a_stack(**keys))
    assert found.startswith(text), found


def test_each_setting_refuses_a_value_of_the_wrong_type_in_words_of_yaml() -> None:
    """Whatever type a setting has, no message has a word of Python for it."""
    stack = a_stack(operator={}, probe={}, cluster={}, prices={}, monitoring={"alerts": {}})
    stack["pools"]["p"]["rollout"] = {}
    checked = 0
    for path in every_setting(Settings):
        for wrong in (True, 3, "x", [1], {"x": 1}, None):
            raw = deepcopy(stack)
            here: Any = raw
            for part in path[:-1]:
                here = here.setdefault(part, {})
            here[path[-1]] = wrong
            try:
                fleet.parse(raw, "x")
            except InvalidSettings as refused:
                text = str(refused)
                checked += 1
                assert not re.search(r"\bvalid |dictionary|tuple|boolean|integer|instance of", text), text
    assert checked > 200


def every_setting(model: type[BaseModel], *path: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        yield here
        members = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for member in members:
            if isinstance(member, type) and issubclass(member, BaseModel):
                yield from every_setting(member, *here, *(["p"] if name == "pools" else []))


@pytest.mark.parametrize("interval", ["61s", "2m", "1h"])
def test_a_probe_must_report_often_enough_for_a_verification(interval: str) -> None:
    assert problems(a_stack(probe={"interval": interval})) == [
        f"probe.interval: must be at most 60s: an update waits two minutes for correct reports (found '{interval}')"
    ]


@pytest.mark.parametrize("contents", [CONTENTS, '{"apiVersion": "v1", "token": "s3cret"}'])
def test_the_contents_of_a_kubeconfig_are_refused_and_not_printed(contents: str) -> None:
    assert problems(a_stack(cluster={"kubeconfig": contents})) == [
        "cluster.kubeconfig: must be a path to a kubeconfig, not its contents"
    ]


def test_contradicting_chart_values_are_reported_with_all_other_mistakes() -> None:
    raw = a_stack(operator={"values": {"mig": {"strategy": "single"}, "daemonsets": {"tolerations": {}}}}, prizes={})
    assert problems(raw) == [
        "operator.values.daemonsets.tolerations: must be a list of tolerations; mig-fleet adds the tolerations that it "
        "needs",
        "operator.values.mig.strategy: must be 'mixed'; remove the value, and set operator.strategy (found 'single')",
        "prizes: unknown key; did you mean 'prices'?",
    ]


def test_values_of_a_secret_section_are_not_printed() -> None:
    values = {"mig": {"strategy": "s3cret"}}
    for operator in ({"values": values}, {"timeout": "s3cret"}, {"namespace": "S3CRET"}):
        (found,) = problems(a_stack(operator=operator), "operator")
        assert "s3cret" not in found.lower(), found
