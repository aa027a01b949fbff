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
from pathlib import PurePath
from traceback import walk_tb
from typing import Protocol, runtime_checkable

from mig_fleet.foreign_text import printable


class ExpectedFailure(Exception):
    """A failure that a user can act on; its message is all that they need."""


class Refused(ExpectedFailure):
    """A change that must not or cannot be made; the message names nodes, reasons and what would work."""


class CleanError(ExpectedFailure):
    """Base of the errors that our dynamic providers raise on purpose."""

    def __init_subclass__(cls) -> None:
        cls.__module__ = "builtins"  # Pulumi prints the class's full name before the message


def describe(failure: Exception) -> str:
    """What happened to one node of several, for the message about all of them: the text of an expected failure. Any
    other one is a bug of ours, so its type and the line that raised it are added.
    """
    if isinstance(failure, ExpectedFailure):
        return str(failure)
    lines = [f" ({PurePath(frame.f_code.co_filename).name}:{line})" for frame, line in walk_tb(failure.__traceback__)]
    what = f"{type(failure).__name__}: {printable(failure)}{''.join(lines[-1:])}"
    return f"{what}; this is a bug in mig-fleet, please report it"


@contextmanager
def one_clean_error(kind: type[CleanError]) -> Iterator[None]:
    """Raise expected failures as ``kind``, without traceback frames; let anything else through unchanged."""
    try:
        yield
    except ExpectedFailure as exc:
        # For the rest of this provider process; a later bug still prints its type and text.
        sys.tracebacklimit = 0
        _answer(str(exc))
        raise kind(str(exc)) from None


def _answer(text: str) -> None:
    """Make the text all that the caller of a dynamic provider gets; outside such a call, do nothing.

    gRPC puts "Exception calling application:" before the text of an exception, unless the context of the call has
    details (grpc/_server.py, _abort). The SDK passes a provider no context, so it is taken from the frame of the
    servicer, where it is a parameter (pulumi/dynamic/__main__.py).
    """
    frame = sys._getframe()
    while caller := frame.f_back:
        frame = caller
        if isinstance(context := frame.f_locals.get("context"), _CallContext):
            context.set_details(text)
            return


@runtime_checkable
class _CallContext(Protocol):
    """What is needed of grpc.ServicerContext."""

    def set_details(self, details: str) -> None: ...
