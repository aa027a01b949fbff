"""How a dynamic provider says no: one message, no traceback.

Pulumi shows the formatted traceback of whatever a dynamic provider raises (pulumi/dynamic/__main__.py). A message that
already names the node, the reason and the way out is worth more without twenty lines of SDK frames around it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from components.errors import ClusterError
from components.rollout.order import Refused


class CleanError(Exception):
    """The base of what our providers raise on purpose; its text is all that a user needs."""

    def __init_subclass__(cls) -> None:
        cls.__module__ = "builtins"  # Pulumi prints the class's full name before the message


@contextmanager
def one_clean_error(kind: type[CleanError]) -> Iterator[None]:
    """Expected failures leave as ``kind`` and without frames; anything else, a bug of ours, is not touched."""
    try:
        yield
    except (ClusterError, Refused, CleanError) as exc:
        # For the rest of this provider process; a later bug still prints its type and text.
        sys.tracebacklimit = 0
        raise kind(str(exc)) from None
