"""The catalog of GPU models: complete, consistent, sourced, and found by every name people use."""

import pickle
from pathlib import Path

import pytest

import mig
from mig import gpus
from mig.errors import AmbiguousGpu, AmbiguousProfile, InvalidCatalog, UnknownGpu, UnknownProfile
from mig.gpus.loader import load
from mig.placement.grid import grid_of, search

FOLDER = Path(mig.__file__).parent / "gpus"
MODELS = {model.name: model for model in gpus.all_models()}


def test_the_catalog_holds_25_models_and_every_file_of_its_folder() -> None:
    assert len(MODELS) == 25
    files = {path.stem for path in FOLDER.glob("*.toml")} - {"sources"}
    assert files == {model.short.lower() for model in gpus.all_models()}


@pytest.mark.parametrize("name", MODELS)
def test_every_name_of_a_model_finds_it(name: str) -> None:
    model = MODELS[name]
    labels = [product.replace(" ", "-") + "-MIG-1g.10gb" for product in model.product_names]
    for word in (model.name, model.short, *model.product_names, *model.pci_device_ids, *labels, model.name.upper()):
        assert gpus.find(word) is model
    assert pickle.loads(pickle.dumps(model)) is model


def test_no_pci_id_belongs_to_two_models() -> None:
    ids = [pci for model in MODELS.values() for pci in model.pci_device_ids]
    assert len(set(ids)) == len(ids)
    assert all(gpus.by_pci(pci) is not None for pci in ids)
    assert gpus.by_pci("0x00000000") is None


@pytest.mark.parametrize("name", MODELS)
def test_every_row_says_where_it_comes_from(name: str) -> None:
    for row in MODELS[name].profiles.values():
        assert row.sources
        assert row.confidence in {"lgip-output", "nvidia-doc", "derived"}
        words = ("lgipp-output", "derived", "derived-normalized", "none-published")
        assert row.placement_confidence.split(" ")[0] in words


# No source gives the engines of these models, so that only the published number limits +me to one.
ENGINES_UNKNOWN = {"H20-96GB", "H20-141GB (HBM3e)", "B300-269GB (HGX B300)", "GB300-278GB"}


@pytest.mark.parametrize("name", MODELS)
def test_max_instances_follow_from_placements_compute_slices_and_engines(name: str) -> None:
    model = MODELS[name]
    grid = grid_of(model)
    disagreeing = {}
    for kind in grid.kinds:
        derived = 0
        while True:
            counts = [derived + 1 if other is kind else 0 for other in grid.kinds]
            fits = kind.compute * (derived + 1) <= grid.compute and sum(counts) <= grid.instances
            engines = all(e * (derived + 1) <= limit for e, limit in zip(kind.engines, grid.engines, strict=True))
            if not fits or not engines or search([kind] * (derived + 1)) is None:
                break
            derived += 1
        if derived != kind.max_instances:
            disagreeing[kind.name] = (derived, kind.max_instances)
    if name in ENGINES_UNKNOWN:
        assert list(disagreeing.values()) == [(7, 1)], "only +me, whose OFA no source counts"
        assert next(iter(disagreeing)).endswith("+me")
    elif model.short == "Thor":
        assert {derived for derived, _ in disagreeing.values()} == {0}, "no source gives any placement of Thor"
    else:
        assert disagreeing == {}


def test_a_chip_with_several_memories_is_ambiguous_and_lists_them() -> None:
    with pytest.raises(AmbiguousGpu, match="H100-64GB, H100-80GB, H100-94GB"):
        gpus.find("H100")


@pytest.mark.parametrize(("word", "near"), [("H100-80G", "H100-80GB"), ("A100 80 GB", "A100-80GB")])
def test_an_unknown_model_answers_with_the_nearest_name(word: str, near: str) -> None:
    with pytest.raises(UnknownGpu, match=f"did you mean '{near}"):
        gpus.find(word)


