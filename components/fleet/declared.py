"""From a program's arguments to a fleet that is proven, and the cluster beside it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pulumi

from mig_fleet.components.cluster_input import cluster_properties
from mig_fleet.components.fleet.args import FleetArgs
from mig_fleet.components.plain_args import MUST_BE_KNOWN
from mig_fleet.components.refused import FleetRefused
from mig_fleet.confidential import is_contents
from mig_fleet.model.finding import Finding
from mig_fleet.stack_file.connection import require_connection
from mig_fleet.stack_file.fleet import MAY_BE_SECRET, Fleet, parse
from mig_fleet.stack_file.membership import cluster_args
from mig_fleet.stack_file.problems import InvalidSettings
from mig_fleet.stack_file.reading import RawSettings, read_pulumi

MAY_BE_OUTPUT: Final = ("cluster.kubeconfig", "cluster.context", "operator.values.")
SECTIONS: Final = tuple(FleetArgs.__annotations__)
OF_PROGRAM: Final = "a value of the program"
"""In the settings, in place of a kubeconfig's contents and of an output: the resources get these from elsewhere."""


class ConfiguredSections(dict[str, Any]):
    """The sections of the running stack's configuration, with the names of those that have a secret."""

    secrets: frozenset[str] = frozenset()

    @classmethod
    def read(cls) -> FleetArgs:
        """``mig-fleet:cluster``, ``mig-fleet:pools`` and so on."""
        raw: RawSettings = read_pulumi()
        sections = cls(raw.sections)
        sections.secrets = raw.secrets
        return cast(FleetArgs, sections)


@dataclass(frozen=True)
class Declared:
    """A valid fleet, and the inputs by which resources reach its cluster."""

    fleet: Fleet
    cluster: Mapping[str, Any]


def declare(source: str, args: FleetArgs) -> Declared:
    """Raises :class:`~mig_fleet.components.refused.FleetRefused` with every mistake in the arguments."""
    if not isinstance(args, Mapping):
        found = "are an output, but must be" if isinstance(args, pulumi.Output) else "must be"
        raise FleetRefused(source, [Finding("args", f"{found} a mapping with the sections {', '.join(SECTIONS)}")])
    given: dict[str, Any] = {key: _plain(value) for key, value in args.items() if value is not None}
    problems = [*_outputs(given)]
    secrets = set(args.secrets if isinstance(args, ConfiguredSections) else ())
    if plain := secrets - MAY_BE_SECRET:
        text = "has a value set with --secret, but is stored and printed in plain text; only operator may have secrets"
        raise FleetRefused(source, [Finding(name, text) for name in plain])
    if _has_output(given.get("operator")):
        secrets.add("operator")
    cluster = given.get("cluster") or {}
    from_program: dict[str, Any] = {}
    if isinstance(cluster, Mapping):
        may_be_contents = () if isinstance(args, ConfiguredSections) else ("kubeconfig",)
        from_program = {
            key: value
            for key, value in cluster.items()
            if isinstance(value, pulumi.Output) or (key in may_be_contents and _is_contents(value))
        }
        given["cluster"] = {**cluster, **dict.fromkeys(from_program, OF_PROGRAM)}
    try:
        fleet = parse(given, source, frozenset(secrets), problems)
        require_connection(fleet.settings.cluster, source)
    except InvalidSettings as exc:
        outputs = {each.path for each in problems}
        raise FleetRefused(source, [*problems, *(it for it in exc.problems if it.path not in outputs)]) from None
    return Declared(fleet, cluster_properties({**cluster_args(fleet), **from_program}))


def _is_contents(value: object) -> bool:
    """Those of a kubeconfig; in a stack file they would be there for every reader, so it has a path only."""
    return isinstance(value, str) and is_contents(value)


def _plain(value: Any) -> Any:
    """The value with whole numbers as ``int``, as they are in a stack file: another language may pass ``8.0``."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _outputs(value: Any, path: str = "") -> Iterator[Finding]:
    """The places that have an output and must not."""
    if isinstance(value, pulumi.Output):
        if not path.startswith(MAY_BE_OUTPUT):
            yield Finding(path, f"{MUST_BE_KNOWN}{_instead(path)}")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _outputs(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _outputs(inner, f"{path}[{position}]")


def _instead(path: str) -> str:
    """What would work in place of an output."""
    if path == "cluster":
        return "; its kubeconfig and its context may be outputs"
    if re.match(r"pools\.[^.]+\.nodes", path):
        return "; for nodes that the program creates, write a selector of their labels"
    return ""


def _has_output(value: Any) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return isinstance(value, pulumi.Output) or any(map(_has_output, inner))
