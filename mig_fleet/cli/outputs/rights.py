"""The JSON of `mig-fleet rights`."""

from mig_fleet.cli.outputs.base import Output


class Right(Output, frozen=True):
    """Verbs on resources, and what they are for."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    namespace: str
    names: tuple[str, ...]
    needed_for: str
    why: str
