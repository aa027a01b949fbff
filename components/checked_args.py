"""The arguments of a component that a program composes itself, checked by the annotations of their ``TypedDict``.

The arguments stay as they are; this says only what is wrong with them.
"""

from mig_fleet.components.plain_args import is_plainly_right
from mig_fleet.components.refused import FleetRefused


def check_args(source: str, args: object, kind: type) -> None:
    """Raises :class:`~mig_fleet.components.refused.FleetRefused` with every argument that is missing, unknown or of
    another type than ``kind``, a ``TypedDict``, says. ``source`` names the component.
    """
    if is_plainly_right(args, kind):
        return
    # pydantic says what is wrong. To import it and to build its models takes a tenth of a preview of a large fleet
    # (benchmarks/preview.py).
    from mig_fleet.components.args_model import mistakes

    if found := mistakes(args, kind):
        raise FleetRefused(source, found)
