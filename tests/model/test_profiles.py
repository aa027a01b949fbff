"""The spelling of profiles: NVIDIA's grammar, and nothing else."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model import Profile
from mig_fleet.model.errors import InvalidProfile

words = st.from_regex(r"[a-z]([a-z0-9.]{0,4}[a-z0-9])?", fullmatch=True)
attributes = st.lists(words, unique=True, max_size=3).map(lambda found: tuple(sorted(found)))
numbers = st.integers(0, 999)
profiles = st.one_of(
    st.builds(Profile, numbers, numbers, numbers, attributes),
    st.builds(Profile, numbers, numbers, numbers, st.just(()), attributes),
)


@given(profiles)
def test_a_printed_profile_parses_to_an_equal_one(profile: Profile) -> None:
    assert Profile.parse(str(profile)) == profile


@given(st.text(max_size=20))
def test_any_text_is_either_a_profile_or_refused(text: str) -> None:
    try:
        profile = Profile.parse(text)
    except InvalidProfile as error:
        assert repr(text)[:20] in str(error)
    else:
        assert Profile.parse(str(profile)) == profile


@pytest.mark.parametrize(
    ("text", "resource"),
    [
        ("1g.10gb", "nvidia.com/mig-1g.10gb"),
        ("1g.10gb+me", "nvidia.com/mig-1g.10gb.me"),
        ("1g.24gb+me.all", "nvidia.com/mig-1g.24gb.me.all"),
        ("1g.24gb-me", "nvidia.com/mig-1g.24gb-me"),
        ("2g.48gb+gfx", "nvidia.com/mig-2g.48gb.gfx"),
        ("1c.3g.40gb", "nvidia.com/mig-1c.3g.40gb"),
    ],
)
def test_resources_are_spelled_as_the_device_plugin_spells_them(text: str, resource: str) -> None:
    assert Profile.parse(text).resource == resource


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("1g.10gb.me", "1g.10gb+me"),
        ("mig-1g.10gb", "that is the Kubernetes spelling; NVIDIA's tools expect 1g.10gb;"),
        ("nvidia.com/mig-1g.24gb.me.all", "NVIDIA's tools expect 1g.24gb+me.all;"),
        ("nvidia.com/mig-1g.24gb-me", "NVIDIA's tools expect 1g.24gb-me;"),
        ("mig-1g", "the fields must be"),
        ("1G.10GB", "'1g.10gb'"),
        ("MIG 1g.10gb", "<slices>g.<GB>gb"),
        ("1g.10gb+me-me", "mixes + and -"),
        ("1g.10gb+", "'' is not an attribute"),
        ("1g.10gb+me,me", "duplicate attribute"),
        ("1g.10gb+1me", "'1me' is not an attribute"),
        (" 1g.10gb", "spaces"),
        ("1g.10gb\n", "spaces"),
        ("", "<slices>g.<GB>gb"),
        ("9" * 5000 + "g.10gb", "too large"),
    ],
)
def test_a_wrong_spelling_is_refused_with_the_right_one(text: str, remedy: str) -> None:
    with pytest.raises(InvalidProfile, match="profiles look like") as refused:
        Profile.parse(text)
    assert remedy in str(refused.value)


def test_an_alias_prints_in_the_canonical_spelling() -> None:
    assert str(Profile.parse("1c.1g.5gb")) == "1g.5gb"
    assert str(Profile.parse("01g.010gb")) == "1g.10gb"
    assert str(Profile.parse("2g.20gb+me,gfx")) == "2g.20gb+gfx,me"


def test_a_part_knows_its_instance() -> None:
    split = Profile.parse("1c.3g.40gb+me")
    assert split.is_split
    assert str(split.whole) == "3g.40gb+me"


def test_profiles_sort_by_size_and_survive_pickling() -> None:
    ordered = sorted(map(Profile.parse, ["7g.80gb", "1g.20gb", "1g.10gb+me", "1g.10gb"]))
    assert [str(profile) for profile in ordered] == ["1g.10gb", "1g.10gb+me", "1g.20gb", "7g.80gb"]
    assert pickle.loads(pickle.dumps(ordered)) == ordered
