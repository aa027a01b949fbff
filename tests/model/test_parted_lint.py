"""The linter finds what NVIDIA's parser accepts and NVIDIA's tools then do wrong, with a remedy, and nothing else."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import parted
from mig_fleet.model.finding import Level
from mig_fleet.model.parted import Entry
from mig_fleet.model.parted.file import device_id, filter_ids
from mig_fleet.model.parted.lint import LintRule, lint
from mig_fleet.model.parted.lint.overlaps import check_overlaps
from tests.model.parted_data import OFF, a_file, an_entry

H100, H100_PCIE, A100 = "0x233010DE", "0x233110DE", "0x20B210DE"


@pytest.mark.parametrize(
    ("entry", "rule", "text"),
    [
        (an_entry(device_filter="0x2330"), LintRule.FILTER_MATCHES_NOTHING, 'write "0x233010DE"'),
        (an_entry(device_filter="0x10DE2330"), LintRule.FILTER_MATCHES_NOTHING, 'write "0x233010DE"'),
        (an_entry(device_filter="H200"), LintRule.FILTER_MATCHES_NOTHING, 'write "0x233510DE", "0x233B10DE"'),
        (an_entry(device_filter="0x233010DE:board"), LintRule.FILTER_MATCHES_NOTHING, 'write "0x233010DE"'),
        (an_entry(device_filter="Voodoo"), LintRule.FILTER_MATCHES_NOTHING, 'ids look like "0x233010DE"'),
        (
            an_entry(device_filter="0x123410DE"),
            LintRule.UNPROVEN,
            "whether it does MIG, and with which profiles, is not known",
        ),
        (
            an_entry(device_filter="0x20B210DE", mig_devices={"1g.5gb": 7}),
            LintRule.UNKNOWN_PROFILE,
            "A100-80GB has no 1g.5gb",
        ),
        (an_entry(mig_devices={"1g.1gb": 7}), LintRule.UNKNOWN_PROFILE, "no GPU of the catalog has 1g.1gb"),
        (
            an_entry(device_filter=["0x233010DE", "0x20B010DE"], mig_devices={"1g.10gb": 4, "3g.40gb": 0}),
            LintRule.NEVER_EQUAL,
            "remove 3g.40gb",
        ),
        (
            an_entry(device_filter=["0x233010DE", "0x20B010DE"], mig_devices={"3g.40gb": 1}),
            LintRule.UNKNOWN_PROFILE,
            "A100-40GB is also selected but has no 3g.40gb",
        ),
        (an_entry(mig_devices={"1c.1g.10gb": 7}), LintRule.NEVER_EQUAL, "write 1g.10gb"),
        (an_entry(mig_devices={}), LintRule.NO_INSTANCE, "without any instance"),
        (
            an_entry(device_filter="0x20B210DE", mig_devices={"1c.3g.40gb": 3}),
            LintRule.SPLIT,
            "1c.3g.40gb is part of a GPU instance",
        ),
        (
            an_entry(device_filter="0x294110DE", mig_devices={"1g.24gb": 7}),
            LintRule.UNPROVEN,
            "1g.23gb is 1g.24gb on early",
        ),
        (
            an_entry(device_filter="0x294110DE", mig_devices={"1g.23gb": 7}),
            LintRule.UNPROVEN,
            "1g.23gb is 1g.24gb on early",
        ),
        (
            an_entry(mig_devices={"3g.95gb": 2}),
            LintRule.UNPROVEN,
            "unproven on GB200-186GB: names differ between boards",
        ),
        (an_entry(devices=[0, 2]), LintRule.UNCOVERED, "GPU 1 has no entry"),
        (
            an_entry(device_filter="0x233010DE", devices=[0, 1]),
            LintRule.DEPENDS_ON_NODE,
            "a GPU of 0x233010DE above 1 would have no entry",
        ),
        (an_entry(), LintRule.OTHER_GPUS_SELECTED, "add the device ids of the intended GPUs"),
        (an_entry(devices=[]), LintRule.UNCOVERED, "selects no GPU"),
        (an_entry(devices=[-1]), LintRule.UNCOVERED, "selects no GPU"),
        (an_entry(devices=[2**62]), LintRule.UNCOVERED, "14, 15 and more has no entry"),
        (
            an_entry(device_filter="0x233010DE", mig_devices={"4g.40gb": 2}),
            LintRule.IMPOSSIBLE,
            "need 8 compute slices",
        ),
        (
            an_entry(device_filter="0x233010DE:0x16C110DE", mig_devices={"9g.999gb": 100}),
            LintRule.UNKNOWN_PROFILE,
            "H100-80GB has no 9g.999gb",
        ),
        (
            an_entry(device_filter="0x233010DE:0x16C110DE", mig_devices={"3g.40gb": 2, "1g.10gb": 1}),
            LintRule.IMPOSSIBLE,
            "impossible on H100-80GB",
        ),
        (an_entry(mig_devices={"4g.40gb": 2}), LintRule.IMPOSSIBLE, "need 8 compute slices"),
        (an_entry(device_filter="0x31C210DE", mig_devices={"1g.35gb": 3}), LintRule.UNPROVEN, "unproven on GB300"),
    ],
)
def test_a_mistake_is_found_with_its_remedy(entry: dict[str, Any], rule: LintRule, text: str) -> None:
    found = lint(parted.read(a_file(entry)))
    assert any(finding.rule is rule and text in finding.text for finding in found), found


def test_only_rules_about_facts_outside_the_file_are_advice() -> None:
    assert {rule for rule in LintRule if rule.level is Level.ADVICE} == {
        LintRule.DEPENDS_ON_NODE,
        LintRule.OTHER_GPUS_SELECTED,
        LintRule.NO_INSTANCE,
        LintRule.SPLIT,
        LintRule.APPLIED_TWICE,
        LintRule.OVERRIDDEN,
        LintRule.NEWER_MANAGER,
    }
    assert [rule for rule in LintRule if rule.level is Level.UNPROVEN] == [LintRule.UNPROVEN]


def test_a_sound_file_has_no_finding() -> None:
    assert lint(parted.read(a_file(an_entry(device_filter="0x233010DE")))) == ()


def test_a_filter_for_one_board_has_the_advice_that_it_needs_a_newer_mig_manager() -> None:
    (found,) = lint(parted.read(a_file(an_entry(device_filter="0x233010DE:0x16C110DE"))))
    assert (found.rule, found.level) == (LintRule.NEWER_MANAGER, Level.ADVICE)
    assert found.text == (
        "0x233010DE:0x16C110DE needs MIG Manager v0.15.0 (GPU Operator v26.7.0) or newer; an older one matches no GPU "
        "with it, and reports success"
    )


def test_where_mig_is_off_nothing_has_to_be_proven() -> None:
    """A GPU for the displays of a workstation, beside those that are partitioned."""
    display = {"device-filter": "0x1FB010DE", "devices": "all", "mig-enabled": False}
    assert lint(parted.read(a_file(an_entry(device_filter=A100, mig_devices={"3g.40gb": 2}), display))) == ()


def test_a_file_without_all_disabled_is_found() -> None:
    file = parted.read({"version": "v1", "mig-configs": {"dense": [an_entry(device_filter="0x233010DE")]}})
    assert [finding.rule for finding in lint(file)] == [LintRule.ALL_DISABLED_MISSING]


def test_the_size_of_a_node_decides_what_is_uncovered() -> None:
    file = parted.read(a_file(an_entry(device_filter="0x233010DE", devices=[0, 1])))
    assert [f.rule for f in lint(file, gpus_per_node=4)] == [LintRule.UNCOVERED]
    assert lint(file, gpus_per_node=2) == ()


def rules(*entries: dict[str, Any], gpus_per_node: int | None = None) -> list[str]:
    return [finding.rule for finding in lint(parted.read(a_file(*entries)), gpus_per_node)]


@pytest.mark.parametrize(
    "entries",
    [
        [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=H100.lower(), devices=[1])],
        [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=str(0x233010DE), devices=[1])],
        [
            an_entry(device_filter=[H100, H100_PCIE], devices=[0]),
            an_entry(device_filter=H100, devices=[1]),
            an_entry(device_filter=[H100_PCIE], devices=[1]),
        ],
        [OFF | {"devices": [0]}, an_entry(device_filter=H100, devices=[1])],
        [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=f"{H100}:0x16C110DE", devices=[1])],
        [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=A100, devices=[1])],
    ],
    ids=["two spellings", "a decimal", "a list", "another one off", "a board", "a mixed node"],
)
def test_a_config_with_an_entry_for_every_gpu_is_covered_however_its_filters_are_spelled(
    entries: list[dict[str, Any]],
) -> None:
    found = lint(parted.read(a_file(*entries)), gpus_per_node=2)
    assert {finding.level for finding in found} <= {Level.ADVICE}


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([an_entry(device_filter=[H100, H100_PCIE], devices=[0])], f"GPU 1 of {H100}, {H100_PCIE} has no entry"),
        (
            [an_entry(device_filter=[H100, H100_PCIE], devices=[0]), an_entry(device_filter=H100, devices=[1])],
            f"GPU 1 of {H100_PCIE} has no entry",
        ),
        (
            [an_entry(device_filter=f"{H100}:0x16C110DE", devices=[1])],
            f"GPU 0 of {H100}:0x16C110DE has no entry",
        ),
        ([OFF | {"devices": [0]}], "GPU 1 has no entry"),
    ],
)
def test_a_gpu_without_an_entry_is_reported_with_its_kind(entries: list[dict[str, Any]], text: str) -> None:
    found = [f for f in lint(parted.read(a_file(*entries)), gpus_per_node=2) if f.rule is LintRule.UNCOVERED]
    assert [finding.text.partition(": assert")[0] for finding in found] == [text]


def test_device_ids_that_share_no_index_are_assumed_to_be_one_mixed_node_with_advice() -> None:
    mixed = [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=A100, devices=[1])]
    (finding,) = lint(parted.read(a_file(*mixed)), gpus_per_node=2)
    assert finding.text.startswith(f"{H100} has GPU 0, {A100} has GPU 1: on a node without this mix, assert")
    assert rules(*mixed, gpus_per_node=3) == [LintRule.DEPENDS_ON_NODE, LintRule.UNCOVERED], (
        "GPU 2 has no entry on any node"
    )


FILTERS = [H100, H100.lower(), H100_PCIE, A100, f"{H100}:0x16C110DE"]


def off(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry for the same GPUs that switches MIG off."""
    return {**{key: value for key, value in entry.items() if key != "mig-devices"}, "mig-enabled": False}


