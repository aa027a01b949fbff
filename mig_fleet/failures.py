"""Failures that a user can act on, and how a dynamic provider reports them.

::

    ExpectedFailure          the message says what happened and what to do; anything else is a bug of ours
    ├── Refused              a change that must not or cannot be made
    ├── ClusterError         what the API server did not do (cluster/errors.py)
    └── CleanError           what a dynamic provider raises: one message, no traceback

Pulumi prints the formatted traceback of whatever a dynamic provider raises (pulumi/dynamic/__main__.py). The message
already names the node, the reason and the command to run; twenty lines of SDK frames would only hide it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class ExpectedFailure(Exception):
    """A failure that a user can act on; its message is all that they need."""


class Refused(ExpectedFailure):
    """A change that must not or cannot be made; the message names nodes, reasons and what would work."""


class CleanError(ExpectedFailure):
    """Base of the errors that our dynamic providers raise on purpose."""

    def __init_subclass__(cls) -> None:
        cls.__module__ = "builtins"  # Pulumi prints the class's full name before the message


@contextmanager
def one_clean_error(kind: type[CleanError]) -> Iterator[None]:
    """Raise expected failures as ``kind``, without traceback frames; let anything else through unchanged."""
    try:
        yield
    except ExpectedFailure as exc:
        # For the rest of this provider process; a later bug still prints its type and text.
        sys.tracebacklimit = 0
        raise kind(str(exc)) from None
