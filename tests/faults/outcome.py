"""One fault, played: what came of it, in the words that the documentation shows."""

import re
from dataclasses import dataclass

from mig_fleet.simulator.bad_api import BadApi
from tests.faults.fault import Fault
from tests.faults.ground import OLD, POOL, Ground
from tests.faults.remedies import Remedies
from tests.faults.stack import Stack
from tests.faults.stage import Stage

REPLACED = {
    r"https://127\.0\.0\.1:\d+": "https://cluster:6443",
    r"HTTPSConnectionPool\(.+\): Read timed out\. \(read timeout=.+\)": "no whole answer within N s",
    r"\b\d+(\.\d+)? s\b": "N s",
    r"-[0-9a-f]{8,10}-[a-z0-9]{5}\b": "-7d4b9c6f5-x2x7k",
    r"\b(node-agent)-[bcdfghjklmnpqrstvwxz2456789]{5}\b": r"\1-x2x7k",
}
"""What is different in every run: ports, durations (shortened here anyway), which of two timeouts of the same length is
noticed first, the random ends of pod names."""


@dataclass(frozen=True)
class Played:
    """What was seen."""

    error: str
    news: tuple[str, ...]
    recovered: tuple[str, ...]
    touched: tuple[str, ...]
    closed: tuple[str, ...]
    changed: tuple[str, ...]
    """The nodes that carry the new config when it is over."""
    started_over: tuple[str, ...]
    overlapping: tuple[str, ...]
    """As :class:`~tests.faults.remedies.Remedies` has them."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The error line by line, without indentation and blank lines."""
        return tuple(line.strip() for line in self.error.splitlines() if line)


def play(fault: Fault, ground: Ground, stack: Stack, api: BadApi) -> Played:
    """Play it from the beginning to the healed end; fails where a promise of the row is broken."""
    ground.reset()
    stage = Stage(ground, api, stack)
    try:
        stack.adopt(OLD, fault.rollout, fault.first)
        api.well()
        remedies = Remedies(stage, fault.target or OLD)
        remedies.watch()
        fault.play(stage)
        program = stack.program(fault.target, fault.rollout, **fault.pool)
        preview = stack.preview(program)
        update = preview if preview.error else stack.up(program)
        target = fault.target.config_name if fault.target else ""
        played = Played(
            error=normal(update.error),
            news=tuple(normal(line) for line in preview.news if not line.startswith("changes")),
            recovered=tuple(normal(line) for line in update.recovered),
            touched=tuple(sorted(api.nodes_written())),
            closed=tuple(stage.closed()),
            changed=tuple(name for name, config in stage.configs().items() if config == target),
            started_over=tuple(remedies.used),
            overlapping=tuple(remedies.overlapping),
        )
        fault.end(stage)
        stage.clear()
        api.well()
        healing = stack.up(stack.program(fault.target, fault.rollout))
        assert not healing.error, f"the next update fails: {healing.error}"
        assert api.nodes_written() <= set(POOL), "the next update wrote outside the pool"
        if fault.healed is not None:
            fault.healed(stage)
        if fault.target is not None:
            assert stage.converged(fault.target) == []
    finally:
        stage.clear()
        api.well()
    return played


def normal(text: str) -> str:
    """Without what differs from run to run."""
    for pattern, replacement in REPLACED.items():
        text = re.sub(pattern, replacement, text)
    return text