ENTRIES = st.lists(
    st.builds(
        an_entry,
        device_filter=st.one_of(
            st.none(),
            st.lists(
                st.sampled_from([H100, H100.lower(), H100_PCIE, A100, f"{H100}:0x16C110DE"]), min_size=1, max_size=2
            ),
        ),
        devices=st.one_of(st.just("all"), st.lists(st.integers(0, 2), min_size=1, max_size=3)),
        mig_devices=st.sampled_from([{"1g.10gb": 7}, {"3g.40gb": 2}]),
    ).flatmap(lambda entry: st.sampled_from([entry, off(entry)])),
    min_size=1,
    max_size=4,
)
BOARDS = [None, "0x16C110DE"]


def selects(entry: Entry, pci: str, board: str | None) -> bool:
    """Whether the device filter selects a GPU on a board with this subsystem id; None is any other board."""
    gpu = device_id(pci)
    ids = {(gpu, None), (gpu, board and device_id(board))}
    return not entry.device_filter or any(filter_ids(word) in ids for word in entry.device_filter)


def winner(entries: Sequence[Entry], pci: str, board: str | None, index: int) -> Entry | None:
    """The entry that mig-parted applies last to a GPU."""
    has_index = [entry for entry in entries if entry.devices is None or index in entry.devices]
    return next((entry for entry in reversed(has_index) if selects(entry, pci, board)), None)


