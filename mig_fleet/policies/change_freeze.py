"""mig-change-freeze: in these times no update changes a node."""

import re
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from mig_fleet.model.finding import Finding, Level
from mig_fleet.policies.parameters import Parameters
from mig_fleet.policies.policy import Policy
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.wave_facts import WaveFacts

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = r"^\d{4}-\d\d-\d\dT\d\d:\d\d/\d{4}-\d\d-\d\dT\d\d:\d\d$"
_DAY_AND_TIME = rf"({'|'.join(DAYS)}) ([01]\d|2[0-3]):([0-5]\d)"
_WEEKLY = rf"^{_DAY_AND_TIME}/{_DAY_AND_TIME}$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone of the IANA database, such as UTC or Europe/Berlin") from None
    return name


def _window(text: str) -> str:
    try:
        start, end = map(datetime.fromisoformat, text.split("/"))
    except ValueError:
        raise ValueError("must be two local times, such as 2026-12-18T18:00/2027-01-04T08:00") from None
    if start >= end:
        raise ValueError("must start before it ends")
    return text


class Freeze(Parameters):
    time_zone: Annotated[
        str, AfterValidator(_zone), Field(description="the time zone of all times here, by its IANA name")
    ] = "UTC"
    windows: Annotated[
        tuple[Annotated[str, Field(pattern=_WINDOW), AfterValidator(_window)], ...],
        Field(description="from/until, such as `2026-12-18T18:00/2027-01-04T08:00`"),
    ] = ()
    weekly: Annotated[
        tuple[Annotated[str, Field(pattern=_WEEKLY)], ...],
        Field(description="from/until in each week, such as `Fri 16:00/Mon 08:00`"),
    ] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "Freeze":
        for text in self.weekly:
            start, end = text.split("/")
            if start == end:
                raise ValueError(f"weekly: {text!r} must not end when it starts")
        return self

    def window_at(self, now: datetime) -> str:
        """The window that includes the moment, as it is configured; empty if none does. The end is not part of it."""
        zone = ZoneInfo(self.time_zone)
        for text in self.windows:
            start, end = (datetime.fromisoformat(each).replace(tzinfo=zone).astimezone(UTC) for each in text.split("/"))
            if start <= now.astimezone(UTC) < end:
                return text
        local = now.astimezone(zone)
        minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
        for text in self.weekly:
            first, last = map(_minute_of_week, text.split("/"))
            # A window that crosses the end of the week starts later than it ends.
            if first <= minute < last or (first > last and not last <= minute < first):
                return text
        return ""


def _minute_of_week(text: str) -> int:
    day, hour, minute = re.split("[ :]", text)
    return (DAYS.index(day) * 24 + int(hour)) * 60 + int(minute)


def check(wave: WaveFacts, freeze: Freeze) -> list[Finding]:
    """A wave whose nodes keep their slices is no change. The repair of drift is one."""
    window = freeze.window_at(wave.now) if wave.now else ""
    if not window or (wave.impact and not wave.impact.changed_nodes):
        return []
    frozen = f"wave {wave.name!r} must not change in the freeze {window} ({freeze.time_zone})"
    if wave.impact is None:
        text = f"{frozen}, and its impact is not known; run a preview while the cluster answers"
        return [Finding(wave.name, text, Rule.FREEZE, Level.UNPROVEN)]
    text = f"{frozen}; this update changes {', '.join(wave.impact.changed_nodes)}: run it after the freeze"
    return [Finding(wave.name, text, Rule.FREEZE)]


POLICY = Policy(
    name=Rule.FREEZE,
    title="Change freeze",
    sentence="No update may change a node during a freeze.",
    facts=WaveFacts,
    check=check,
    remedy="Run the update after the freeze.",
    unknown="denied during a freeze, because the impact is not known; also if the cluster did not answer",
    parameters=Freeze,
    needs=("windows", "weekly"),
    tags=("rollout",),
    example={
        "timeZone": "Europe/Berlin",
        "windows": ["2026-12-18T18:00/2027-01-04T08:00"],
        "weekly": ["Fri 16:00/Mon 08:00"],
    },
)
