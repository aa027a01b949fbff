"""Nodes that join with a config in their node template: what each name means until the next update and after it."""

from typing import Any

import pytest

from mig_fleet.model import labels
from mig_fleet.observed.snapshot import invalidate
from tests.memory.fleet import DENSE, FAILS, GPUS_PER_NODE, MANAGER, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import Props, a_wave, roll_out

SEVENS = [{"1g.10gb": 7}] * GPUS_PER_NODE
MIG_OFF = [None] * GPUS_PER_NODE
OLDER = "dense-0ld0ld0l"


def join(fleet: Fleet, config: str) -> None:
    """A node whose template has the startup taint and a config; MIG Manager, on its first start, applies the config."""
    fleet.add("new")
    fleet.taint("new", labels.STARTUP_TAINT)
    fleet.label("new", labels.CONFIG, config)
    fleet.clock.sleep(20)
    fleet.clear_requests()
    invalidate()


def update(fleet: Fleet, **changes: Any) -> Props:
    return roll_out(a_wave("new", **changes))


def test_the_config_of_the_pools_layout_partitions_a_new_node_before_the_next_update(fleet: Fleet) -> None:
    join(fleet, DENSE.config_name)
    assert (fleet.per_gpu["new"], fleet.taints("new")) == (SEVENS, [labels.STARTUP_TAINT])
    update(fleet)
    assert (fleet.per_gpu["new"], fleet.taints("new")) == (SEVENS, [])
    assert fleet.written_configs() == [], "it is not reconfigured"


def test_the_config_of_another_layout_is_applied_until_the_next_update(fleet: Fleet) -> None:
    join(fleet, WIDE.config_name)
    assert fleet.per_gpu["new"] == [{"3g.40gb": 2}] * GPUS_PER_NODE
    update(fleet)
    assert (fleet.per_gpu["new"], fleet.taints("new")) == (SEVENS, [])


@pytest.mark.parametrize("config", [OLDER, "all-3g.40gb"], ids=["a layout of ours that is gone", "a name of NVIDIA"])
@pytest.mark.parametrize("config_name", ["generated", "keep"])
def test_a_name_that_the_layout_file_lacks_changes_nothing_until_the_next_update(
    fleet: Fleet, config: str, config_name: str
) -> None:
    """The taint keeps pods off its whole GPUs."""
    assert fleet.execute(*fleet.operand("n1", MANAGER), ["nvidia-mig-parted", "assert", "-c", config])[0] == 1
    fleet.manager_outcomes["new"] = [FAILS, SUCCEEDS]
    join(fleet, config)
    assert fleet.nodes["new"]["metadata"]["labels"][labels.STATE] == "failed"
    assert (fleet.per_gpu["new"], fleet.taints("new")) == (MIG_OFF, [labels.STARTUP_TAINT])
    update(fleet, config_name=config_name)
    assert (fleet.per_gpu["new"], fleet.taints("new")) == (SEVENS, [])
    assert fleet.configs()["new"] == DENSE.config_name