def test_an_unknown_profile_answers_with_the_nearest_and_with_all() -> None:
    with pytest.raises(UnknownProfile) as refused:
        gpus.find("H100-80GB").profile("1g.1gb")
    assert str(refused.value) == (
        "unknown MIG profile '1g.1gb'; did you mean '1g.10gb'? "
        "(H100-80GB offers 1g.10gb, 1g.10gb+me, 1g.20gb, 2g.20gb, 3g.40gb, 4g.40gb, 7g.80gb)"
    )


def test_the_same_name_is_a_different_slice_on_different_models() -> None:
    assert gpus.find("A100-40GB").profile("1g.10gb").memory_slices == 2
    assert gpus.find("A100-80GB").profile("1g.10gb").memory_slices == 1


def test_a_profile_without_a_model_is_found_only_if_it_means_one_thing() -> None:
    assert gpus.find_profile("1g.6gb").memory_slices == 1
    with pytest.raises(AmbiguousProfile, match=r"'1g\.10gb' is 3 different things") as refused:
        gpus.find_profile("1g.10gb")
    assert "1 of 7 compute and 2 of 8 memory slices, 14 SMs, at most 4 (A100-40GB, A800-40GB)" in str(refused.value)
    with pytest.raises(UnknownProfile, match=r"unknown MIG profile '1g\.1gb'; did you mean"):
        gpus.find_profile("1g.1gb")


def test_nvmls_two_numberings_are_kept_apart() -> None:
    model = gpus.find("H100-80GB")
    by_id = model.by_nvml_id(9)
    assert by_id is not None
    assert (by_id.name, by_id.nvml_enum) == ("3g.40gb", 2)
    assert model.profile("1g.20gb").nvml_enum == 9


def test_a_split_profile_finds_its_instance_only_if_it_can_be_split_so() -> None:
    model = gpus.find("H100-80GB")
    assert model.profile("1c.3g.40gb").name == "3g.40gb"
    with pytest.raises(UnknownProfile):
        model.profile("5c.7g.80gb+me")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"0x233010DE"', '"0x2330"', r"table \[\], key 'pci_device_ids': '0x2330' must look like 0x233010DE"),
        ("memory_gb = 80", 'memory_gb = "80"', r"key 'memory_gb': must be a whole number, found '80'"),
        ("memory_gb = 80", "memory_gb = true", r"key 'memory_gb': must be a whole number, found True"),
        ("memory_gb = 80\n", "", r"key 'memory_gb': is missing"),
        ("memory_gb = 80", "memory_bg = 80", r"memory_gb"),
        ("memory_gb = 80", "memory_gb = 80\nwatts = 700", r"key 'watts': is not a key here"),
        ('geometry = "established"', 'geometry = "guessed"', r"key 'geometry': must be one of established, unverified"),
        ("size = 4", "size = 3", r'\[profiles."3g.40gb"\], key \'size\''),
        ("starts = [0, 4]", "starts = [0, 5]", r'\[profiles."3g.40gb"\], key \'starts\': must ascend'),
        ("starts = [0, 4]", "starts = [4, 0]", r"must ascend"),
        ("max_instances = 7", "max_instances = 0", r"key 'max_instances': must be at least 1"),
        ("ofa = 1", "ofa = -1", r"must not be negative"),
        ('"2g.20gb"]', '"1c.2g.20gb"]', r"canonical name, 2g.20gb"),
        ("compute_slices = 2", "compute_slices = 3", r"must be the 2 of the name"),
        ('"lgip-h100-80"', '"hearsay"', r"'hearsay' is not in sources.toml"),
        ("[profiles", "[[profiles", r"is not TOML"),
    ],
)
def test_a_malformed_entry_is_refused_with_file_table_and_key(old: str, new: str, place: str) -> None:
    text = (FOLDER / "h100-80gb.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(InvalidCatalog, match=place) as refused:
        load("h100-80gb.toml", text.replace(old, new, 1), gpus.sources())
    assert "h100-80gb.toml" in str(refused.value)


def test_the_proper_file_loads() -> None:
    text = (FOLDER / "h100-80gb.toml").read_text("utf-8")
    assert load("h100-80gb.toml", text, gpus.sources()).profiles == gpus.find("H100-80GB").profiles
