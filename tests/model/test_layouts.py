"""Layouts: equal meaning, equal canonical form, equal config name."""

import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.documents import parse
from mig_fleet.model import GpuGroup, Layout, Strategy, gpus, parted
from mig_fleet.model.errors import AmbiguousGpu, InvalidLayout, UnknownGpu
from mig_fleet.model.labels import ALL_DISABLED
from mig_fleet.model.placement import feasible

ESTABLISHED = [model for model in gpus.all_models() if feasible(model)]
FEASIBLE = {model.name: [dict(layout) for layout in feasible(model) if layout] for model in ESTABLISHED}


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Any feasible layout: per GPU or all, some GPUs without MIG."""
    gpu = draw(st.sampled_from(list(FEASIBLE)))
    name = draw(st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True))
    profiles = st.one_of(st.none(), st.sampled_from(FEASIBLE[gpu]))
    if draw(st.booleans()):
        return Layout(name, gpu, (GpuGroup(None, draw(profiles)),))
    per_gpu = draw(st.lists(profiles, min_size=1, max_size=8))
    return Layout(name, gpu, tuple(GpuGroup((index,), profiles) for index, profiles in enumerate(per_gpu)))


@given(layouts(), st.randoms(use_true_random=False))
def test_spelling_and_order_never_change_a_config_name(layout: Layout, random: object) -> None:
    shuffled = []
    for group in layout.groups:
        profiles = None
        if group.profiles is not None:
            zeros = {name: 0 for name in layout.model.profiles if name not in group.profiles}
            profiles = zeros | dict(reversed(list(group.profiles.items())))
        for index in [None] if group.devices is None else list(reversed(group.devices)):
            shuffled.append(GpuGroup(None if index is None else (index,), profiles))
    again = Layout(layout.name, layout.gpu.lower(), tuple(reversed(shuffled)))
    assert again == layout
    assert hash(again) == hash(layout)
    assert again.config_name == layout.config_name


@given(layouts())
def test_every_config_name_is_a_label_value_of_at_most_63_characters(layout: Layout) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", layout.config_name)


@given(layouts())
def test_layouts_survive_pickling(layout: Layout) -> None:
    assert pickle.loads(pickle.dumps(layout)) == layout


# Nodes carry these names. A change here re-partitions every fleet at its next update: only ever add lines.
GOLDEN: dict[str, dict[str, Any]] = {
    "inference-dense-255390f5": {"gpu": "H100-80GB", "all": {"1g.10gb": 7}},
    "training-and-inference-7fed796b": {
        "gpu": "A100-80GB",
        "gpus": [{"devices": [0, 1], "profiles": {"3g.40gb": 2}}, {"devices": [2, 3], "profiles": {"1g.10gb": 7}}],
    },
    "half-5727d647": {
        "gpu": "H100-80GB",
        "gpus": [{"devices": [0], "profiles": {"1g.10gb+me": 1}}, {"devices": [1], "disabled": True}],
    },
    "even-d345d836": {"gpu": "A30-24GB", "balanced": True},
    "dense-e81ebc37": {"gpu": "A100-40GB", "all": {"1g.5gb": 7}},
    "dense-635465ea": {"gpu": "A800-40GB", "all": {"1g.5gb": 7}},
    "dense-ad559426": {"gpu": "A800-80GB", "all": {"1g.10gb": 7}},
    "dense-df875655": {"gpu": "PG506-96GB", "all": {"1g.12gb": 7}},
    "dense-355c99e0": {"gpu": "H100-64GB", "all": {"1g.8gb": 7}},
    "dense-0c8a697a": {"gpu": "H100-94GB", "all": {"1g.12gb": 7}},
    "dense-96ce0768": {"gpu": "H100-96GB", "all": {"1g.12gb": 7}},
    "dense-d434aab9": {"gpu": "H800-80GB", "all": {"1g.10gb": 7}},
    "dense-d68aef1e": {"gpu": "H800-94GB", "all": {"1g.12gb": 7}},
    "dense-de933872": {"gpu": "H20-96GB", "all": {"1g.12gb": 7}},
    "dense-bd2c8ec0": {"gpu": "H20-141GB", "all": {"1g.18gb": 7}},
    "dense-5dd91532": {"gpu": "H200-141GB", "all": {"1g.18gb": 7}},
    "dense-df5bcbde": {"gpu": "GH200-96GB", "all": {"1g.12gb": 7}},
    "dense-3123e7cc": {"gpu": "GH200-144GB", "all": {"1g.18gb": 7}},
    "dense-24f5a178": {"gpu": "B200-180GB", "all": {"1g.23gb": 7}},
    "dense-f7382a2e": {"gpu": "GB200-186GB", "all": {"1g.23gb": 7}},
    "dense-b475956a": {"gpu": "B300-269GB", "all": {"1g.34gb": 7}},
    "dense-553d67de": {"gpu": "GB300-278GB", "all": {"1g.35gb": 7}},
    "dense-d082159f": {"gpu": "RTX-PRO-4500", "all": {"1g.16gb": 2}},
    "dense-65f882d3": {"gpu": "RTX-PRO-5000", "all": {"1g.24gb": 2}},
    "dense-45688ff9": {"gpu": "RTX-PRO-6000", "all": {"1g.24gb": 4}},
    # Thor has no PCI id, so it cannot have a layout with MIG.
    ALL_DISABLED: {"gpu": "Thor", "disabled": True},
}


@pytest.mark.parametrize("config_name", GOLDEN)
def test_config_names_are_stable_across_releases(config_name: str) -> None:
    name = config_name if config_name == ALL_DISABLED else config_name.rpartition("-")[0]
    assert Layout.parse(name, GOLDEN[config_name]).config_name == config_name


def test_every_gpu_model_has_a_golden_name() -> None:
    assert {gpus.find(document["gpu"]) for document in GOLDEN.values()} == set(gpus.all_models())


def test_a_layout_is_immutable() -> None:
    mine = {"1g.10gb": 7}
    layout = Layout.uniform("dense", "H100-80GB", mine)
    before = layout.config_name
    mine["1g.10gb"] = 3
    with pytest.raises(TypeError):
        layout.groups[0].profiles["1g.10gb"] = 3  # type: ignore[index]
    assert (layout.config_name, layout.groups[0].profiles) == (before, {"1g.10gb": 7})
    assert pickle.loads(pickle.dumps(layout)).config_name == before


def test_the_largest_numbers_of_a_layout_are_read_back_from_its_file() -> None:
    largest = 2**63 - 1
    document = {"gpu": "H100-80GB", "gpus": [{"devices": [largest], "profiles": {"1g.10gb": largest}}]}
    layout = Layout.parse("huge", document)
    ((entry,),) = [
        entries
        for name, entries in parted.read(parse("f", parted.dump([layout]).encode()).data).configs.items()
        if name == layout.config_name
    ]
    assert (entry.devices, entry.mig_devices) == ((largest,), {"1g.10gb": largest})


def test_another_pci_id_in_the_catalog_changes_no_config_name() -> None:
    layout = Layout.uniform("dense", "H100-80GB", {"1g.10gb": 7})
    assert not any(pci in layout.canonical for pci in layout.model.pci_device_ids)


def test_the_same_profiles_on_another_model_are_another_config() -> None:
    names = {Layout.uniform("dense", gpu, {"1g.10gb": 7}).config_name for gpu in ("H100-80GB", "A100-80GB")}
    assert len(names) == 2


def test_every_way_to_disable_mig_is_the_operators_own_config() -> None:
    for document in (
        {"gpu": "H100-80GB", "disabled": True},
        {"gpu": "H100-80GB", "gpus": [{"devices": [0, 1], "disabled": True}]},
    ):
        layout = Layout.parse("off", document)
        assert layout.is_disabled
        assert layout.config_name == ALL_DISABLED
        assert layout == Layout.disabled("off", "H100-80GB")


def test_per_gpu_returns_the_profiles_of_each_gpu() -> None:
    layout = Layout.parse(
        "mixed",
        {
            "gpu": "H100-80GB",
            "gpus": [
                {"devices": [3, 0], "profiles": {"3g.40gb": 2}},
                {"devices": [1], "disabled": True},
                {"devices": [2], "profiles": {"1g.10gb": 7}},
            ],
        },
    )
    assert layout.per_gpu(4) == ({"3g.40gb": 2}, None, {"1g.10gb": 7}, {"3g.40gb": 2})
    assert layout.allocatable(4, Strategy.MIXED) == {
        "nvidia.com/gpu": 1,
        "nvidia.com/mig-1g.10gb": 7,
        "nvidia.com/mig-3g.40gb": 4,
    }


def test_a_gpu_that_is_not_covered_or_does_not_exist_is_reported() -> None:
    layout = Layout("some", "H100-80GB", (GpuGroup((0, 5), {"1g.10gb": 7}),))
    assert layout.coverage(4) == (
        "GPU 5 does not exist on nodes with 4 GPUs, 0 to 3",
        "GPU 1, 2, 3 is not covered; give it profiles or disabled: true",
    )


def test_balanced_is_what_nvidia_generates() -> None:
    def profiles(gpu: str) -> object:
        return Layout.parse("even", {"gpu": gpu, "balanced": True}).groups[0].profiles

    assert profiles("H100-80GB") == {"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1}
    assert profiles("A100-40GB") == {"1g.5gb": 2, "2g.10gb": 1, "3g.20gb": 1}, "1g.10gb is the double-memory one here"
    assert profiles("A30-24GB") == {"1g.6gb": 2, "2g.12gb": 1}
    with pytest.raises(InvalidLayout, match="NVIDIA defines no balanced layout for RTX PRO 5000"):
        profiles("RTX-PRO-5000")


def test_all_mistakes_are_reported_together_each_with_its_path() -> None:
    with pytest.raises(InvalidLayout) as refused:
        Layout.parse(
            "Bad Name",
            {
                "gpu": "H100-80GB",
                "gpus": [
                    {"devices": [0, 0], "profiles": {"1g.1gb": 7, "2g.20gb": "3"}},
                    {"devices": [-1], "profiles": {"1g.10gb": 0}},
                ],
            },
        )
    assert [problem.path for problem in refused.value.problems] == [
        "name",
        "gpus[0].profiles.1g.1gb",
        "gpus[0].profiles.2g.20gb",
        "gpus[1].profiles",
        "gpus[0].devices",
        "gpus[1].devices",
    ]
    assert "did you mean '1g.10gb'?" in str(refused.value)
    assert pickle.loads(pickle.dumps(refused.value)).problems == refused.value.problems


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (None, "must look like {gpu: H100-80GB"),
        ([], "must look like"),
        ({}, "gpu: is missing"),
        ({"gpu": "H100-80GB"}, "exactly one of all, gpus, disabled, balanced, found none of them"),
        ({"gpu": "H100-80GB", "all": {"1g.10gb": 7}, "disabled": True}, "found all and disabled"),
        ({"gpu": "H100-80GB", "al": {"1g.10gb": 7}}, "al: unknown key; did you mean 'all'?"),
        ({"gpu": "H100", "all": {"1g.10gb": 7}}, "gpu: 'H100' is the name of several GPU models"),
        ({"gpu": "H1000-80GB", "disabled": True}, "did you mean 'H100-80GB'?"),
        ({"gpu": 5, "disabled": True}, "gpu: unknown GPU model 5"),
        ({"gpu": "H100-80GB", "all": 7}, "all: must map profiles to counts"),
        ({"gpu": "H100-80GB", "all": {}}, "all: has no instance"),
        ({"gpu": "H100-80GB", "all": {7: 1}}, "all: must map profiles to counts"),
        ({"gpu": "H100-80GB", "all": {"1g.10gb": True}}, "must have a whole number from 0 as its count, found True"),
        ({"gpu": "H100-80GB", "disabled": "yes"}, "disabled: must be true, found 'yes'"),
        ({"gpu": "H100-80GB", "disabled": False}, "disabled: must be true, found False"),
        ({"gpu": "H100-80GB", "gpus": {}}, "gpus: must be a list"),
        ({"gpu": "H100-80GB", "gpus": []}, "a layout must have at least one GPU"),
        ({"gpu": "H100-80GB", "gpus": [5]}, r"gpus[0]: must look like"),
        ({"gpu": "H100-80GB", "gpus": [{"devices": [], "disabled": True}]}, "gpus[0].devices: names no GPU"),
        ({"gpu": "H100-80GB", "gpus": [{"devices": "all", "disabled": True}]}, "gpus[0].devices: must be a list"),
        ({"gpu": "H100-80GB", "gpus": [{"devices": [0]}]}, "gpus[0]: must have exactly one of profiles and disabled"),
        ({"gpu": "H100-80GB", "gpus": [{"devices": [0], "disabled": True, "x": 1}]}, "gpus[0].x: unknown key"),
        ({"gpu": "H100-80GB", "gpus": [{"devices": ["0"], "disabled": True}]}, "whole numbers from 0, found '0'"),
        (
            {"gpu": "H100-80GB", "gpus": [{"devices": [2**63], "disabled": True}]},
            "GPU indexes must be at most 92233720368547",
        ),
        (
            {"gpu": "H100-80GB", "all": {"1g.10gb": 2**63}},
            "all.1g.10gb: must be a count up to 9223372036854775807, found",
        ),
        ({"gpu": "H100-80GB", "all": {"1g.10gb": 2**62, "1c.1g.10gb": 2**62}}, "all.1g.10gb: must be a count up to"),
    ],
)
def test_an_invalid_form_is_one_error_with_a_remedy(document: object, found: str) -> None:
    with pytest.raises(InvalidLayout) as refused:
        Layout.parse("layout", document)  # type: ignore[arg-type]
    assert found in str(refused.value)


def test_a_layout_of_an_unknown_model_cannot_be_made() -> None:
    with pytest.raises(UnknownGpu):
        Layout.uniform("dense", "H300", {"1g.10gb": 7})
    with pytest.raises(AmbiguousGpu):
        Layout.uniform("dense", "A100", {"1g.10gb": 7})


@pytest.mark.parametrize("name", ["", "-a", "a-", "a" * 55, "Upper", "a_b", "a b", None, 5])
def test_a_name_that_is_not_a_label_value_is_refused(name: str) -> None:
    with pytest.raises(InvalidLayout, match="1 to 54 lower-case letters"):
        Layout.uniform(name, "H100-80GB", {"1g.10gb": 7})


def test_a_model_without_a_pci_id_can_only_be_disabled() -> None:
    assert Layout.disabled("off", "Thor").is_disabled
    (profile, *_) = gpus.find("Thor").profiles
    with pytest.raises(InvalidLayout, match=r"gpu: Thor .*has no PCI device id for the device filter"):
        Layout.uniform("dense", "Thor", {profile: 1})
