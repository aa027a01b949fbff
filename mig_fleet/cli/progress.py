"""Shows a long step of the toolchain: a live line on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from mig_fleet.toolchain import Progress, Share, Step

PLAIN_SECONDS: Final = 15.0
"""The time between two lines about a long step in a log."""
_BRIEF_SECONDS: Final = 1.0
"""A shorter step prints nothing in a log."""


def progress_on(console: Console, plain_seconds: float = PLAIN_SECONDS) -> Progress:
    """The argument ``progress`` of :func:`mig_fleet.toolchain.ensure`."""

    def show(step: Step) -> AbstractContextManager[None]:
        return _live(console, step) if console.is_terminal else _plain(console, step, plain_seconds)

    return show


def describe(step: Step, elapsed: float) -> str:
    """One line: the step, how far it is, the time since its start, its usual duration, and the next steps.

    >>> describe(Step("etcd 3.7.3", "building", 0.5, ()), 61)
    'building etcd 3.7.3: 1:01 (about 0:30 on 2 cores when nothing is cached)'
    """
    share = step.share
    usual = f" (about {_clock(step.minutes * 60)} on 2 cores when nothing is cached)" if step.minutes else ""
    upcoming = f", next: {', '.join(step.next)}" if step.next else ""
    return f"{step.doing} {step.what}: {_so_far(share) if share else ''}{_clock(elapsed)}{usual}{upcoming}"


def _so_far(share: Share) -> str:
    """The part of the line about the share, with a comma at its end.

    >>> _so_far(Share(87)), _so_far(Share(147, 412, 1180)), _so_far(Share(147, 1180, 1180))
    ('reading the sources, 87 modules downloaded, ', '412 of 1,180 packages, 34 %, ', 'linking, ')
    """
    if share.is_linking:
        return "linking, "
    if share.total:
        return f"{share.done:,} of {share.total:,} packages, {share.percent} %, "
    return f"reading the sources{f', {share.sources} modules downloaded' if share.sources else ''}, "


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextmanager
def _live(console: Console, step: Step) -> Iterator[None]:
    began = time.monotonic()
    spinner = Spinner("dots")

    def line() -> Spinner:
        spinner.update(text=Text(describe(step, time.monotonic() - began)))
        return spinner

    with Live(get_renderable=line, console=console, refresh_per_second=4, transient=True):
        yield
    _print_total(console, step, time.monotonic() - began)


@contextmanager
def _plain(console: Console, step: Step, every: float) -> Iterator[None]:
    began = time.monotonic()
    done = threading.Event()

    def print_lines() -> None:
        wait = _BRIEF_SECONDS
        while not done.wait(wait):
            console.print(describe(step, time.monotonic() - began), soft_wrap=True, highlight=False, markup=False)
            wait = every

    printer = threading.Thread(target=print_lines, daemon=True)
    printer.start()
    try:
        yield
    finally:
        done.set()
        printer.join()
    _print_total(console, step, time.monotonic() - began)


def _print_total(console: Console, step: Step, elapsed: float) -> None:
    if elapsed >= _BRIEF_SECONDS:
        line = f"finished {step.doing} {step.what} in {_clock(elapsed)}"
        console.print(line, soft_wrap=True, highlight=False, markup=False)
