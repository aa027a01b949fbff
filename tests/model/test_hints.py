"""Unknown names: the error suggests the one that was probably meant."""

import pickle

import pytest

from mig_fleet.model import gpus
from mig_fleet.model.errors import UnknownGpu, UnknownProfile
from mig_fleet.model.suggestions import did_you_mean, nearest_word, suggestion_or_known


@pytest.mark.parametrize(
    ("gpu", "asked", "near", "reason"),
    [
        (
            "H100-80GB",
            "1g.5gb",
            "1g.10gb",
            "one of eight memory slices on an A100-40GB too, although 1g.20gb is nearer in spelling",
        ),
        ("H100-80GB", "1g.18gb", "1g.10gb", "the plain 1g of an H200"),
        ("H100-80GB", "1g.5gb+me", "1g.10gb+me", "suffixes stay"),
        ("H100-80GB", "2g.10gb", "2g.20gb", "compute slices stay"),
        ("H100-80GB", "1g.24gb", "1g.20gb", "it has several meanings, so the nearest in memory"),
        ("A100-40GB", "1g.20gb", "1g.10gb", "the double-memory 1g, not 4g.20gb"),
        ("GB200", "1g.25gb", "1g.24gb", "names of other boards count"),
        ("GB200", "1g.22gb", "1g.23gb", "and so does the catalog's own"),
        ("H100-80GB", "1c.3g.20gb", "1c.3g.40gb", "parts of an instance stay parts"),
        ("H100-80GB", "3c.4g.40gb", "4g.40gb", "a 4g has no part of three slices"),
        ("RTX-PRO-6000", "1g.24gb+foo", "1g.24gb+gfx", "an unknown suffix gets the nearest spelling"),
    ],
)
def test_an_unknown_profile_is_refused_with_the_one_of_the_same_slices(
    gpu: str, asked: str, near: str, reason: str
) -> None:
    with pytest.raises(UnknownProfile) as refused:
        gpus.profile_of(gpus.find(gpu), asked)
    assert f"unknown MIG profile '{asked}'; did you mean '{near}'?" in str(refused.value), reason
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("H100-80G", "'H100-80GB'"),
        ("A100 80 GB", "'A100-80GB'"),
        ("NVIDIA H100 80GB HBM", "'NVIDIA H100 80GB HBM3' (H100-80GB)"),
        ("NVIDIA A100-SXM4-80G", "'NVIDIA A100-SXM4-80GB' (A100-80GB)"),
        ("NVIDIA H200 NVLL", "'NVIDIA H200 NVL' (H200-141GB)"),
        ("H100-SXM5-80GB", "'H100-80GB'"),
        ("RTX PRO 6000 Blackwel", "'RTX PRO 6000 Blackwell-96GB'"),
        ("0x2330", "'0x233010DE' (H100-80GB)"),
        ("2330", "'0x233010DE' (H100-80GB)"),
        ("233010DE", "'0x233010DE' (H100-80GB)"),
        ("0x10DE2330", "'0x233010DE' (H100-80GB)"),
        ("10de:2330", "'0x233010DE' (H100-80GB)"),
        ("2330:10de", "'0x233010DE' (H100-80GB)"),
        ("0x20b2", "'0x20B210DE' (A100-80GB)"),
        (0x233010DE, '"0x233010DE", in quotes'),
        (0x2330, '"0x233010DE", in quotes'),
    ],
)
def test_an_unknown_gpu_is_refused_with_a_name_that_works(word: object, near: str) -> None:
    with pytest.raises(UnknownGpu) as refused:
        gpus.find(word)  # type: ignore[arg-type]
    assert f"; did you mean {near}? (known: " in str(refused.value)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


@pytest.mark.parametrize(
    "word", ["NVIDIA RTX PRO 5000 72GB Blackwell", "A100-64GB", "NVIDIA-A100-SXM-64GB", "H200 80GB", "B300-192GB"]
)
def test_a_board_with_another_memory_is_never_proposed(word: str) -> None:
    with pytest.raises(UnknownGpu) as refused:
        gpus.find(word)
    assert refused.value.near == ""


@pytest.mark.parametrize("word", ["NVIDIA", "L40S", "0x9999", "", None, True, -5, 5, 10**40, ["H100"], "H300"])
def test_a_name_without_similar_names_gets_no_suggestion(word: object) -> None:
    with pytest.raises(UnknownGpu) as refused:
        gpus.find(word)  # type: ignore[arg-type]
    assert "did you mean" not in str(refused.value)
    assert "H100-80GB" in str(refused.value), "the message lists all models"


def test_a_part_of_an_instance_is_found_only_if_it_exists() -> None:
    assert gpus.find_profile("1c.2g.12gb").name == "2g.12gb"
    ((meaning, models),) = gpus.meanings("1c.2g.12gb").items()
    assert meaning == (
        "2 of 4 compute and 2 of 4 memory slices, 28 SMs, at most 2; "
        "1c.2g.12gb is 1 of its 2 compute slices, 14 SMs, at most 2 in one instance"
    )
    assert [model.short for model in models] == ["A30-24GB"]
    assert gpus.meanings("1c.1g.6gb") == gpus.meanings("1g.6gb"), "an alias of the whole instance"
    for impossible in ("2c.1g.6gb", "4c.2g.12gb", "3c.4g.40gb"):
        with pytest.raises(UnknownProfile, match=f"unknown MIG profile '{impossible}'; did you mean"):
            gpus.find_profile(impossible)


def test_the_meaning_of_a_name_of_some_boards_names_the_boards() -> None:
    ((meaning, models),) = gpus.meanings("3g.95gb").items()
    assert (
        meaning
        == "3 of 7 compute and 4 of 8 memory slices, at most 2; GB200-186GB: 3g.95gb on early and some other boards"
    )
    assert gpus.find_profile("3g.95gb") is models[0].profile("3g.93gb")
    (plain,) = gpus.meanings("1g.23gb")
    assert plain.endswith("; GB200-186GB: 1g.24gb on early and some other boards"), "B200 and GB200 have the same slice"
    assert any("GB200-186GB" in [model.short for model in models] for models in gpus.meanings("1g.24gb").values())


@pytest.mark.parametrize(
    ("word", "near"),
    [("layuot", "layout"), ("GPUSPERNODE", "gpusPerNode"), ("layout", "layout"), ("selector", None), ("", None)],
)
def test_the_nearest_word_is_similar_in_spelling_and_upper_case_does_not_matter(word: str, near: str | None) -> None:
    assert nearest_word(word, ["layout", "gpusPerNode"]) == near
    assert did_you_mean(word, ["layout", "gpusPerNode"]) == (f"; did you mean '{near}'?" if near else "")


@pytest.mark.parametrize(
    ("word", "known", "text"),
    [
        ("layuot", ["layout", "gpu"], "did you mean 'layout'?"),
        ("selector", ["layout", "gpu"], "known: gpu, layout"),
        ("layout", [], "known: none"),
    ],
)
def test_without_a_similar_word_the_known_ones_are_listed(word: str, known: list[str], text: str) -> None:
    assert suggestion_or_known(word, known) == text
