"""The first line of a review: what will happen, in one sentence."""

from collections.abc import Iterable, Sequence

from mig_fleet.review.refusals import is_refused
from mig_fleet.review.review import Others, Outcome, Wave


def outcome_of(
    refusals: Sequence[str], waves: Sequence[Wave], drift: Sequence[str], others: Sequence[Others]
) -> Outcome:
    """The worst that applies."""
    if refusals:
        return Outcome.REFUSED
    if any(not _only_repairs(wave) for wave in waves):
        return Outcome.CHANGES
    if drift or any(wave.drift or wave.unfinished for wave in waves):
        return Outcome.REPAIRS
    return Outcome.OTHERS if others else Outcome.NOTHING


def verdict_of(
    outcome: Outcome,
    refusals: Sequence[str],
    waves: Sequence[Wave],
    drift: Sequence[str],
    others: Sequence[Others],
    never_starts: bool = False,
) -> str:
    """Plain text, not escaped. ``never_starts``: the preview fails, or a policy denies it, so no wave is changed."""
    if outcome is Outcome.REFUSED:
        before = "" if never_starts else _changed_before(waves)
        return f"will be refused: {refusals[0]}{_more_refusals(refusals)}{before}"
    if outcome is Outcome.NOTHING:
        return "changes nothing"
    if outcome is Outcome.OTHERS:
        return f"changes no GPU, only {format_others(others)}"
    return ", ".join([*_changes(waves), *_repairs(waves, drift)])


def format_others(others: Iterable[Others]) -> str:
    """``monitoring (2 updated), probe (1 created)``"""
    texts = []
    for each in others:
        numbers = {name: getattr(each, name) for name in ("created", "updated", "replaced", "deleted")}
        texts.append(f"{each.part} ({', '.join(f'{n} {name}' for name, n in numbers.items() if n)})")
    return ", ".join(texts)


def _only_repairs(wave: Wave) -> bool:
    return bool(wave.drift or wave.unfinished) and not wave.is_new and not wave.is_removed


def _more_refusals(refusals: Sequence[str]) -> str:
    more = len(refusals) - 1
    return f", and for {more} more reason{'s' if more > 1 else ''}" if more else ""


def _changed_before(waves: Sequence[Wave]) -> str:
    """Waves that are not refused may be changed before the update ends."""
    refused = [wave for wave in waves if is_refused(wave)]
    if not refused:
        return ""
    pools = {wave.pool for wave in refused}
    first = {pool: next(n for n, wave in enumerate(waves) if wave.pool == pool and wave in refused) for pool in pools}
    before = [wave for n, wave in enumerate(waves) if wave.touched_nodes and n < first.get(wave.pool, len(waves))]
    nodes = _nodes(name for wave in before for name in wave.touched_nodes)
    return f"; {nodes} may be changed before that" if before else ""


def _changes(waves: Sequence[Wave]) -> list[str]:
    changed = [wave for wave in waves if not _only_repairs(wave) and not wave.is_removed and not wave.is_held]
    touched = [wave for wave in waves if wave.touched_nodes]
    parts: list[str] = []
    if touched:
        nodes = _nodes(name for wave in touched for name in wave.touched_nodes)
        verb = "partitions" if all(wave.is_new for wave in touched) else "changes"
        parts.append(f"{verb} {nodes} in {_count(len(touched), 'wave')}")
    renamed = {
        name
        for wave in changed
        for change in wave.changes
        for name in change.nodes
        if not change.touches_gpus and "renamed" in change.text
    }
    adopted = {name for wave in changed for change in wave.changes if "adopted" in change.text for name in change.nodes}
    parts += [f"renames the config of {_nodes(renamed)}"] if renamed else []
    parts += [f"adopts {_nodes(adopted)}"] if adopted else []
    if (renamed or adopted) and not touched:
        parts.append("touches no GPU")
    parts += _removed(waves)
    unknown = [wave for wave in waves if wave.is_unknown]
    if unknown:
        nodes = _nodes(name for wave in unknown for name in wave.nodes)
        parts.append(
            f"changes {_count(len(unknown), 'wave')} with {nodes} without knowing how: the cluster was not read"
        )
    if not parts and changed:
        parts.append(f"changes the settings of {_count(len(changed), 'wave')} and touches no GPU")
    return [*parts, *_pods(waves)]


def _pods(waves: Sequence[Wave]) -> list[str]:
    """Only where slices are destroyed: ``evicts 9 pods, strands none``."""
    touched = [wave for wave in waves if wave.touched_nodes]
    if not touched:
        return []
    parts = []
    for policy, verb in (("evict", "evicts"), ("wait", "waits for")):
        number = sum(len(wave.pods) + wave.more_pods for wave in touched if wave.on_user_pods == policy)
        parts += [f"{verb} {_count(number, 'pod')}"] if number else []
    stranded = sum(len(wave.stranded) + wave.more_stranded for wave in touched)
    if not parts and not stranded:
        return ["disturbs no pod"]
    return [*parts, f"strands {_count(stranded, 'pod') if stranded else 'none'}"]


def _removed(waves: Sequence[Wave]) -> list[str]:
    ways = {
        "retain": "releases {} with the config as it is",
        "disable": "releases {} and disables MIG there",
        "restore": "releases {} with the config from before the stack",
    }
    of = {policy: [wave for wave in waves if wave.is_removed and wave.on_delete == policy] for policy in ways}
    nodes = {policy: [name for wave in found for name in wave.nodes] for policy, found in of.items()}
    return [ways[policy].format(_nodes(names)) for policy, names in nodes.items() if names]


def _repairs(waves: Sequence[Wave], drift: Sequence[str]) -> list[str]:
    nodes = {name for wave in waves for line in wave.drift for name in wave.nodes if f"{name}:" in line}
    parts = [f"repairs drift on {_nodes(nodes)}"] if nodes else []
    parts += [f"repairs {_count(len(drift), 'other object')}"] if drift else []
    unfinished = {name for wave in waves for line in wave.unfinished for name in wave.nodes if f"{name}:" in line}
    return [*parts, *([f"finishes {_nodes(unfinished)}"] if unfinished else [])]


def _nodes(names: Iterable[str]) -> str:
    return _count(len({*names}), "node")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
