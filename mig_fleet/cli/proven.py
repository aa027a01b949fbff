"""A proof as the command line tells it: in words with a picture, and as plain data."""

from typing import Any

import click

from mig_fleet.model import Proof, capacity, pictures
from mig_fleet.model.gpus import GpuModel


def described(proof: Proof) -> dict[str, Any]:
    """A proof as plain data."""
    return {
        "gpu": proof.gpu.name,
        "request": dict(proof.request),
        "verdict": str(proof.verdict),
        "placements": [{"profile": p.profile, "start": p.start, "size": p.size} for p in proof.placements],
        "order": list(proof.order),
        "reason": proof.reason,
        "nearest": [dict(layout) for layout in proof.nearest],
        "nearestProven": [proof.is_proven(layout) for layout in proof.nearest],
        "confidence": proof.confidence,
        "requires": list(proof.requires),
        "capacity": {name: _capacity(capacity.offer(proof.gpu, name, count)) for name, count in _offered(proof)},
    }


def _offered(proof: Proof) -> tuple[tuple[str, int], ...]:
    return proof.request if proof.fits else ()


def _capacity(offer: capacity.Offer) -> dict[str, Any]:
    return {
        "slices": offer.slices,
        "memoryGib": offer.memory_gib,
        "sms": offer.sm_count,
        "memorySharedIn": offer.shared_in,
    }


def _in_words(gpu: GpuModel, name: str, count: int) -> str:
    each = capacity.offer(gpu, name)
    sms = f"{each.sm_count or 'an unknown number of'} SMs"
    if each.shared_in:
        memory = _memory(capacity.offer(gpu, each.shared_in))
        return f"{count}x {name}, each with {sms}; parts of one {each.shared_in} share {memory}"
    return f"{count}x {name}, each with {_memory(each)} and {sms}"


def _memory(offer: capacity.Offer) -> str:
    return "an unknown amount of memory" if offer.memory_gib is None else f"{offer.memory_gib:.2f} GiB"


def say(proof: Proof) -> None:
    """Prints a proof: the verdict and its reason, then what there would be, or what fits instead."""
    click.echo(f"{proof.verdict} on {proof.gpu.name}: {proof.reason}")
    if proof.fits:
        click.echo(f"\n  {pictures.row(proof.gpu, proof)}\n")
        for name, count in _offered(proof):
            click.echo(f"  offers {_in_words(proof.gpu, name, count)}")
        click.echo(f"  create in this order: {', '.join(proof.order)}")
        click.echo(f"  placements: {pictures.CONFIDENCE[proof.confidence]}")
        for requirement in proof.requires:
            click.echo(f"  needs {requirement}")
    for number, layout in enumerate(proof.nearest):
        wish = " ".join(f"{name}={count}" for name, count in layout.items())
        doubt = "" if proof.is_proven(layout) else "  (unproven: boards differ in names)"
        click.echo(f"{'  what fits: ' if not number else '         or: '}{wish}{doubt}")
