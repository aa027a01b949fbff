"""The catalog of GPU models: complete, consistent, sourced, and found by every name in use."""

import pickle
from itertools import combinations
from pathlib import Path

import pytest

from mig_fleet import model as mig
from mig_fleet.model import gpus
from mig_fleet.model.errors import AmbiguousGpu, AmbiguousProfile, UnknownProfile

FOLDER = Path(mig.__file__).parent / "gpus"
MODELS = {model.name: model for model in gpus.all_models()}


def test_the_catalog_has_25_models_and_every_file_of_its_folder() -> None:
    assert len(MODELS) == 25
    files = {path.stem for path in FOLDER.glob("*.toml")} - {"sources"}
    assert files == {model.short.lower() for model in gpus.all_models()}


@pytest.mark.parametrize("name", MODELS)
def test_every_name_of_a_model_finds_that_model(name: str) -> None:
    model = MODELS[name]
    labels = [product.replace(" ", "-") + "-MIG-1g.10gb" for product in model.product_names]
    for word in (model.name, model.short, *model.product_names, *model.pci_device_ids, *labels, model.name.upper()):
        assert gpus.find(word) is model
    assert gpus.find(model) is model
    assert pickle.loads(pickle.dumps(model)) is model


def test_no_pci_id_belongs_to_two_models() -> None:
    ids = [pci for model in MODELS.values() for pci in model.pci_device_ids]
    assert len(set(ids)) == len(ids)
    assert all(gpus.by_pci(pci) is not None for pci in ids)
    assert gpus.by_pci("0x00000000") is None


def test_a_model_that_shares_profiles_names_the_other_model() -> None:
    for model in MODELS.values():
        assert model.same_profiles_as is None or model.same_profiles_as in MODELS


def test_no_note_contradicts_the_product_names() -> None:
    for model in MODELS.values():
        if model.product_names:
            assert not any("No product name is sourced" in note for note in model.notes), model


# Rows with a published maximum that differs from the one by placements, slices and engines: (derived, published).
DISAGREEING = {
    # No source gives the engines of these models, so the derived maximum does not know that +me needs the only OFA.
    "H20-96GB 1g.12gb+me": (7, 1),
    "H20-141GB 1g.18gb+me": (7, 1),
    "B300-269GB 1g.34gb+me": (7, 1),
    "GB300-278GB 1g.35gb+me": (7, 1),
    # No source gives any placement of Thor, so nothing can be derived.
    "Thor 1g.0gb": (0, 1),
    "Thor 1g.0gb+me": (0, 1),
    "Thor 1g.0gb+gfx": (0, 1),
    "Thor 2g.0gb": (0, 1),
    "Thor 2g.0gb+gfx": (0, 1),
    "Thor 3g.0gb": (0, 1),
    "Thor 3g.0gb+gfx": (0, 1),
}


def derived(model: gpus.GpuModel, row: gpus.GpuProfile) -> int:
    """The most instances of one profile, from its placements, slices and engines alone."""
    places = [set(range(start, start + row.size)) for start in row.starts]
    disjoint = max(
        size
        for size in range(len(places) + 1)
        for chosen in combinations(places, size)
        if len(set().union(*chosen)) == sum(map(len, chosen))
    )
    engines = [
        total // mine for mine, total in zip(row.engines, model.engines, strict=True) if mine and total is not None
    ]
    return min(disjoint, model.compute_slices // row.compute_slices, model.max_gpu_instances, *engines)


def test_every_max_instances_follows_from_the_facts_except_in_these_rows() -> None:
    rows = {f"{model.short} {row.name}": (model, row) for model in gpus.all_models() for row in model.profiles.values()}
    assert len(rows) == 176
    found = {name: (derived(model, row), row.max_instances) for name, (model, row) in rows.items()}
    assert {name: both for name, both in found.items() if both[0] != both[1]} == DISAGREEING


def test_a_chip_with_several_memories_is_ambiguous_and_lists_them() -> None:
    with pytest.raises(AmbiguousGpu, match="H100-64GB, H100-80GB, H100-94GB"):
        gpus.find("H100")


def test_an_unknown_profile_is_refused_with_the_nearest_and_with_all() -> None:
    with pytest.raises(UnknownProfile) as refused:
        gpus.find("H100-80GB").profile("1g.1gb")
    assert str(refused.value) == (
        "unknown MIG profile '1g.1gb'; did you mean '1g.10gb'? "
        "(H100-80GB offers 1g.10gb, 1g.10gb+me, 1g.20gb, 2g.20gb, 3g.40gb, 4g.40gb, 7g.80gb)"
    )


def test_the_same_name_is_a_different_slice_on_different_models() -> None:
    assert gpus.find("A100-40GB").profile("1g.10gb").memory_slices == 2
    assert gpus.find("A100-80GB").profile("1g.10gb").memory_slices == 1


def test_a_profile_without_a_model_is_found_only_if_it_has_one_meaning() -> None:
    assert gpus.find_profile("1g.6gb").memory_slices == 1
    with pytest.raises(AmbiguousProfile, match=r"'1g\.10gb' means 3 different slices") as refused:
        gpus.find_profile("1g.10gb")
    assert "1 of 7 compute and 2 of 8 memory slices, 14 SMs, at most 4 (A100-40GB, A800-40GB)" in str(refused.value)
    with pytest.raises(UnknownProfile, match=r"unknown MIG profile '1g\.1gb'; did you mean"):
        gpus.find_profile("1g.1gb")


def test_nvmls_two_numberings_are_not_mixed() -> None:
    model = gpus.find("H100-80GB")
    by_id = model.by_nvml_id(9)
    assert by_id is not None
    assert (by_id.name, by_id.nvml_enum) == ("3g.40gb", 2)
    assert model.profile("1g.20gb").nvml_enum == 9


def test_a_part_finds_its_instance_only_if_the_instance_can_be_split_like_this() -> None:
    model = gpus.find("H100-80GB")
    assert model.profile("1c.3g.40gb").name == "3g.40gb"
    with pytest.raises(UnknownProfile):
        model.profile("5c.7g.80gb+me")
