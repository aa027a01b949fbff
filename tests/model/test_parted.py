"""The mig-parted file: what NVIDIA accepts and refuses, and what it means."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.documents import parse
from mig_fleet.model import GpuGroup, Layout, Verdict, gpus, parted
from mig_fleet.model.errors import InvalidPartedFile, UnknownConfig
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.parted.lint import LintRule, lint
from mig_fleet.model.placement import feasible
from tests.model.parted_data import a_file, an_entry

ESTABLISHED = [model for model in gpus.all_models() if feasible(model)]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "must be a mapping"),
        ({"mig-configs": {}}, "missing 'version'"),
        ({"version": "v2"}, "version: must be v1, found 'v2'"),
        ({"version": 1}, "version: must be a string"),
        ({"version": "v1", "configs": {}}, "configs: unexpected field"),
        ({"version": "v1", "mig-configs": {}}, "mig-configs: at least one entry"),
        ({"version": "v1", "mig-configs": {"a": []}}, "mig-configs.a: at least one entry"),
        (a_file(an_entry(devices="some")), "devices: must be all or a list of GPU indexes, found 'some'"),
        (a_file(an_entry(devices=["0"])), "must be a whole number, found '0'"),
        (a_file({"devices": "all"}), "missing required field 'mig-enabled'"),
        (a_file({"mig-enabled": False}), "missing required field 'devices'"),
        (a_file(an_entry(mig_enabled="true")), "mig-enabled: must be true or false, found 'true'"),
        (a_file(an_entry(extra=1)), "mig-configs.dense[0].extra: unexpected field"),
        (a_file({"devices": "all", "mig-enabled": True}), "missing required field 'mig-devices'"),
        (a_file(an_entry(mig_enabled=False)), "MIG devices included when 'mig-enabled' is false"),
        (a_file(an_entry(mig_devices={"1g.10gb": 0})), "all counts are 0"),
        (a_file(an_entry(mig_devices={"1g.10gb": -1})), "invalid count -1"),
        (a_file(an_entry(mig_devices={"1g.10gb": "7"})), "must be a whole number, found '7'"),
        (a_file(an_entry(mig_devices={"1g.10gb.me": 1})), "NVIDIA's tools expect 1g.10gb+me"),
        (a_file(an_entry(device_filter=0x233010DE)), 'write it quoted, "0x233010DE"'),
        (a_file(an_entry(device_filter=["0x20B210DE", 0x233010DE])), 'write it quoted, "0x233010DE"'),
    ],
)
def test_what_nvidia_refuses_is_refused_with_its_path(document: object, place: str) -> None:
    with pytest.raises(InvalidPartedFile) as refused:
        parted.read(document)
    assert place in str(refused.value)
    assert pickle.loads(pickle.dumps(refused.value)).path == refused.value.path


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"version": "v1"},
        a_file(an_entry(mig_devices={"9g.999gb": 100})),
        a_file(an_entry(mig_devices={})),
        a_file(an_entry(device_filter="")),
        a_file(an_entry(device_filter=[])),
        a_file(an_entry(mig_devices={"1g.10gb": 7.0})),
    ],
)
def test_what_nvidia_accepts_is_accepted_even_if_useless(document: object) -> None:
    parted.read(document)


@pytest.mark.parametrize(
    ("word", "matches"),
    [
        ("0x233010DE", True),
        ("0x233010de", True),
        ("0X233010DE", True),
        ("590352606", True),
        ("0x2330_10DE", True),
        ("0x2330", False),
        ("233010DE", False),
        ("0x10DE2330", False),
        ("0x2330:0x10DE", False),
        ("0x233010DE:0x16C110DE", False),
        ("H100", False),
        ("0xF33010DE", False),
        (" 0x233010DE", False),
    ],
)
def test_a_filter_that_cannot_be_read_matches_nothing_silently(word: str, matches: bool) -> None:
    (entry,) = parted.read(a_file(an_entry(device_filter=word))).select("dense")
    assert entry.matches("0x233010DE", 0) is matches


def test_a_filter_with_a_subsystem_id_matches_only_on_that_board() -> None:
    (entry,) = parted.read(a_file(an_entry(device_filter="0x233010DE:0x16C110DE"))).select("dense")
    assert not entry.matches("0x233010DE", 0), "other boards have the same device id"
    assert entry.may_match("0x233010DE", 0), "the board is unknown, so it may match"
    assert not entry.may_match("0x20B210DE", 0)


def test_if_the_last_entry_selects_a_board_the_result_depends_on_the_board() -> None:
    board, every = an_entry(device_filter="0x233010DE:0x16C110DE", devices=[1]), an_entry(device_filter="0x233010DE")
    last, first = parted.read(a_file(every, board)), parted.read(a_file(board, every))
    assert last.board_specific_entry("dense", "0x233010DE", 1) == last.select("dense")[1]
    assert last.board_specific_entry("dense", "0x233010DE", 0) is None
    assert first.board_specific_entry("dense", "0x233010DE", 1) is None


@pytest.mark.parametrize("subsystem", ["", "H100", "0x16C110DE:0x16C110DE", "0"])
def test_a_filter_with_an_invalid_subsystem_matches_nothing(subsystem: str) -> None:
    (entry,) = parted.read(a_file(an_entry(device_filter=f"0x233010DE:{subsystem}"))).select("dense")
    assert not entry.may_match("0x233010DE", 0)


def test_an_empty_filter_matches_every_gpu_and_the_last_entry_wins() -> None:
    first, second = an_entry(device_filter=[]), an_entry(devices=[1], mig_devices={"3g.40gb": 2})
    file = parted.read(a_file(first, second))
    found = [file.for_gpu("dense", "0x20B210DE", index) for index in range(2)]
    assert [entry.mig_devices for entry in found if entry] == [{"1g.10gb": 7}, {"3g.40gb": 2}]


def test_config_names_that_yaml_does_not_read_as_strings_are_converted_as_nvidia_does() -> None:
    one = "[{devices: all, mig-enabled: false}]"
    names = ("1", "true", "1.10", "1e6", "0x10", "yes2")
    text = "".join(f"  {name}: {one}\n" for name in names)
    document = parse("file", f"version: v1\nmig-configs:\n{text}".encode())
    assert list(parted.read(document.data).configs) == ["1", "true", "1.1", "1e+06", "16", "yes2"]
    assert document.ignored == []
    again = parse("file", f'version: v1\nmig-configs:\n  1: {one}\n  "1": {one}\n'.encode())
    assert [str(error) for error in again.ignored] == ["file:4: duplicate key '1'; the other one is in line 3"]


def test_an_unknown_config_is_refused_with_all_known_configs() -> None:
    with pytest.raises(UnknownConfig, match=r"did you mean 'dense'\? \(it defines: all-disabled, dense\)"):
        parted.read(a_file()).select("densse")


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    model = draw(st.sampled_from(ESTABLISHED))
    profiles = st.one_of(st.none(), st.sampled_from([dict(layout) for layout in feasible(model) if layout]))
    per_gpu = draw(st.lists(profiles, min_size=1, max_size=8))
    return Layout("layout", model.name, tuple(GpuGroup((index,), profiles) for index, profiles in enumerate(per_gpu)))


@given(st.lists(layouts(), max_size=4))
def test_what_is_written_is_read_back_as_the_same_layout_on_its_own_gpus_only(chosen: list[Layout]) -> None:
    file = parted.read(parse("file", parted.dump(chosen).encode()).data)
    assert set(file.configs) == {layout.config_name for layout in chosen} | {ALL_DISABLED}
    for layout in chosen:
        for index, profiles in enumerate(layout.per_gpu(max(1, sum(len(it.devices or ()) for it in layout.groups)))):
            for pci in layout.model.pci_device_ids:
                entry = file.for_gpu(layout.config_name, pci, index)
                assert entry is not None
                assert (entry.mig_devices if entry.mig_enabled else None) == profiles
            if not layout.is_disabled:
                assert file.for_gpu(layout.config_name, "0x000110DE", index) is None, "a filter selects another GPU"


@given(st.lists(layouts(), max_size=4), st.randoms(use_true_random=False))
def test_the_same_layouts_are_the_same_bytes(chosen: list[Layout], random: Any) -> None:
    shuffled = list(chosen)
    random.shuffle(shuffled)
    assert parted.dump(shuffled) == parted.dump(chosen)


@given(st.lists(layouts(), max_size=3))
def test_nothing_that_we_write_is_silently_misread(chosen: list[Layout]) -> None:
    rules = {finding.rule for finding in lint(parted.read(parse("file", parted.dump(chosen).encode()).data))}
    unproven = any(proof.verdict is Verdict.UNPROVEN for layout in chosen for _, proof in layout.proofs())
    expected = {LintRule.DEPENDS_ON_NODE, LintRule.UNPROVEN} if unproven else {LintRule.DEPENDS_ON_NODE}
    assert rules <= expected, "the file cannot state the number of GPUs of a node and the profile names of a board"
