"""Installs tools while something else runs. It needs the standard library only: that may be pip.

``python -m mig_fleet.toolchain [FAMILY]... -- COMMAND...`` runs a command and installs missing tools until it ends. The
exit status is that of the command. Without a command it installs them until the end of its standard input, as
:func:`~mig_fleet.toolchain.background.in_background` needs it. For a person there is ``mig-fleet toolchain``.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from mig_fleet import toolchain


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    try:
        families = [toolchain.family(name) for name in arguments[:end]] or toolchain.default()
    except toolchain.UnknownFamily as unknown:
        sys.exit(f"Error: {unknown}")
    return run(arguments[end + 1 :], families) if "--" in arguments else install(families)


def run(command: Sequence[str], families: Sequence[toolchain.Family]) -> int:
    """Runs a command, and installs tools in the background until it ends."""
    with contextlib.ExitStack() as stack:
        # What needs the tools raises the error again. Before pip, Python cannot ask a provider on PATH for its version.
        with contextlib.suppress(toolchain.ToolchainError, ImportError):
            stack.enter_context(toolchain.in_background(families))
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C also reaches the command, which ends by it
        status = subprocess.call(command)
    return status if status >= 0 else 128 - status


def install(families: Sequence[toolchain.Family]) -> int:
    """Installs tools until the end of standard input, on a processor that nothing else needs."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background process ignores it
    threading.Thread(target=_interrupt_at_end_of_input, daemon=True).start()
    try:
        toolchain.ensure(families)
    except (toolchain.ToolchainError, KeyboardInterrupt):
        return 1
    return 0


def _interrupt_at_end_of_input() -> None:
    os.read(sys.stdin.fileno(), 1)
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
