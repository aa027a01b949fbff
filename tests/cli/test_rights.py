"""`mig-fleet rights`: roles for the user of a stack, ready for `kubectl apply`."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from mig_fleet.cli.__main__ import main
from mig_fleet.observed.rights.grant import Use
from mig_fleet.stack_file import fleet as fleets
from mig_fleet.stack_file.uses import uses

LAYOUTS = {"dense": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}}}
POOL = {"gpu": "H100-80GB", "gpusPerNode": 8, "layout": "dense"}
NAMED = {**POOL, "nodes": ["n1"]}
SELECTED = {**POOL, "selector": {"matchLabels": {"kind": "gpu"}}, "rollout": {"recovery": False}}


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["rights", *map(str, words)], prog_name="mig-fleet")


def a_stack(folder: Path, rollout: dict[str, Any] | None = None, **sections: Any) -> Path:
    pools = {"a": {**NAMED, "rollout": rollout or {}}, **sections.pop("pools", {})}
    cluster = {"context": "c", **sections.pop("cluster", {})}
    config = {"cluster": cluster, "layouts": LAYOUTS, "pools": pools, **sections}
    path = folder / "Pulumi.new.yaml"
    path.write_text(yaml.safe_dump({"config": {f"mig-fleet:{key}": value for key, value in config.items()}}))
    return path


def documents(*words: object) -> list[dict[str, Any]]:
    found = run(*words)
    assert found.exit_code == 0, found.output
    return list(yaml.safe_load_all(found.stdout))


def test_the_roles_are_yaml_with_the_commands_that_give_them_to_a_user() -> None:
    assert [(it["kind"], it["metadata"]["name"], it["metadata"].get("namespace")) for it in documents()] == [
        ("Namespace", "gpu-operator", None),
        ("Namespace", "mig-fleet", None),
        ("ClusterRole", "mig-fleet", None),
        ("Role", "mig-fleet", "gpu-operator"),
        ("Role", "mig-fleet", "mig-fleet"),
    ]
    assert "#   kubectl -n gpu-operator create rolebinding mig-fleet --role mig-fleet --user USER" in run().stdout


def test_the_namespace_of_another_operator_is_left_alone(tmp_path: Path) -> None:
    path = a_stack(tmp_path, operator={"managed": False, "namespace": "nvidia"})
    found = [(it["kind"], it["metadata"].get("namespace", it["metadata"]["name"])) for it in documents("--file", path)]
    assert found == [
        ("Namespace", "mig-fleet"),
        ("ClusterRole", "mig-fleet"),
        ("Role", "mig-fleet"),
        ("Role", "nvidia"),
    ]


def test_a_user_for_previews_gets_no_right_to_change_anything() -> None:
    rules = [rule for it in documents("--preview") for rule in it.get("rules", ())]
    writing = [rule for rule in rules if not set(rule["verbs"]) <= {"get", "list"}]
    assert [(rule["resources"], rule["verbs"]) for rule in writing] == [(["subjectaccessreviews"], ["create"])]
    assert not any("pods/exec" in rule["resources"] for rule in rules)


@pytest.mark.parametrize(
    ("use", "settings"),
    [
        (Use.EVICTION, {"rollout": {"onUserPods": "evict", "recovery": False}}),
        (Use.RECOVERY, {"rollout": {"recovery": True}}),
        (Use.OPERATOR, {"operator": {"managed": True}}),
        (Use.TAKE_OVER, {"cluster": {"takeOver": "acme/gpus/prod"}}),
        (Use.ALERT_RULES, {"monitoring": {"rules": "prometheusRule"}}),
        (Use.DASHBOARDS, {"monitoring": {"dashboards": "grafanaOperator", "grafanaInstances": {"dashboards": "gpu"}}}),
        (Use.MODEL_LABELS, {"pools": {"b": SELECTED}}),
    ],
)
def test_a_setting_decides_which_rights_are_needed(use: Use, settings: dict[str, Any], tmp_path: Path) -> None:
    off = {"rollout": {"recovery": False}, "operator": {"managed": False}}
    assert uses(fleets.from_file(a_stack(tmp_path, **off))) == []
    assert uses(fleets.from_file(a_stack(tmp_path, **{**off, **settings}))) == [use]


def test_a_file_with_mistakes_is_named_with_each_of_them(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.broken.yaml"
    path.write_text("config: {mig-fleet:pool: {}}\n")
    found = run("--file", path)
    assert found.exit_code == 1
    assert "Pulumi.broken.yaml" in found.output and "Traceback" not in found.output
    assert run("--stack", "missing").exit_code == 1


@pytest.mark.parametrize("resource", ["nodefeaturerules", "prometheusrules", "grafanadashboards"])
def test_what_the_last_update_made_can_be_deleted_after_its_setting_was_removed(resource: str, tmp_path: Path) -> None:
    roles = documents("--file", a_stack(tmp_path, operator={"managed": False}))
    rules = [rule for it in roles for rule in it.get("rules", ()) if resource in rule["resources"]]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch", "delete"}