@given(ENTRIES)
def test_coverage_has_a_finding_exactly_if_a_gpu_of_a_selected_kind_has_no_entry(written: list[dict[str, Any]]) -> None:
    file = parted.read(a_file(*written))
    entries = file.select("dense")
    found = {finding.rule for finding in lint(file, gpus_per_node=3)} & {LintRule.UNCOVERED, LintRule.DEPENDS_ON_NODE}
    bare = [
        (pci, board, index)
        for pci, board in product([H100, H100_PCIE, A100, "0x20B510DE"], BOARDS)
        for index in range(3)
        if any(selects(entry, pci, board) for entry in entries) and winner(entries, pci, board, index) is None
    ]
    assert bool(found) is bool(bare)


@given(ENTRIES)
def test_entries_contradict_each_other_exactly_if_they_want_both_modes_or_two_layouts_of_one_gpu(
    written: list[dict[str, Any]],
) -> None:
    file = parted.read(a_file(*written))
    entries = file.select("dense")
    found = {finding.rule for finding in lint(file)} & {LintRule.CONTRADICTING, LintRule.APPLIED_TWICE}
    expected = set()
    for pci, board in product([H100, H100_PCIE, A100, "0x20B510DE"], BOARDS):
        for index in range(4):
            applied = [e for e in entries if selects(e, pci, board) and (e.devices is None or index in e.devices)]
            for one, other in combinations(applied, 2):
                if one.mig_enabled != other.mig_enabled:
                    expected.add(LintRule.CONTRADICTING)
                elif one.mig_devices != other.mig_devices:
                    expected.add(LintRule.APPLIED_TWICE)
    assert found == expected


