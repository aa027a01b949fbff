"""A catalog file with an impossible fact is refused with file, table and key."""

from pathlib import Path

import pytest

from mig_fleet import model as mig
from mig_fleet.model import gpus
from mig_fleet.model.errors import InvalidCatalog
from mig_fleet.model.gpus.loader import load

FOLDER = Path(mig.__file__).parent / "gpus"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"0x233010DE"', '"0x2330"', r"table \[\], key 'pci_device_ids': '0x2330' must look like 0x233010DE"),
        ("memory_gb = 80", 'memory_gb = "80"', r"key 'memory_gb': must be a whole number, found '80'"),
        ("memory_gb = 80", "memory_gb = true", r"key 'memory_gb': must be a whole number, found True"),
        ("memory_gb = 80\n", "", r"key 'memory_gb': is missing"),
        ("memory_gb = 80", "memory_bg = 80", r"memory_gb"),
        ("memory_gb = 80", "memory_gb = 80\nwatts = 700", r"key 'watts': unknown key"),
        ('geometry = "established"', 'geometry = "guessed"', r"key 'geometry': must be one of established, unverified"),
        ("size = 4", "size = 3", r'\[profiles."3g.40gb"\], key \'size\''),
        (
            'driver_min = "R525 (525.85.12)"',
            'driver_min = "R525 (525.85.12) assumed"',
            r"\[\], key 'driver_min': must look like R550 \(550.90.07\), .* found 'R525 \(525.85.12\) assumed'",
        ),
        ("R525 (525.85.12)", "R525 (535.85.12)", r"\[\], key 'driver_min': must look like R550"),
        ("starts = [0, 4]", "starts = [0, 5]", r'\[profiles."3g.40gb"\], key \'starts\': must ascend'),
        ("starts = [0, 4]", "starts = [4, 0]", r"must ascend"),
        ("max_instances = 7", "max_instances = 0", r"key 'max_instances': must be 7 by placements"),
        ("ofa = 1", "ofa = -1", r"must not be negative"),
        ('"2g.20gb"]', '"1c.2g.20gb"]', r"the key must be the canonical name, 2g.20gb"),
        ("compute_slices = 2", "compute_slices = 3", r"must be the 2 of the name"),
        ('"lgip-h100-80"', '"hearsay"', r"'hearsay' is not in sources.toml"),
        ("[profiles", "[[profiles", r"is not TOML"),
        (
            'confidence = "lgip-output"',
            'confidence = "lies"',
            r"\[\], key 'confidence': must be one of lgip-output, nvidia-doc",
        ),
        ('"lgipp-output"', '"foo"', r"1g.10gb\"\], key 'placement_confidence': must be one of lgipp-output, derived,"),
        (
            '"lgipp-output"',
            '"none-published"',
            r"'placement_confidence': must be none-published if and only if there are no",
        ),
        (
            'names_confidence = "sourced"',
            'names_confidence = "sure"',
            r"'product_names_confidence': must be one of sourced",
        ),
        ('name = "H100-80GB"', 'name = ""', r"key 'name': must not be empty"),
        ('short = "H100-80GB"', 'short = " "', r"key 'short': must not be empty"),
        ('short = "H100-80GB"', 'short = "H100 80GB"', r"key 'short': must be a label value"),
        ('"NVIDIA H100 PCIe"', '""', r"key 'product_names': must not hold an empty one"),
        (
            '"NVIDIA H100 PCIe"',
            '"NVIDIA H100 80GB HBM3"',
            r"key 'product_names': duplicate NVIDIA H100 80GB HBM3",
        ),
        ('"0x233010DE"', '"0x233110DE"', r"key 'pci_device_ids': duplicate 0x233110DE"),
        ("sources = [", "sources = [] #", r"\[\], key 'sources': must name at least one source"),
        ('sources = ["lgip-h100-80", "ug-profiles-610"]', "sources = []", r"1g.10gb\"\], key 'sources': must name at"),
        ("max_gpu_instances = 7", "max_gpu_instances = 0", r"'max_gpu_instances': must be 1 to the 7 compute slices"),
        ("max_gpu_instances = 7", "max_gpu_instances = 8", r"'max_gpu_instances': must be 1 to the 7 compute slices"),
        ("compute_slices = 7", "compute_slices = 0", r"'compute_slices': must be 1 to 64, found 0"),
        ("memory_slices = 8", "memory_slices = 65", r"'memory_slices': must be 1 to 64, found 65"),
        (
            "max_instances = 7",
            "max_instances = 6",
            r"'max_instances': must be 7 by placements, slices and engines, found 6",
        ),
        ("max_instances = 1", "max_instances = 2", r"10gb\+me\"\], key 'max_instances': must be 1 by placements"),
        ("copy = 1,", "copy = 9,", r"1g.10gb\".engines\], key 'copy': must be at most the GPU's 8, found 9"),
        ("memory_mib = 9984", "memory_mib = 99840", r"key 'memory_mib': must be at most the GPU's 81559 MiB"),
        ("sm_count = 16", "sm_count = 1600", r"1g.10gb\"\], key 'sm_count': must be 1 to 32, .* found 1600"),
        ("sm_count = 132", "sm_count = 1320", r"7g.80gb\"\], key 'sm_count': must be 7 to 256"),
        ("nvml_enum = 0", "nvml_enum = 99", r"1g.10gb\"\], key 'nvml_enum': 1g is 0 or 9 in NVML, found 99"),
        ("nvml_enum = 0", "nvml_enum = 9", r"1g.20gb\"\], key 'nvml_enum': 9 is already the number of 1g.10gb"),
        ("nvml_enum = 7", "nvml_enum = 10", r"10gb\+me\"\], key 'nvml_enum': 1g\+me is 7 in NVML, found 10"),
        ("nvml_id = 19", "nvml_id = 20", r"10gb\+me\"\], key 'nvml_id': 20 is already the number of 1g.10gb"),
        ('{ name = "1g.10gb",', '{ name = "banana",', r"instances\[0\]\], key 'name': must be 1g.10gb, found banana"),
        ("slices = 1, instances", "slices = 9, instances", r"'slices': must be 1 to the profile's 1, found 9"),
        ("slices = 1, instances = 1", "slices = 1, instances = 0", r"'instances': must be 1, as many as fit, found 0"),
        ("ci_profile_id = 0", "ci_profile_id = 2", r"'ci_profile_id': must be 0 or 7, found 2"),
        ("instances = 2, sm_count = 16", "instances = 2, sm_count = 33", r"'sm_count': must be 1 to the profile's 32"),
    ],
)
def test_a_malformed_entry_is_refused_with_file_table_and_key(old: str, new: str, place: str) -> None:
    text = (FOLDER / "h100-80gb.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(InvalidCatalog, match=place) as refused:
        load("h100-80gb.toml", text.replace(old, new, 1), gpus.sources())
    assert "h100-80gb.toml" in str(refused.value)


def test_the_unchanged_file_loads() -> None:
    text = (FOLDER / "h100-80gb.toml").read_text("utf-8")
    assert load("h100-80gb.toml", text, gpus.sources()).profiles == gpus.find("H100-80GB").profiles


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('["4g.40gb", "3g.40gb"]', '["4g.80gb", "3g.40gb"]', r"key 'profiles': this model does not have 4g\.80gb"),
        ('["4g.40gb", "3g.40gb"]', "[]", r"key 'profiles': must name at least two profiles, found \[\]"),
        ('["4g.40gb", "3g.40gb"]', '["4g.40gb", "4g.40gb"]', r"key 'profiles': must name at least two profiles"),
        ('"R510"', '"the newest"', r"key 'driver_min': must look like R550 \(550.90.07\), .* found 'the newest'"),
        ('source = "ug-concepts"', 'source = "hearsay"', r"key 'source': 'hearsay' is not in sources.toml"),
    ],
)
def test_a_malformed_driver_rule_is_refused_with_its_place(old: str, new: str, place: str) -> None:
    text = (FOLDER / "a100-80gb.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(InvalidCatalog, match=rf"table \[driver_rules\[0\]\], {place}"):
        load("a100-80gb.toml", text.replace(old, new, 1), gpus.sources())


def test_a_doubt_about_a_driver_version_is_in_the_notes_and_not_in_a_requirement() -> None:
    for name, driver in (("H20-141GB", "R550 (550.90.07)"), ("GB300", "R595 (595.58.03)")):
        model = gpus.find(name)
        assert {row.driver_min for row in model.profiles.values()} == {driver}
        assert any(driver in note for note in model.notes), "the doubt"
    assert mig.prove("H20-141GB", {"1g.18gb": 7}).requires == ("driver R550 (550.90.07) or newer for 1g.18gb",)


def test_a_published_maximum_is_kept_if_no_fact_contradicts_it() -> None:
    text = (FOLDER / "h20-96gb.toml").read_text("utf-8")
    assert load("h20-96gb.toml", text, gpus.sources()).profile("1g.12gb+me").max_instances == 1
    with pytest.raises(
        InvalidCatalog, match=r"'max_instances': must be 1 to 7 by placements, slices and engines, found 8"
    ):
        load("h20-96gb.toml", text.replace("max_instances = 7", "max_instances = 8", 1), gpus.sources())
