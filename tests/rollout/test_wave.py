"""A wave is written into properties and parsed from them; it refuses words that mean nothing."""

import pytest

from mig_fleet.rollout.wave import DEFAULTS, Wave
from mig_fleet.stack_file.settings import Rollout
from tests.memory.wave import a_wave

WAVE = Wave.from_properties(a_wave("n2", "n1"))


def test_a_wave_reads_back_from_its_properties_also_with_floats_for_counts() -> None:
    properties = WAVE.to_properties()
    floats = [{profile: float(count) for profile, count in gpu.items()} for gpu in properties["expected"]["gpus"]]
    assert Wave.from_properties({**properties, "expected": {**properties["expected"], "gpus": floats}}) == WAVE
    assert WAVE.nodes == ("n1", "n2"), "the order in which nodes are listed does not matter"


def test_a_missing_property_has_the_default() -> None:
    required = ("cluster", "namespace", "reportsNamespace", "wave", "nodeNames", "expected")
    parsed = Wave.from_properties({key: value for key, value in WAVE.to_properties().items() if key in required})
    assert {name: getattr(parsed, name) for name in DEFAULTS} == DEFAULTS


def test_a_stack_file_has_the_defaults_of_a_wave() -> None:
    settings = Rollout()
    assert (settings.on_user_pods, settings.on_failure, settings.on_delete, settings.recovery) == (
        DEFAULTS["on_user_pods"],
        DEFAULTS["on_failure"],
        DEFAULTS["on_delete"],
        DEFAULTS["recovery"],
    )
    assert (settings.soak, settings.wedged_after, settings.timeout) == (
        DEFAULTS["soak_seconds"],
        DEFAULTS["stuck_after_seconds"],
        DEFAULTS["timeout_seconds"],
    )


@pytest.mark.parametrize("key", ["onUserPods", "isolation", "onFailure", "onDelete"])
def test_a_word_that_is_no_choice_is_refused_with_the_choices(key: str) -> None:
    with pytest.raises(ValueError, match=r"must be one of .+, .+; found 'evcit'"):
        Wave.from_properties({**WAVE.to_properties(), key: "evcit"})
