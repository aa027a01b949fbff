"""A freeze begins and ends at the local times of its zone, also where the clocks change."""

from datetime import UTC, datetime

import pytest

from mig_fleet.policies.change_freeze import POLICY, Freeze
from mig_fleet.policies.parameters import InvalidParameters
from mig_fleet.policies.wave_facts import Impact
from tests.policies.facts import a_wave

HOLIDAYS = "2026-12-18T18:00/2027-01-04T08:00"
WEEKEND = "Fri 16:00/Mon 08:00"


def is_frozen(at: str, **config: object) -> bool:
    now = datetime.fromisoformat(at)
    assert now.tzinfo is not None
    return bool(POLICY.findings(a_wave(now=now, impact=Impact(("n1",))), config))


@pytest.mark.parametrize(
    ("at", "frozen"),
    [
        ("2026-12-18T16:59:59+00:00", False),
        ("2026-12-18T17:00:00+00:00", True),
        ("2027-01-04T06:59:00+00:00", True),
        ("2027-01-04T07:00:00+00:00", False),
        ("2026-12-18T17:59:00+01:00", False),
    ],
)
def test_a_window_has_the_local_times_of_its_zone(at: str, frozen: bool) -> None:
    assert is_frozen(at, timeZone="Europe/Berlin", windows=[HOLIDAYS]) is frozen


@pytest.mark.parametrize(
    ("at", "frozen"),
    [
        ("2026-03-06T15:59:59+00:00", False),
        ("2026-03-06T16:00:00+00:00", True),
        ("2026-03-08T23:59:00+00:00", True),
        ("2026-03-09T07:59:59+00:00", True),
        ("2026-03-09T08:00:00+00:00", False),
        ("2026-03-11T12:00:00+00:00", False),
    ],
)
def test_a_weekly_window_may_cross_the_end_of_the_week(at: str, frozen: bool) -> None:
    assert is_frozen(at, weekly=[WEEKEND]) is frozen


@pytest.mark.parametrize(
    ("at", "frozen"),
    [
        ("2026-03-11T10:59:59+00:00", False),
        ("2026-03-11T11:00:00+00:00", True),
        ("2026-03-11T12:59:59+00:00", True),
        ("2026-03-11T13:00:00+00:00", False),
    ],
)
def test_a_weekly_window_has_its_first_minute_and_not_its_last(at: str, frozen: bool) -> None:
    assert is_frozen(at, weekly=["Wed 11:00/Wed 13:00"]) is frozen


@pytest.mark.parametrize(("at", "frozen"), [("2026-03-29T07:30:00+00:00", True), ("2026-03-29T08:30:00+00:00", False)])
def test_a_window_follows_summer_time(at: str, frozen: bool) -> None:
    """In Berlin 10:00 is 09:00 UTC on the day before the clocks change, and 08:00 UTC on that day."""
    assert is_frozen(at, timeZone="Europe/Berlin", windows=["2026-03-28T10:00/2026-03-29T10:00"]) is frozen


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"timeZone": "Mars"}, "timeZone: must be a time zone of the IANA database, such as UTC or Europe/Berlin"),
        ({"timeZone": "../etc/passwd"}, "timeZone: must be a time zone"),
        ({"windows": ["2026-13-01T00:00/2026-13-02T00:00"]}, "windows.0: must be two local times"),
        ({"windows": ["2026-01-02T00:00/2026-01-01T00:00"]}, "windows.0: must start before it ends"),
        ({"weekly": ["Fri 16:00/Fri 16:00"]}, "weekly: 'Fri 16:00/Fri 16:00' must not end when it starts"),
        ({"weekly": ["Friday"]}, "weekly.0: string should match pattern"),
        ({"window": []}, "window: there is no such parameter; did you mean 'windows'?"),
    ],
)
def test_a_time_that_is_none_is_refused(config: dict[str, object], text: str) -> None:
    with pytest.raises(InvalidParameters, match=r".") as raised:
        Freeze.read(config)
    assert text in str(raised.value)


def test_the_clock_is_part_of_the_facts() -> None:
    frozen = a_wave(now=datetime(2026, 12, 24, tzinfo=UTC), impact=Impact(("n1",)))
    assert POLICY.findings(frozen, {"windows": [HOLIDAYS]}) == POLICY.findings(frozen, {"windows": [HOLIDAYS]}) != []
