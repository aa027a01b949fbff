"""Installs tools in another process while this one does what does not need them."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mig_fleet.toolchain import find
from mig_fleet.toolchain.environment import Environment
from mig_fleet.toolchain.pins import Family


@contextmanager
def in_background(families: Iterable[Family], environment: Environment | None = None) -> Iterator[None]:
    """Another process downloads or builds what is missing of the families, at most until the end of the block.

    It prints nothing. :func:`~mig_fleet.toolchain.find.ensure` waits for a tool that it installs, and shows how far it
    is; after a failure ``ensure`` tries again, and raises the error. At the end of the block, or when this process is
    killed, the other one ends without an incomplete tool. What it has compiled stays in Go's cache, so that the next
    build goes on from there. Raises :class:`BadOverride`.
    """
    environment = environment or Environment.current()
    chosen = tuple(families)
    if not find.locate(chosen, environment=environment).missing:
        yield
        return
    # It has a session of its own, so that Ctrl-C on the terminal reaches only this process, which then ends the other.
    other = subprocess.Popen(
        [sys.executable, "-m", "mig_fleet.toolchain", *(family.name for family in chosen)],
        env=dict(environment.variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        assert other.stdin is not None
        other.stdin.close()
        other.wait()
