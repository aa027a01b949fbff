"""The monitored fleet has the slices of every config that a node of a pool may have been verified with."""

from pathlib import Path
from typing import Any

import pytest

from mig_fleet.model import gpus, parted
from mig_fleet.model.cost import Basis
from mig_fleet.monitoring.fleet import MonitoredFleet
from mig_fleet.observed.configs.layout_file import dump_configs
from mig_fleet.stack_file import fleet
from mig_fleet.stack_file.monitored_fleet import monitored_fleet
from tests.stack_file.test_early_refusals import a_stack

H100, OTHER = "0x233010DE", "0x20B210DE"
ALL_H100 = gpus.find("H100-80GB").pci_device_ids
SEVEN = {"1g.10gb": 7}


def entry(profiles: dict[str, int] | None, devices: Any = "all", *ids: str) -> dict[str, Any]:
    data: dict[str, Any] = {"devices": devices, "mig-enabled": profiles is not None}
    return data | ({"mig-devices": profiles} if profiles else {}) | ({"device-filter": [*ids]} if ids else {})


def carried(**configs: Any) -> str:
    return dump_configs(parted.read({"version": "v1", "mig-configs": configs}).configs)


def a_fleet(text: str | None = None, **sections: Any) -> MonitoredFleet:
    """Pool `p` with two H100 per node."""
    pool = {"gpu": "H100-80GB", "gpusPerNode": 2, "nodes": ["n1"], "layout": "dense"}
    return monitored_fleet(fleet.parse(a_stack(**{"pools": {"p": pool}, **sections}), "x"), text)


def configs(text: str) -> dict[str, Any]:
    """The carried configs that pool `p` has."""
    (pool,) = a_fleet(text).pools
    return {name: slices for name, slices in pool.configs.items() if name not in a_fleet().pools[0].configs}


def test_a_pool_has_its_own_layout_and_mig_off() -> None:
    (pool,) = a_fleet().pools
    assert {name.rpartition("-")[0]: slices for name, slices in pool.configs.items()} == {
        "dense": (SEVEN, SEVEN),
        "all": (None, None),
    }
    assert a_fleet(None) == a_fleet("") == a_fleet()


def test_a_config_that_nodes_still_carry_is_known() -> None:
    assert configs(carried(old=[entry({"3g.40gb": 2}, "all", H100)])) == {"old": ({"3g.40gb": 2}, {"3g.40gb": 2})}


def test_a_config_of_nvidia_has_the_slices_that_it_gives_this_model() -> None:
    text = carried(**{"all-1g.10gb": [entry(SEVEN)], "all-1g.5gb": [entry({"1g.5gb": 7})]})
    assert configs(text) == {"all-1g.10gb": (SEVEN, SEVEN)}, "an H100 has no 1g.5gb"


def test_the_last_entry_that_selects_a_gpu_decides() -> None:
    text = carried(split=[entry(None), entry(SEVEN, [1], *ALL_H100), entry({"1g.10gb": 1}, [1], OTHER)])
    assert configs(text) == {"split": (None, SEVEN)}


@pytest.mark.parametrize(
    "entries",
    [
        [entry(SEVEN, [0])],
        [entry(SEVEN, "all", OTHER)],
        [entry(SEVEN, "all", f"{H100}:0x16C110DE")],
        [entry(None), entry(SEVEN, "all", f"{H100}:0x16C110DE")],
        [entry(None), entry(SEVEN, "all", H100)],
    ],
    ids=["not for GPU 1", "another model", "some boards", "other slices on some boards", "other slices by id"],
)
def test_a_config_that_does_not_decide_the_slices_of_each_gpu_is_left_out(entries: list[Any]) -> None:
    assert configs(carried(unclear=entries)) == {}


def test_a_name_that_the_stack_declares_means_what_the_stack_declares() -> None:
    (declared,) = (name for name in a_fleet().pools[0].configs if name.startswith("dense"))
    assert a_fleet(carried(**{declared: [entry({"3g.40gb": 2})]})) == a_fleet()


def test_a_pool_knows_the_layouts_of_its_model_that_its_nodes_may_come_from() -> None:
    """A node that moves from one pool to another keeps its verified config until its wave starts."""
    (a, b) = a_fleet(
        layouts={
            "dense": {"gpu": "H100-80GB", "all": SEVEN},
            "wide": {"gpu": "H100-80GB", "all": {"3g.40gb": 2}},
            "old": {"gpu": "A100-80GB", "all": {"3g.40gb": 2}},
        },
        pools={
            name: {"gpu": "H100-80GB", "gpusPerNode": 2, "nodes": [name], "layout": layout}
            for name, layout in (("a", "dense"), ("b", "wide"))
        },
    ).pools
    assert a.configs == b.configs
    assert sorted(name.rpartition("-")[0] for name in a.configs) == ["all", "dense", "wide"]


def test_prices_basis_and_job_are_those_of_the_stack_file() -> None:
    found = a_fleet(prices={"NVIDIA H100 80GB HBM3": 2.5}, monitoring={"costBasis": "memory", "exporterJob": "gpu"})
    assert (found.pools[0].price, found.basis, found.exporter_job) == (2.5, Basis.MEMORY, "gpu")
    assert a_fleet().pools[0].price is None


@pytest.mark.parametrize("stack", ["local", "prod", "staging", "dev"])
def test_every_declared_layout_is_in_its_pool(stack: str) -> None:
    declared = fleet.from_file(Path(f"stacks/Pulumi.{stack}.yaml"))
    for pool, monitored in zip(declared.pools, monitored_fleet(declared).pools, strict=True):
        assert monitored.name == pool.name
        assert monitored.configs[pool.layout.config_name] == pool.layout.per_gpu(pool.settings.gpus_per_node)
