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


def test_a_board_that_shares_a_device_id_is_distinguished_by_its_name_and_its_subsystem() -> None:
    """NVIDIA's list of GPUs has two memory sizes for 0x2BB3."""
    (other,) = gpus.find("RTX-PRO-5000").other_boards
    assert (other.memory_gb, other.subsystem_devices) == (72, ("227A",))
    assert gpus.by_board("0x2BB310DE", "NVIDIA RTX PRO 5000 Blackwell") is gpus.find("RTX-PRO-5000")
    assert gpus.by_board("0x2BB310DE", "NVIDIA RTX PRO 5000 72GB Blackwell") is None
    others = [board.name for model in MODELS.values() for board in model.other_boards]
    assert not set(others) & {name for model in MODELS.values() for name in model.product_names}


@pytest.mark.parametrize(
    ("product", "short"),
    [
        ("NVIDIA RTX PRO 4500 Blackwell Server Edition", "RTX-PRO-4500"),
        ("0x2C3A10DE", "RTX-PRO-4500"),
        ("NVIDIA-H100", "H100-94GB"),
        ("NVIDIA-H800", "H800-80GB"),
        ("NVIDIA-H20", "H20-96GB"),
        ("NVIDIA-H20-3e", "H20-141GB"),
        ("NVIDIA-A800-40GB-Active", "A800-40GB"),
        ("NVIDIA-PG506-232", "PG506-96GB"),
    ],
)
def test_a_product_of_nvidias_list_is_found(product: str, short: str) -> None:
    assert gpus.find(product).short == short


LISTED = {
    "20B0": "A100-SXM4-40GB",
    "20B2": "A100-SXM4-80GB",
    "20B5": "A100 80GB PCIe",
    "20B6": "PG506-232",
    "20B7": "A30",
    "20BD": "A800-SXM4-40GB",
    "20F1": "A100-PCIE-40GB",
    "20F3": "A800-SXM4-80GB",
    "20F5": "A800 80GB PCIe",
    "20F6": "A800 40GB Active",
    "2321": "H100 NVL",
    "2322": "H800 PCIe",
    "2324": "H800",
    "2329": "H20",
    "232C": "H20-3e",
    "2330": "H100 80GB HBM3",
    "2331": "H100 PCIe",
    "2335": "H200",
    "2339": "H100",
    "233A": "H800 NVL",
    "233B": "H200 NVL",
    "2342": "GH200 480GB",
    "2348": "GH200 144G HBM3e",
    "2901": "B200",
    "2941": "GB200",
    "2BB1": "RTX PRO 6000 Blackwell Workstation Edition",
    "2BB3": "RTX PRO 5000 Blackwell",
    "2BB4": "RTX PRO 6000 Blackwell Max-Q Workstation Edition",
    "2BB5": "RTX PRO 6000 Blackwell Server Edition",
    "2C31": "RTX PRO 4500 Blackwell",
    "3182": "B300 SXM6 AC",
    "31C2": "GB300",
}
"""Device id → product name without the vendor, in NVIDIA's list (source ``kernel-modules-595``)."""


@pytest.mark.parametrize("device", LISTED)
def test_the_device_and_the_product_of_nvidias_list_are_one_model(device: str) -> None:
    assert gpus.find(f"NVIDIA {LISTED[device]}") is gpus.by_pci(f"0x{device}10DE")


@pytest.mark.parametrize("chip", ["H100", "H800", "H20"])
def test_a_product_named_as_its_chip_makes_the_name_of_the_chip_no_less_ambiguous(chip: str) -> None:
    with pytest.raises(AmbiguousGpu):
        gpus.find(chip)


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
