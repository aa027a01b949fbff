"""The error of a Prometheus that cannot be read."""

from mig_fleet.failures import ExpectedFailure
from mig_fleet.foreign_text import printable

LONGEST = 2000
"""Characters of a message."""


class PrometheusError(ExpectedFailure):
    """A Prometheus did not answer a query; the message says what was found and what would work, on one printable
    line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, LONGEST))
