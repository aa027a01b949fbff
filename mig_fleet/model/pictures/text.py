"""Memory slices in the terminal: ``[1g][1g][1g][1g][1g][1g][1g] · ``."""

from collections.abc import Mapping

from mig_fleet.model.gpus import GpuModel, find
from mig_fleet.model.placement import Placement, Proof, prove
from mig_fleet.model.profiles import Profile

CONFIDENCE = {
    "lgipp-output": "as published outputs of this model show them",
    "derived": "derived from boards of the same generation, not published for this model",
    "derived-normalized": "derived from the fractions in NVIDIA's documentation; the real units are not published",
}
"""A proof's ``confidence`` as text about its placements."""


def row(gpu: GpuModel | str, profiles: Mapping[str, int] | Proof | None) -> str:
    """One line, each memory slice equally wide. ``None`` is a GPU without MIG. Profiles without known placements are
    listed, not drawn. Raises what :func:`mig_fleet.model.prove` raises.
    """
    model = find(gpu)
    if profiles is None:
        return "[" + "whole GPU".center(model.memory_slices * 4 - 2) + "]"
    proof = profiles if isinstance(profiles, Proof) else prove(model, profiles)
    if not proof.fits:
        request = " + ".join(f"{count} × {name}" for name, count in proof.request)
        return f"{request} ({proof.verdict})"
    labels = {placement: _short(placement.profile) for placement in proof.placements}
    width = max([4, *(-(-(len(label) + 2) // placement.size) for placement, label in labels.items())])
    return _draw(labels, model.memory_slices, width)


def _short(profile: str) -> str:
    """The name without its memory, which the width of the box shows: ``1g+me``."""
    parsed = Profile.parse(profile)
    return str(parsed).replace(f".{parsed.memory_gb}gb", "")


def _draw(labels: Mapping[Placement, str], slices: int, width: int) -> str:
    cells = []
    position = 0
    for placement in sorted(labels, key=lambda placement: placement.start):
        cells += ["·".center(width)] * (placement.start - position)
        cells.append("[" + labels[placement].center(placement.size * width - 2) + "]")
        position = placement.start + placement.size
    cells += ["·".center(width)] * (slices - position)
    return "".join(cells)
