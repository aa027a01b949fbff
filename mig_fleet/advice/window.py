"""The time that measurements are taken from."""

import re
from dataclasses import dataclass
from typing import Final

STEP_S: Final = 300
"""Seconds between two samples. Prometheus also finds a sample that is up to five minutes old (its lookback delta)."""
DAY_S: Final = 86_400
LONGEST_DAYS: Final = 90
_UNITS: Final = {"h": 3600, "d": DAY_S, "w": 7 * DAY_S}


@dataclass(frozen=True, slots=True)
class Window:
    """The time until now, in whole hours: 1 to 90 days.

    >>> Window.parse("2w"), str(Window.parse("36h"))
    (Window(seconds=1209600), '36h')
    """

    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Raises ValueError with what is allowed."""
        match = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
        seconds = int(match[1]) * _UNITS[match[2]] if match else 0
        if not DAY_S <= seconds <= LONGEST_DAYS * DAY_S:
            raise ValueError(f"must be 1d to {LONGEST_DAYS}d, such as 14d, 2w or 36h")
        return cls(seconds)

    @property
    def samples(self) -> int:
        """Samples of a series that was never absent."""
        return self.seconds // STEP_S

    def __str__(self) -> str:
        """As PromQL writes it, too."""
        days, rest = divmod(self.seconds, DAY_S)
        return f"{self.seconds // 3600}h" if rest else f"{days}d"
