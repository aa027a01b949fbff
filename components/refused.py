"""What a program gets for arguments that cannot work."""

from collections.abc import Iterable

import pulumi

from mig_fleet.model.finding import Finding
from mig_fleet.stack_file.invalid_settings import InvalidSettings


class FleetRefused(pulumi.RunError):
    """Arguments that cannot work; ``problems`` has every mistake in them, each with its path.

    Pulumi prints the text of a ``RunError`` without a traceback. It is no ``ValueError``: the SDK would put one that is
    raised for an output inside another one for each resource (pulumi/runtime/rpc.py, serialize_properties).
    """

    def __init__(self, source: str, problems: Iterable[Finding]) -> None:
        found = InvalidSettings(source, problems)
        self.source, self.problems = source, found.problems
        super().__init__(str(found))

    def __reduce__(self) -> "tuple[type[FleetRefused], tuple[str, tuple[Finding, ...]]]":
        return type(self), (self.source, self.problems)
