"""The layout file: it keeps what nodes need, drops what is superfluous, and edits by others are drift."""

import pytest
import yaml

from mig_fleet.model import parted
from mig_fleet.model.layouts import Layout
from mig_fleet.observed.configs.layout_file import (
    Entries,
    declared_configs,
    live_configs,
    merge_files,
    needed_configs,
    sound_configs,
    superfluous,
)
from mig_fleet.observed.configs.layout_file_drift import layout_file_drift
from mig_fleet.observed.snapshot import Node
from tests.memory.fleet import DENSE

WIDE = Layout.parse("dense", {"gpu": "H100-80GB", "all": {"2g.20gb": 3}})
BEFORE, AFTER = parted.dump([DENSE]), parted.dump([WIDE])
BY_HAND = [{"devices": "all", "mig-enabled": False}]


def configs(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)["mig-configs"]
    return found


def drift(file: str, live: dict[str, object] | None) -> list[str]:
    return [str(difference) for difference in layout_file_drift(declared_configs(file), live, "mig-fleet-layouts")]


def kept(live: object, *names: str) -> dict[str, Entries]:
    """The configs of a live file that nodes need."""
    file = parted.read({"version": "v1", "mig-configs": live})
    return {name: file.configs[name] for name in names}


def test_a_config_that_a_node_still_needs_is_kept_beside_the_new_one() -> None:
    text = merge_files(AFTER, kept(configs(BEFORE), DENSE.config_name, "all-disabled"))
    assert configs(text) == {**configs(BEFORE), **configs(AFTER)}


def test_a_config_that_no_node_needs_any_more_is_removed() -> None:
    live = configs(merge_files(AFTER, kept(configs(BEFORE), DENSE.config_name)))
    assert superfluous(AFTER, live, {WIDE.config_name}) == [DENSE.config_name]
    assert merge_files(AFTER, kept(live, WIDE.config_name)) == AFTER


def test_the_stacks_own_config_replaces_an_edit_under_the_same_name() -> None:
    edited = {**configs(BEFORE), DENSE.config_name: BY_HAND}
    assert merge_files(BEFORE, kept(edited, DENSE.config_name)) == BEFORE


def test_a_config_of_another_user_that_nodes_need_is_kept() -> None:
    assert "by-hand" in configs(merge_files(BEFORE, kept({"by-hand": BY_HAND}, "by-hand")))


def test_a_node_needs_its_present_its_verified_and_its_previous_config() -> None:
    annotations = {"mig-fleet.dev/verified-config": "verified", "mig-fleet.dev/previous-config": "previous"}
    nodes = [Node("n1", {"nvidia.com/mig.config": "present"}, annotations, {}, None)]
    assert needed_configs(nodes) == {"present", "verified", "previous"}


def test_an_edit_a_removal_and_a_missing_file_are_different_drift() -> None:
    live = configs(BEFORE)
    assert drift(BEFORE, live) == []
    assert drift(BEFORE, {**live, DENSE.config_name: []}) == [f"ConfigMap edited: config '{DENSE.config_name}' differs"]
    assert drift(BEFORE, {DENSE.config_name: live[DENSE.config_name]}) == [
        "ConfigMap edited: config 'all-disabled' is missing"
    ]
    assert drift(BEFORE, None) == ["ConfigMap missing: mig-fleet-layouts is missing, or is not a mig-parted file"]


@pytest.mark.parametrize(
    "config_map",
    [None, {}, {"data": None}, {"data": {"config.yaml": ""}}, {"data": {"config.yaml": "- mig-configs"}}],
    ids=["no ConfigMap", "no data", "null data", "an empty file", "a list"],
)
def test_what_is_not_a_mig_parted_file_has_no_configs(config_map: dict[str, object] | None) -> None:
    assert live_configs(config_map) is None


def test_the_configs_of_the_live_file_are_those_that_were_written() -> None:
    assert live_configs({"data": {"config.yaml": BEFORE}}) == configs(BEFORE)


@pytest.mark.parametrize("name", ["7e0", "y", "08", "0o7", "1:10", "null", "a: b", "ü"])
def test_a_kept_config_reads_back_as_it_was_whatever_its_name(name: str) -> None:
    entries = [{"devices": "all", "mig-enabled": True, "device-filter": [name], "mig-devices": {"1g.10gb": 7}}]
    text = merge_files(BEFORE, kept({name: entries}, name))
    assert declared_configs(text)[name] == entries, (
        "PyYAML's writer leaves texts unquoted that mig-parted reads otherwise"
    )


def test_a_config_that_mig_parted_refuses_is_skipped_and_the_others_are_read() -> None:
    text = "version: v1\nmig-configs: {good: [{devices: all, mig-enabled: false}], bad: [{devices: all}], on: []}"
    assert sound_configs({"data": {"config.yaml": text}}).keys() == {"good"}
