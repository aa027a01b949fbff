"""What GPU Feature Discovery and the device plugin did, compared with the simulator and the model on the same nodes."""

from collections.abc import Callable
from functools import cache

import pytest

from mig_fleet.model import Strategy, gfd, gpus
from mig_fleet.model.gpus import Geometry
from mig_fleet.model.labels import PRODUCT
from mig_fleet.model.strategy import allocatable, strategy_conflicts
from mig_fleet.simulator.driver import Driver
from mig_fleet.simulator.driver.attributes import attributes
from mig_fleet.simulator.operands import device_plugin, feature_discovery
from mig_fleet.simulator.operands.device_plugin import PluginError
from tests.conformance.recorded_nodes import DEVICE_PLUGIN, FEATURE_DISCOVERY, MACHINE, LabelTable, ResourceTable, State
from tools.conformance import PAGE

ESTABLISHED = tuple(model.name for model in gpus.all_models() if model.geometry is Geometry.ESTABLISHED)

by_model = pytest.mark.parametrize("model", ESTABLISHED)
label_table = cache(LabelTable.read)
resource_table = cache(ResourceTable.read)

Table = Callable[[], LabelTable | ResourceTable]


def offered(driver: Driver, strategy: Strategy) -> dict[str, int] | str:
    """What the simulated plugin offers, or the error that ends it."""
    try:
        return {name: count for name, count in device_plugin.resources(driver, strategy).items() if count}
    except PluginError as exc:
        return str(exc)


def looks_alike(state: State) -> bool:
    """Whether NVML reports the same attributes of the several profiles of a node, such as with and without ``+gfx``.
    The device plugin cannot tell them apart; GPU Feature Discovery goes by their names.
    """
    names = {name for devices in state.per_gpu for name in devices or ()}
    return len(names) > 1 and len({attributes(gpus.find(state.model), name) for name in names}) == 1


@pytest.mark.parametrize("table", [label_table, resource_table], ids=[FEATURE_DISCOVERY.name, DEVICE_PLUGIN.name])
@by_model
def test_every_model_with_an_established_geometry_is_recorded(model: str, table: Table) -> None:
    """With each of its profiles, and with MIG off."""
    assert model in table().models, f"{model}: run NVIDIA's program on its nodes, as `source` of the table says"
    recorded = {name for state, _ in table().states(model) for each in state.per_gpu for name in each or ("off",)}
    assert recorded >= {*gpus.find(model).profiles, "off"}


@by_model
def test_the_simulator_sets_the_labels_that_gpu_feature_discovery_wrote(model: str) -> None:
    for state, recorded in label_table().states(model):
        driver = state.driver
        for strategy, labels in recorded.items():
            found = feature_discovery.discovered(driver, MACHINE, strategy)
            assert found == labels, f"{state}, {strategy}"


@by_model
def test_the_labels_that_a_node_must_have_are_those_that_gpu_feature_discovery_wrote(model: str) -> None:
    for state, recorded in label_table().states(model):
        for strategy, labels in recorded.items():
            assert gfd.expected_labels(state.per_gpu, strategy).items() <= labels.items(), f"{state}, {strategy}"
            profile = gfd.single_profile(state.per_gpu, strategy)
            assert gfd.slice_profile(labels[PRODUCT]) == profile, f"{state}, {strategy}"


@by_model
def test_the_simulated_plugin_offers_what_the_device_plugin_registered(model: str) -> None:
    """Or ends with the same error."""
    for state, recorded in resource_table().states(model):
        driver = state.driver
        for strategy, resources in recorded.items():
            assert offered(driver, strategy) == resources, f"{state}, {strategy}"


@by_model
def test_a_node_is_allocatable_as_the_device_plugin_registered_and_has_a_conflict_where_it_ended(model: str) -> None:
    """A conflict is more under ``none``, where CUDA sees one slice of a GPU, and for the profiles that look alike."""
    for state, recorded in resource_table().states(model):
        for strategy, resources in recorded.items():
            has_conflict = bool(strategy_conflicts(strategy, state.per_gpu))
            if isinstance(resources, str):
                assert has_conflict, f"{state}, {strategy}"
            else:
                assert allocatable(strategy, state.per_gpu) == resources, f"{state}, {strategy}"
                assert not has_conflict or strategy is Strategy.NONE or looks_alike(state), f"{state}, {strategy}"


@by_model
def test_strategy_single_has_a_conflict_where_gpu_feature_discovery_wrote_that_the_node_is_invalid(model: str) -> None:
    for state, recorded in label_table().states(model):
        is_invalid = recorded[Strategy.SINGLE][PRODUCT].endswith(f"-MIG-{gfd.INVALID}")
        assert bool(strategy_conflicts(Strategy.SINGLE, state.per_gpu)) == is_invalid, str(state)


def test_the_page_has_the_figures_of_both_tables() -> None:
    page = PAGE.read_text("utf-8")
    answers = [found for model in ESTABLISHED for _, each in resource_table().states(model) for found in each.values()]
    ended = sum(isinstance(found, str) for found in answers)
    served = len(answers) - ended
    for name, table, result in (
        ("GPU Feature Discovery", label_table(), "every label is equal"),
        ("device plugin", resource_table(), f"equal in the {served:,} that it serves, and the same error in {ended:,}"),
    ):
        nodes = sum(1 for model in table.models for _ in table.states(model))
        assert f"| {name} {table.source.version} | {nodes:,} | {nodes * len(Strategy):,} | {result} |" in page
