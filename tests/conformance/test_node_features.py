"""Node Feature Discovery's own worker and master, on the files of simulated nodes and with our NodeFeatureRule.

The rule has all models of the catalog, so that one that matches the device of another is found.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mig_fleet import toolchain
from mig_fleet.model import gpus, labels
from mig_fleet.simulator.operands.node_features import FEATURES
from mig_fleet.simulator.operands.operator import NFD_LABELS
from mig_fleet.simulator.polling import wait_until
from tests.conformance.node_feature_cases import CASES, PREFIX, Case
from tests.conformance.node_feature_site import Outcome, Site, running
from tests.conformance.records import NODE_FEATURES, count_case

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(1800), pytest.mark.xdist_group("nfd")]

AT_ONCE: Final = 4


@pytest.fixture(scope="module")
def site(namespaces: None, binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    programs = tmp_path_factory.mktemp("programs")
    for path in binaries.iterdir():
        (programs / path.name).symlink_to(path.resolve())
    for tool in toolchain.ensure([toolchain.family("nfd")]):
        assert tool.path is not None, "ensure finds every tool"
        (programs / tool.name).symlink_to(tool.path)
    with running(tmp_path_factory.mktemp("nfd"), programs, CASES) as site:
        yield site


@dataclass(frozen=True)
class Discovered:
    """All nodes, and the errors in the master's log until then."""

    outcomes: dict[Case, Outcome]
    errors: list[str]


@pytest.fixture(scope="module")
def discovered(site: Site) -> Discovered:
    with ThreadPoolExecutor(AT_ONCE) as executor:
        seconds = dict(zip(CASES, executor.map(site.discover, CASES), strict=True))
    return Discovered(site.outcomes(seconds), site.errors)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_node_gets_the_label_of_its_model_and_those_of_the_simulators_worker(
    case: Case, discovered: Discovered
) -> None:
    found = discovered.outcomes[case]
    devices = frozenset(key for key in found.labels if key.startswith(PREFIX))
    system = {key: value for key, value in found.labels.items() if key in case.system}
    model = found.labels.get(labels.MODEL)
    agrees = (model, devices, system) == (case.label, case.devices, case.system)
    count_case(NODE_FEATURES, agrees=agrees, seconds=found.seconds)
    assert model == case.label
    assert devices == case.devices
    assert all(found.labels[key] == "true" for key in devices)
    assert system == case.system


def test_a_node_with_our_startup_taint_is_labelled_and_keeps_the_taint(discovered: Discovered) -> None:
    (case,) = (case for case in CASES if case.taints)
    found = discovered.outcomes[case]
    assert labels.STARTUP_TAINT in found.taints
    assert found.labels[labels.MODEL] == case.label
    assert found.labels.items() >= FEATURES.items()


def test_the_master_finds_no_error_in_the_rule(discovered: Discovered) -> None:
    assert discovered.errors == []


def test_the_master_would_report_a_rule_whose_label_has_no_valid_value(site: Site, discovered: Discovered) -> None:
    """Names of GPU models have spaces and brackets, their short names do not."""
    name = gpus.find("H100-94GB").name
    rule = {"name": "all nodes", "labels": {"example.com/gpu": name}, "matchFeatures": []}
    site.create_rule("long-names", [rule])
    (error, *_) = wait_until(lambda: site.errors[len(discovered.errors) :], "the master reports the rule")
    assert "ignoring label" in error and name in error


def test_each_label_by_which_the_operator_finds_gpus_is_one_that_a_worker_sets(discovered: Discovered) -> None:
    """Which one depends on the worker's config and on the class of the device."""
    found = {key for outcome in discovered.outcomes.values() for key in outcome.labels}
    assert set(NFD_LABELS) <= found


def test_every_model_with_a_device_id_has_a_case() -> None:
    assert {case.label for case in CASES} - {None} == {it.short for it in gpus.all_models() if it.pci_device_ids}
    assert any("subsystem_device" in case.changed for case in CASES), "boards that share a device id"
