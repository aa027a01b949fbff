"""What NVIDIA's parser accepts and NVIDIA's tools then do wrong: found, with the remedy, and nothing else is."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import parted
from mig_fleet.model.parted import Entry
from mig_fleet.model.parted.lint import ADVICE, Trap, lint
from tests.model.parted_data import OFF, a_file, an_entry

H100, H100_PCIE, A100 = "0x233010DE", "0x233110DE", "0x20B210DE"


@pytest.mark.parametrize(
    ("entry", "trap", "says"),
    [
        (an_entry(device_filter="0x2330"), Trap.FILTER, 'write "0x233010DE"'),
        (an_entry(device_filter="0x10DE2330"), Trap.FILTER, 'write "0x233010DE"'),
        (an_entry(device_filter="H200"), Trap.FILTER, 'write "0x233510DE", "0x233B10DE"'),
        (an_entry(device_filter="0x233010DE:board"), Trap.FILTER, 'write "0x233010DE"'),
        (an_entry(device_filter="Voodoo"), Trap.FILTER, 'ids look like "0x233010DE"'),
        (an_entry(device_filter="0x123410DE"), Trap.UNPROVEN, "is no GPU that does MIG according to the catalog"),
        (an_entry(device_filter="0x20B210DE", mig_devices={"1g.5gb": 7}), Trap.PROFILE, "A100-80GB lacks this"),
        (an_entry(mig_devices={"1g.1gb": 7}), Trap.PROFILE, "no GPU of the catalog has this"),
        (
            an_entry(device_filter=["0x233010DE", "0x20B010DE"], mig_devices={"1g.10gb": 4, "3g.40gb": 0}),
            Trap.ASSERT,
            "leave 3g.40gb out",
        ),
        (
            an_entry(device_filter=["0x233010DE", "0x20B010DE"], mig_devices={"3g.40gb": 1}),
            Trap.PROFILE,
            "A100-40GB is selected too but has no 3g.40gb",
        ),
        (an_entry(mig_devices={"1c.1g.10gb": 7}), Trap.ASSERT, "write 1g.10gb"),
        (an_entry(mig_devices={}), Trap.EMPTY, "without any instance"),
        (
            an_entry(device_filter="0x20B210DE", mig_devices={"1c.3g.40gb": 3}),
            Trap.SPLIT,
            "one such device takes the device plugin of its node down",
        ),
        (
            an_entry(device_filter="0x294110DE", mig_devices={"1g.24gb": 7}),
            Trap.UNPROVEN,
            "1g.23gb is 1g.24gb on early",
        ),
        (
            an_entry(device_filter="0x294110DE", mig_devices={"1g.23gb": 7}),
            Trap.UNPROVEN,
            "1g.23gb is 1g.24gb on early",
        ),
        (an_entry(mig_devices={"3g.95gb": 2}), Trap.UNPROVEN, "no proof for GB200-186GB: names differ between boards"),
        (an_entry(devices=[0, 2]), Trap.UNCOVERED, "GPU 1 is in no entry"),
        (
            an_entry(device_filter="0x233010DE", devices=[0, 1]),
            Trap.OPEN,
            "a GPU of 0x233010DE above 1 would be in no entry",
        ),
        (an_entry(), Trap.MIXED, "add the ids of the GPUs it is meant for"),
        (an_entry(devices=[]), Trap.UNCOVERED, "selects no GPU"),
        (an_entry(devices=[-1]), Trap.UNCOVERED, "selects no GPU"),
        (an_entry(devices=[2**62]), Trap.UNCOVERED, "14, 15 and more is in no entry"),
        (an_entry(device_filter="0x233010DE", mig_devices={"4g.40gb": 2}), Trap.IMPOSSIBLE, "need 8 compute slices"),
        (
            an_entry(device_filter="0x233010DE:0x16C110DE", mig_devices={"9g.999gb": 100}),
            Trap.PROFILE,
            "H100-80GB lacks this",
        ),
        (
            an_entry(device_filter="0x233010DE:0x16C110DE", mig_devices={"3g.40gb": 2, "1g.10gb": 1}),
            Trap.IMPOSSIBLE,
            "cannot be on H100-80GB",
        ),
        (an_entry(mig_devices={"4g.40gb": 2}), Trap.IMPOSSIBLE, "need 8 compute slices"),
        (an_entry(device_filter="0x31C210DE", mig_devices={"1g.35gb": 3}), Trap.UNPROVEN, "no proof for GB300"),
    ],
)
def test_a_trap_is_found_with_its_remedy(entry: dict[str, Any], trap: Trap, says: str) -> None:
    found = lint(parted.read(a_file(entry)))
    assert any(finding.trap is trap and says in finding.text for finding in found), found


def test_a_sound_file_has_no_finding() -> None:
    for word in ("0x233010DE", "0x233010DE:0x16C110DE"):
        assert lint(parted.read(a_file(an_entry(device_filter=word)))) == ()


def test_a_file_without_all_disabled_is_found() -> None:
    file = parted.read({"version": "v1", "mig-configs": {"dense": [an_entry(device_filter="0x233010DE")]}})
    assert [finding.trap for finding in lint(file)] == [Trap.ALL_DISABLED]


def test_the_size_of_a_node_decides_what_is_uncovered() -> None:
    file = parted.read(a_file(an_entry(device_filter="0x233010DE", devices=[0, 1])))
    assert [f.trap for f in lint(file, gpus_per_node=4)] == [Trap.UNCOVERED]
    assert lint(file, gpus_per_node=2) == ()


def traps(*entries: dict[str, Any], gpus_per_node: int | None = None) -> list[Trap]:
    return [finding.trap for finding in lint(parted.read(a_file(*entries)), gpus_per_node)]


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
        [OFF, an_entry(device_filter=H100, devices=[1])],
        [OFF | {"devices": [0]}, an_entry(device_filter=H100, devices=[1])],
        [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=f"{H100}:0x16C110DE", devices=[1])],
        [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=A100, devices=[1])],
    ],
    ids=["two spellings", "a decimal", "a list", "all others off", "another one off", "a board", "a mixed node"],
)
def test_a_node_of_which_every_gpu_is_in_an_entry_is_covered_however_the_filters_are_spelled(
    entries: list[dict[str, Any]],
) -> None:
    assert set(traps(*entries, gpus_per_node=2)) <= ADVICE


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([an_entry(device_filter=[H100, H100_PCIE], devices=[0])], f"GPU 1 of {H100}, {H100_PCIE} is in no entry"),
        (
            [an_entry(device_filter=[H100, H100_PCIE], devices=[0]), an_entry(device_filter=H100, devices=[1])],
            f"GPU 1 of {H100_PCIE} is in no entry",
        ),
        (
            [an_entry(device_filter=f"{H100}:0x16C110DE", devices=[1])],
            f"GPU 0 of {H100}:0x16C110DE is in no entry",
        ),
        ([OFF | {"devices": [0]}], "GPU 1 is in no entry"),
    ],
)
def test_a_gpu_that_is_in_no_entry_is_told_with_its_kind(entries: list[dict[str, Any]], says: str) -> None:
    told = [f.text for f in lint(parted.read(a_file(*entries)), gpus_per_node=2) if f.trap is Trap.UNCOVERED]
    assert [text.partition(": assert")[0] for text in told] == [says]


def test_device_ids_that_share_no_index_are_taken_for_one_mixed_node_and_that_is_told() -> None:
    mixed = [an_entry(device_filter=H100, devices=[0]), an_entry(device_filter=A100, devices=[1])]
    (finding,) = lint(parted.read(a_file(*mixed)), gpus_per_node=2)
    assert finding.text.startswith(f"{H100} has GPU 0, {A100} has GPU 1: on a node that does not mix them so, assert")
    assert traps(*mixed, gpus_per_node=3) == [Trap.OPEN, Trap.UNCOVERED], "GPU 2 is in no entry on any node"


FILTERS = [H100, H100.lower(), H100_PCIE, A100, f"{H100}:0x16C110DE"]
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
    ),
    min_size=1,
    max_size=4,
)
BOARDS = [None, "0x16C110DE"]


def winner(entries: Sequence[Entry], pci: str, board: str | None, index: int) -> Entry | None:
    """The entry that mig-parted applies last to a GPU."""
    return next((entry for entry in reversed(entries) if entry.matches(pci, index, board)), None)


@given(ENTRIES)
def test_where_nothing_is_told_every_gpu_of_a_kind_that_is_selected_has_an_entry(written: list[dict[str, Any]]) -> None:
    file = parted.read(a_file(*written))
    entries = file.select("dense")
    told = {finding.trap for finding in lint(file, gpus_per_node=3)} & {Trap.UNCOVERED, Trap.OPEN}
    bare = [
        (pci, board, index)
        for pci, board in product([H100, H100_PCIE, A100, "0x20B510DE"], BOARDS)
        for index in range(3)
        if any(entry.selects(pci, board) for entry in entries) and winner(entries, pci, board, index) is None
    ]
    assert bool(told) is bool(bare)


@given(ENTRIES)
def test_an_entry_that_is_told_as_overridden_can_be_taken_out_and_no_other_can(written: list[dict[str, Any]]) -> None:
    file = parted.read(a_file(*written))
    entries = file.select("dense")
    dead = {finding.path for finding in lint(file) if finding.trap is Trap.OVERRIDDEN}
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
def test_an_entry_of_which_later_ones_take_every_gpu_is_told_as_advice(
    entries: list[dict[str, Any]], dead: list[int]
) -> None:
    found = [finding.path for finding in lint(parted.read(a_file(*entries))) if finding.trap is Trap.OVERRIDDEN]
    assert found == [f"mig-configs.dense[{position}]" for position in dead]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([OFF], []),
        ([OFF | {"device-filter": H100}, OFF], [Trap.OVERRIDDEN]),
        ([an_entry(device_filter=H100), an_entry(device_filter=A100)], [Trap.NOT_DISABLED]),
        ([OFF | {"device-filter": H100}], [Trap.NOT_DISABLED]),
    ],
    ids=["off", "off twice", "on", "off on some"],
)
def test_all_disabled_is_mig_off_on_every_gpu_or_else_told_once(
    entries: list[dict[str, Any]], found: list[Trap]
) -> None:
    file = parted.read({"version": "v1", "mig-configs": {"all-disabled": entries}})
    assert [finding.trap for finding in lint(file)] == found


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
def test_a_name_that_no_label_can_carry_is_found_with_one_that_works(name: str, remedy: str) -> None:
    configs = {"all-disabled": [OFF], name: [an_entry(device_filter=H100)]}
    (finding,) = lint(parted.read({"version": "v1", "mig-configs": configs}))
    assert (finding.trap, finding.path) == (Trap.NAME, f"mig-configs.{name}")
    assert finding.text.endswith(remedy)
