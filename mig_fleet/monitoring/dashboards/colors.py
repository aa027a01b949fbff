"""Colors that readers with each kind of color blindness can distinguish, and their order in a chart.

Source: Okabe and Ito, Color Universal Design, https://jfly.uni-koeln.de/color/.
"""

from collections.abc import Iterable
from typing import Final

BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"
SKY: Final = "#56B4E9"
PURPLE: Final = "#CC79A7"
YELLOW: Final = "#F0E442"
GREY: Final = "#8E8E8E"

PALETTE: Final = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW, GREY)

PARTS: Final = {"used": BLUE, "idle": ORANGE, "unallocated": SKY, "stranded": VERMILION, "unobserved": GREY}
"""The parts of a GPU's price, :data:`mig_fleet.monitoring.series.PARTS`."""

SCHEME: Final = "Cividis"
"""A scale of Grafana's heat map, for each kind of color vision: its brightness changes evenly with the value."""


def in_order(patterns: Iterable[str]) -> dict[str, str]:
    """A color for each pattern of names; the ninth has the first color again."""
    return {pattern: PALETTE[index % len(PALETTE)] for index, pattern in enumerate(patterns)}


def by_number(prefix: str) -> dict[str, str]:
    """A color for the names that end in a number after this prefix, such as a GPU's index: below 16, each color has two
    numbers that differ by 8.
    """
    size = len(PALETTE)
    return in_order(f"{prefix}({number}|{number + size})$" for number in range(size))