@pytest.mark.parametrize(
    ("entries", "rule", "place", "text"),
    [
        (
            [an_entry(device_filter=H100), OFF | {"device-filter": H100, "devices": [0, 1]}],
            LintRule.CONTRADICTING,
            "[1]",
            f"switches MIG off for GPU 0, 1 of {H100}, and entry 0 switches it on: mig-parted applies both, so every "
            "change fails; let one entry select each GPU",
        ),
        (
            [OFF, an_entry()],
            LintRule.CONTRADICTING,
            "[1]",
            "switches MIG on for every GPU, and entry 0 switches it off: mig-parted applies both, so every change "
            "fails; let one entry select each GPU",
        ),
        (
            [an_entry(device_filter=H100), an_entry(device_filter=H100, devices=[3], mig_devices={"3g.40gb": 2})],
            LintRule.APPLIED_TWICE,
            "[1]",
            f"gives GPU 3 of {H100} other instances than entry 0: mig-parted applies both, so a change of any GPU "
            "destroys these instances and fails if a pod uses one; let one entry select each GPU",
        ),
    ],
    ids=["on, then off", "off, then on", "two layouts"],
)
def test_entries_that_contradict_each_other_are_found_with_the_gpus_and_the_other_entry(
    entries: list[dict[str, Any]], rule: LintRule, place: str, text: str
) -> None:
    found = [f for f in lint(parted.read(a_file(*entries))) if f.rule is rule]
    assert [(finding.path, finding.text) for finding in found] == [(f"mig-configs.dense{place}", text)]


def test_a_file_with_thousands_of_contradicting_entries_is_checked_in_linear_time() -> None:
    """A comparison of each two of these entries would take minutes."""
    entries = tuple(Entry((), None, position % 2 == 0, {}) for position in range(20_000))
    assert sum(1 for _ in check_overlaps("dense", entries)) == len(entries) - 1


def test_entries_for_other_gpus_do_not_contradict_each_other() -> None:
    entries = [an_entry(device_filter=H100, devices=[0]), OFF | {"device-filter": H100, "devices": [1]}]
    assert rules(*entries, gpus_per_node=2) == []
    assert rules(an_entry(device_filter=H100), OFF | {"device-filter": A100}) == []


@given(ENTRIES)
def test_exactly_the_entries_that_can_be_removed_are_overridden(written: list[dict[str, Any]]) -> None:
    file = parted.read(a_file(*written))
    entries = file.select("dense")
    dead = {finding.path for finding in lint(file) if finding.rule is LintRule.OVERRIDDEN}
    wins = {
        id(winner(entries, pci, board, index))
        for pci, board in product([H100, H100_PCIE, A100, "0x20B510DE"], BOARDS)
        for index in range(4)
    }
    assert dead == {f"mig-configs.dense[{n}]" for n, entry in enumerate(entries) if id(entry) not in wins}


@pytest.mark.parametrize(
    ("entries", "dead"),
    [
        ([an_entry(device_filter=H100), an_entry(device_filter=H100.lower())], [0]),
        ([an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=H100)], [0]),
        ([an_entry(device_filter=[H100, A100]), an_entry(device_filter=H100), an_entry(device_filter=A100)], [0]),
        ([an_entry(device_filter=H100), OFF], [0]),
        ([OFF, an_entry(device_filter=H100)], []),
        ([an_entry(device_filter=H100), an_entry(device_filter=H100, devices=[0])], []),
        ([an_entry(device_filter=[H100, A100]), an_entry(device_filter=H100)], []),
        ([an_entry(device_filter=H100), an_entry(device_filter=f"{H100}:0x16C110DE")], []),
        ([an_entry(device_filter=f"{H100}:0x16C110DE"), an_entry(device_filter=H100)], [0]),
    ],
)
def test_an_entry_is_overridden_if_later_entries_cover_all_its_gpus(
    entries: list[dict[str, Any]], dead: list[int]
) -> None:
    found = [finding.path for finding in lint(parted.read(a_file(*entries))) if finding.rule is LintRule.OVERRIDDEN]
    assert found == [f"mig-configs.dense[{position}]" for position in dead]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([OFF], []),
        ([OFF | {"device-filter": H100}, OFF], [LintRule.OVERRIDDEN]),
        ([an_entry(device_filter=H100), an_entry(device_filter=A100)], [LintRule.NOT_ALL_DISABLED]),
        ([OFF | {"device-filter": H100}], [LintRule.NOT_ALL_DISABLED]),
    ],
    ids=["off", "off twice", "on", "off on some"],
)
def test_all_disabled_must_be_mig_off_on_every_gpu(entries: list[dict[str, Any]], found: list[LintRule]) -> None:
    file = parted.read({"version": "v1", "mig-configs": {"all-disabled": entries}})
    assert [finding.rule for finding in lint(file)] == found


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("all-1g.10gb+me", "write all-1g.10gb.me"),
        ("with space", "write with-space"),
        ("a" * 64, f"write {'a' * 63}"),
        ("-a", "write a"),
        ("ä", "write letters and digits"),
    ],
)
def test_a_name_that_is_not_a_label_value_is_found_with_a_valid_one(name: str, remedy: str) -> None:
    configs = {"all-disabled": [OFF], name: [an_entry(device_filter=H100)]}
    (finding,) = lint(parted.read({"version": "v1", "mig-configs": configs}))
    assert (finding.rule, finding.path) == (LintRule.INVALID_NAME, f"mig-configs.{name}")
    assert finding.text.endswith(remedy)
