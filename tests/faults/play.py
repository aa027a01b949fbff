"""Plays one fault; the result has the texts that the documentation shows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.fault import Fault
from tests.faults.fault_run import FaultRun
from tests.faults.remedies import RemedyWatch
from tests.faults.scenario import OLD, POOL

REPLACEMENTS = {
    r"https://127\.0\.0\.1:\d+": "https://cluster:6443",
    r"host='127\.0\.0\.1', port=\d+": "host='cluster', port=6443",
    r"\b\d+(\.\d+)? s\b": "N s",
    r"/tmp/mig-simulator-\w+/kubelet-\w+/": "/var/lib/kubelet/pod-resources/",
    r"read timeout=\d+(\.\d+)?": "read timeout=N",
    r"-[0-9a-f]{8,10}-[a-z0-9]{5}\b": "-7d4b9c6f5-x2x7k",
    r"\b(node-agent|mig-probe|nvidia-mig-manager)-[bcdfghjklmnpqrstvwxz2456789]{5}\b": r"\1-x2x7k",
    r"; see /\S+\.log": "",
}
"""What differs in every run: ports, durations (shortened here anyway), the random ends of names."""


@dataclass(frozen=True)
class Result:
    """What a preview and an update with the fault returned, and the state that they left."""

    error: str
    preview: tuple[str, ...]
    remedies: tuple[str, ...]
    written: tuple[str, ...]
    isolated: tuple[str, ...]
    changed: tuple[str, ...]
    """The nodes that carry the new config at the end."""
    restarted: tuple[str, ...]
    overlapping: tuple[str, ...]
    """As :class:`~tests.faults.remedies.RemedyWatch` has them."""

    @property
    def error_lines(self) -> tuple[str, ...]:
        """The error's lines, without indentation and blank lines."""
        return tuple(line.strip() for line in self.error.splitlines() if line)


def play(fault: Fault, run: FaultRun) -> Result:
    """Play a fault from its injection to the next update; fails if that one does not repair the pool."""
    stack, api = run.stack, run.api
    try:
        stack.adopt(OLD, fault.rollout, fault.pool_before)
        api.reset()
        watch = RemedyWatch(run, fault.target or OLD)
        watch.start()
        fault.inject(run)
        program = stack.program(fault.target, fault.rollout, **fault.pool)
        preview = stack.preview(program)
        update = preview if preview.error else stack.up(program)
        target = fault.target.config_name if fault.target else ""
        result = Result(
            error=normalize(update.error),
            preview=tuple(normalize(line) for line in preview.lines if not line.startswith("plannedChanges")),
            remedies=tuple(normalize(line) for line in update.remedies),
            written=tuple(sorted(api.nodes_written())),
            isolated=tuple(run.isolated()),
            changed=tuple(name for name, config in run.configs().items() if config == target),
            restarted=tuple(watch.used),
            overlapping=tuple(watch.overlapping),
        )
        fault.apply_fix(run)
        run.delete_pods()
        api.reset()
        repair = stack.up(stack.program(fault.target, without_its_timeout(fault.rollout)))
        assert not repair.error, f"the next update fails: {repair.error}"
        assert api.nodes_written() <= set(POOL), "the next update sent a write to a node outside the pool"
        if fault.check_after is not None:
            fault.check_after(run)
        if fault.target is not None:
            assert run.differences(fault.target) == []
    finally:
        run.delete_pods()
        api.reset()
    return result


def without_its_timeout(rollout: Mapping[str, Any]) -> dict[str, Any]:
    """A fault may need a short one; the next update has the time that it takes on a busy machine."""
    return {key: value for key, value in rollout.items() if key != "timeout_seconds"}


def normalize(text: str) -> str:
    """The text without what differs in every run."""
    for pattern, replacement in REPLACEMENTS.items():
        text = re.sub(pattern, replacement, text)
    return text
