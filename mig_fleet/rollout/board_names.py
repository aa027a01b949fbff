"""The names that boards have for their profiles, compared with those of a layout. Pure.

mig-parted finds a profile by its name alone: on a board without the name it destroys the slices, creates none and
reports success.
"""

from mig_fleet.model.profiles import Profile
from mig_fleet.observed.snapshot import Node
from mig_fleet.rollout.wave import Wave


def unknown_names(wave: Wave, node: Node) -> list[str]:
    """One sentence for each profile of the layout that a board of the node does not have under this name; nothing for a
    board whose driver lists no names.
    """
    lacking: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for gpu in node.report.gpus if node.report else ():
        wanted = wave.expected.gpus[gpu.index] if gpu.index < len(wave.expected.gpus) else None
        for name in wanted or {}:
            names = gpu.profile_names
            if names is not None and str(Profile.parse(name).whole) not in names:
                lacking.setdefault((name, names), []).append(gpu.index)
    return [
        f"node '{node.name}': GPU {', '.join(map(str, indexes))} has no profile {name}: NVML lists {', '.join(names)}; "
        "MIG Manager would destroy the slices there and create none; write the layout with these names, in a pool of "
        "its own if other nodes have others"
        for (name, names), indexes in lacking.items()
    ]
