"""The layout file in the cluster: never too small, never silently edited, never full of the past."""

import pulumi
import pytest
import yaml

from mig_fleet.cluster.errors import ClusterUnreachable
from mig_fleet.components import layout_file
from mig_fleet.components.layout_file import LayoutFileProvider
from mig_fleet.model import parted
from mig_fleet.model.layouts import Layout
from mig_fleet.observed.layout_file import edits, superfluous, union
from mig_fleet.observed.snapshot import Look, Node

DENSE = Layout.parse("dense", {"gpu": "H100-80GB", "all": {"1g.10gb": 7}})
WIDE = Layout.parse("dense", {"gpu": "H100-80GB", "all": {"2g.20gb": 3}})
BEFORE, AFTER = parted.dump([DENSE]), parted.dump([WIDE])


def configs(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)["mig-configs"]
    return found


def test_a_config_that_a_node_still_carries_stays_beside_the_new_one() -> None:
    text = union(AFTER, configs(BEFORE), {DENSE.config_name, "all-disabled"})
    assert configs(text) == {**configs(BEFORE), **configs(AFTER)}


def test_a_config_that_no_node_carries_any_more_goes() -> None:
    live = configs(union(AFTER, configs(BEFORE), {DENSE.config_name}))
    assert superfluous(AFTER, live, {WIDE.config_name}) == [DENSE.config_name]
    assert union(AFTER, live, {WIDE.config_name}) == AFTER


def test_the_stacks_own_words_win_over_an_edit_under_the_same_name() -> None:
    edited = {**configs(BEFORE), DENSE.config_name: [{"devices": "all", "mig-enabled": False}]}
    assert union(BEFORE, edited, {DENSE.config_name}) == BEFORE


def test_an_edit_a_removal_and_a_missing_file_are_told_apart() -> None:
    live = configs(BEFORE)
    assert edits(BEFORE, live) == []
    assert edits(BEFORE, {**live, DENSE.config_name: []}) == [f"ConfigMap edited: config '{DENSE.config_name}' differs"]
    assert edits(BEFORE, {DENSE.config_name: live[DENSE.config_name]}) == [
        "ConfigMap edited: config 'all-disabled' is missing"
    ]
    assert edits(BEFORE, None) == ["ConfigMap gone: mig-fleet-layouts is missing or is no mig-parted file"]


def test_a_config_of_somebody_else_that_nodes_carry_is_kept() -> None:
    text = union(BEFORE, {"by-hand": [{"devices": "all", "mig-enabled": False}]}, {"by-hand"})
    assert "by-hand" in configs(text)


def carrying(config: str) -> Look:
    """A fleet of one node with that config."""
    return Look({"n1": Node("n1", {"nvidia.com/mig.config": config}, {}, {}, None)})


def test_the_file_is_compared_by_the_look_that_the_waves_share_and_written_after_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Written:
        def __init__(self, _args: object) -> None: ...

        def config_map(self, _namespace: str, _name: str) -> dict[str, object]:
            return {"data": {"config.yaml": BEFORE}}

        def write_config_map(self, *_: object) -> None: ...

    asked: list[tuple[str, bool]] = []

    def once(_cluster: object, reports: str, fresh: bool) -> Look:
        asked.append((reports, fresh))
        return carrying("x")

    monkeypatch.setattr(layout_file, "Cluster", Written)
    monkeypatch.setattr(layout_file, "look", once)
    props = {"cluster": {}, "namespace": "gpu-operator", "reports": "mig-fleet", "file": BEFORE}
    LayoutFileProvider().check(props, props)
    LayoutFileProvider().update("id", props, props)
    assert asked == [("mig-fleet", False), ("mig-fleet", True)]


@pytest.mark.parametrize("lenient", [False, True])
def test_an_unreachable_cluster_fails_the_preview_unless_the_stack_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, lenient: bool
) -> None:
    def away(*_: object) -> None:
        raise ClusterUnreachable("the cluster does not answer")

    warned: list[str] = []
    monkeypatch.setattr(layout_file, "look", away)
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    cluster = {"on_unreachable": "warn"} if lenient else {}
    props = {"cluster": cluster, "namespace": "gpu-operator", "file": BEFORE}
    found = LayoutFileProvider().check(props, props)
    assert found.inputs == props
    assert [failure.reason for failure in found.failures] == ([] if lenient else ["the cluster does not answer"])
    assert warned == (["mig-fleet-layouts: nobody looked for drift: the cluster does not answer"] if lenient else [])


@pytest.mark.parametrize(
    ("text", "drift"),
    [
        ("mig-configs: {a: 2020-99-99}", "ConfigMap edited: config 'all-disabled' is missing"),
        ("mig-configs: {on: [], x: []}", "ConfigMap edited: config 'all-disabled' is missing"),
        ("mig-configs: {~: [], x: []}", "ConfigMap gone: mig-fleet-layouts is missing or is no mig-parted file"),
        ("mig-configs: {[]: []}", "ConfigMap gone: mig-fleet-layouts is missing or is no mig-parted file"),
        ("a: " + "[" * 5000, "ConfigMap gone: mig-fleet-layouts is missing or is no mig-parted file"),
        ("- mig-configs", "ConfigMap gone: mig-fleet-layouts is missing or is no mig-parted file"),
    ],
    ids=["an impossible date", "a truth value and a text as keys", "no key", "a list as key", "deep", "a list"],
)
def test_whatever_others_wrote_into_the_file_is_drift_and_no_crash(
    monkeypatch: pytest.MonkeyPatch, text: str, drift: str
) -> None:
    class Edited:
        def __init__(self, _args: object) -> None: ...

        def config_map(self, _namespace: str, _name: str) -> dict[str, object]:
            return {"data": {"config.yaml": text}}

        def write_config_map(self, _namespace: str, _name: str, data: dict[str, str]) -> None:
            assert configs(data["config.yaml"]).keys() >= configs(BEFORE).keys()

    monkeypatch.setattr(layout_file, "Cluster", Edited)
    monkeypatch.setattr(layout_file, "look", lambda *_: carrying("x"))
    props = {"cluster": {}, "namespace": "gpu-operator", "file": BEFORE}
    assert drift in LayoutFileProvider().check(props, props).inputs["drift"]
    assert LayoutFileProvider().update("id", props, props).outs == props
