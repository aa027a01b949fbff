"""docs/faults.md, from the table and what came of it."""

from collections.abc import Mapping, Sequence

from tests.faults.fault import Fault, Outcome
from tests.faults.ground import FIRST, NEW, OLD, OTHER, POOL, RENAMED, SECOND, SPARSE
from tests.faults.outcome import Played

OUTCOMES = {
    Outcome.GOES_ON: "the update goes on",
    Outcome.REFUSED: "refused, no GPU touched",
    Outcome.HALTED: "halted",
    Outcome.FAILED: "failed",
}

HEAD = f"""\
# Bad days, and what comes of them

Written by `make fault-table` from the tests in `tests/faults`, which play each fault on simulated nodes behind a real
API server; do not edit it by hand. What is shown is what was read, with durations as *N s*.

The scene is always the same. Pool `train` has three nodes, `{FIRST[0]}` and `{FIRST[1]}` in its first wave and
`{SECOND[0]}` in its second; each has two H100, verified as layout `{OLD.name}` (7x 1g.10gb). An update gives them
another layout, `{NEW.name}` (2x 3g.40gb) or `{RENAMED.name}` (the same slices under another name), unless the row is
about a stack that did not change; in one of these they are verified as `{SPARSE.name}` (3g.40gb). `{OTHER}` belongs to
nobody's stack.

For every row the tests hold:

- the preview says these lines, and the error these, whole and no others;
- nothing was written to a node outside the wave under way, not even a try;
- a node that stays closed is named in the error, with the command that opens it;
- a pod of NVIDIA's is started over only where these lines say so, on one node after the other, and none where recovery
  is off;
- **the next update heals**: every node as the stack says, read back, open and marked as verified, without a taint or a
  cordon of ours. Where a human must do something before it, the row says what.

Killed updates are not in the table: `tests/faults/test_kill_points.py` kills rollouts, rollbacks and releases around
their writes, one by one, and the next update ends what they began.
"""


def document(faults: Mapping[str, Sequence[Fault]], results: Mapping[str, Played]) -> str:
    """The page."""
    parts = [HEAD, _overview(faults, results)]
    for family, members in faults.items():
        parts.append(f"## {family}\n")
        parts += [_section(fault, results[fault.name]) for fault in members]
    return "\n".join(parts).rstrip() + "\n"


def _overview(faults: Mapping[str, Sequence[Fault]], results: Mapping[str, Played]) -> str:
    count = sum(map(len, faults.values()))
    rows = [
        f"## All {count} at a glance\n",
        "| when | the update | nodes written to | left closed |",
        "|---|---|---|---|",
    ]
    for family, members in faults.items():
        rows.append(f"| **{family}** | | | |")
        for fault in members:
            seen = results[fault.name]
            link = f"[{fault.name}](#{_anchor(fault.name)})"
            rows.append(f"| {link} | {OUTCOMES[fault.outcome]} | {_names(seen.touched)} | {_names(seen.closed)} |")
    return "\n".join(rows) + "\n"


def _section(fault: Fault, seen: Played) -> str:
    lines = [f"### {_capital(fault.name)}\n", f"*{_capital(fault.imitates)}.*\n"]
    if seen.news:
        lines += ["The preview says:\n", _block(seen.news)]
    if seen.recovered:
        lines += ["Output `recovered` says:\n", _block(seen.recovered)]
    if seen.error:
        lines += ["The user reads:\n", _block(seen.error.splitlines())]
    elif not seen.recovered and not seen.news:
        lines.append("The user reads nothing of it.\n")
    lines.append(f"- Nodes written to: {_names(seen.touched)}. {_left(fault, seen)}")
    lines.append(f"- {_next(fault)}\n")
    return "\n".join(lines)


def _left(fault: Fault, seen: Played) -> str:
    if fault.outcome is Outcome.GOES_ON:
        return "Nothing is left behind."
    closed = f"Left closed: {_names(seen.closed)}." if seen.closed else "No node is left closed."
    if fault.target in (None, OLD):
        return closed
    return closed + (
        f" With the new config: {_names(seen.changed)}." if seen.changed else " No node has the new config."
    )


def _next(fault: Fault) -> str:
    if fault.outcome is Outcome.GOES_ON:
        return f"Next update: {fault.then}."
    if fault.cure == "nothing":
        return "Next update: heals, without anybody's help."
    return f"Next update: heals, once {fault.cure}."


def _block(lines: Sequence[str]) -> str:
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _names(nodes: Sequence[str]) -> str:
    if tuple(nodes) == POOL:
        return "all three"
    return ", ".join(nodes) or "none"


def _anchor(name: str) -> str:
    """As GitHub makes it of a heading."""
    return "".join(c for c in name.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _capital(text: str) -> str:
    return text if text.startswith("`") else text[:1].upper() + text[1:]
