"""Exit silently when the engine interrupts the program, as it does when an update fails."""

import sys
from types import TracebackType


def exit_silently_on_interrupt() -> None:
    """Install an exception hook: an interrupt usually arrives in the event loop, outside the program's own `try`."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            usual(kind, exc, trace)

    sys.excepthook = hook
