"""A node may have other slices than its config means by now; MIG Manager would change it at its next start."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mig_fleet.model import labels, parted
from mig_fleet.observed.configs.layout_file import Entries
from mig_fleet.observed.configs.outdated import changes_at_restart, outdated_configs
from mig_fleet.observed.snapshot import Node

WIDE: dict[str, Any] = {"devices": "all", "mig-enabled": True, "mig-devices": {"3g.40gb": 2}}
DENSE: dict[str, Any] = {"devices": "all", "mig-enabled": True, "mig-devices": {"1g.10gb": 7}}


def configs(*entries: Mapping[str, Any]) -> dict[str, Entries]:
    return dict(parted.read({"version": "v1", "mig-configs": {"theirs": list(entries)}}).configs)


@pytest.fixture
def node(a_node: Callable[..., Node]) -> Node:
    """It has seven slices on each of two GPUs, under a name of others."""
    found = a_node(config="theirs")
    assert found.report is not None
    return replace(found, report=replace(found.report, config="theirs"))


def test_a_config_that_would_change_a_node_is_named_with_the_change_and_the_way_out(node: Node) -> None:
    others = [replace(node, name="n2"), replace(node, name="n3")]
    assert outdated_configs(configs(DENSE, {**WIDE, "devices": [1]}), [node, *others]) == [
        "config 'theirs' means other slices than n1 (and 2 more) has: GPU 1 has 7x 1g.10gb and would get "
        "2x 3g.40gb; MIG Manager makes that change when it restarts there, also with mig-fleet-layouts. To keep the "
        "slices that the node has, declare them in the stack file; `configName: generated` then gives it that layout's "
        "own config. As long as MIG Manager reads another ConfigMap, define a config with these slices there, and "
        "label the node with it"
    ]


@pytest.mark.parametrize(
    "entries",
    [[DENSE], [{**WIDE, "device-filter": "0x20B510DE"}], [{**WIDE, "device-filter": "0x233010DE:0x16C110DE"}]],
    ids=["the same slices", "no entry for its GPUs", "an entry for some boards"],
)
def test_a_config_that_changes_nothing_is_not_named(node: Node, entries: list[dict[str, Any]]) -> None:
    assert outdated_configs(configs(*entries), [node]) == []


def test_a_node_that_mig_manager_has_not_finished_or_that_is_not_reported_is_left_out(node: Node) -> None:
    assert node.report is not None
    pending = replace(node, labels={**node.labels, labels.STATE: "pending"})
    unknown = replace(node, report=None)
    before = replace(node, report=replace(node.report, config="another"))
    assert outdated_configs(configs(WIDE), [pending, unknown, before]) == []


def test_each_node_that_a_restart_changes_is_known_with_its_first_gpu(node: Node) -> None:
    others = [replace(node, name="n2"), replace(node, name="n0", labels={**node.labels, labels.CONFIG: "x"})]
    change = "GPU 1 has 7x 1g.10gb and would get 2x 3g.40gb"
    assert changes_at_restart(configs(DENSE, {**WIDE, "devices": [1]}), [*others, node]) == {"n1": change, "n2": change}
    assert changes_at_restart(configs(DENSE), [*others, node]) == {}
