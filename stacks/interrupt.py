"""When an update fails, the engine interrupts the program; that is no news to the user."""

import sys
from types import TracebackType


def quiet() -> None:
    """End silently on an interrupt; it usually arrives in the event loop, where no `try` of the program's stands."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            usual(kind, exc, trace)

    sys.excepthook = hook
