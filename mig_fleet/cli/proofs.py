"""Prints a proof, as text with a picture or as JSON."""

from collections.abc import Iterable, Mapping

import click

from mig_fleet.cli import cost
from mig_fleet.cli.outputs import check as output
from mig_fleet.model import Placement, Proof, capacity, maximal, pictures
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.placement import explain, is_proven_alternative, nearest


def to_json(proof: Proof, price: cost.Cost | None) -> output.Proof:
    """A proof as plain data. ``creation_order`` is the order in which to create the GPU instances."""
    alternatives = nearest(proof)
    return output.Proof(
        gpu=proof.gpu.name,
        request=dict(proof.request),
        verdict=str(proof.verdict),
        placements=tuple(map(_placement, proof.placements)),
        creation_order=tuple(proof.creation_order),
        reason=explain(proof),
        nearest=tuple(dict(layout) for layout in alternatives),
        nearest_proven=tuple(is_proven_alternative(proof, layout) for layout in alternatives),
        kept=tuple(map(_placement, proof.kept)),
        beside=tuple(dict(layout) for layout in _beside(proof)),
        confidence=proof.confidence,
        requires=tuple(proof.requires),
        capacity={name: _capacity(capacity.offer(proof.gpu, name, count)) for name, count in _offered(proof)},
        cost=price.to_json() if price else None,
    )


def print_proof(proof: Proof) -> None:
    """Prints the verdict and its reason, then the slices that the GPU offers, or the nearest layouts that fit."""
    click.echo(f"{proof.verdict} on {proof.gpu.name}: {explain(proof)}")
    if proof.fits:
        click.echo(f"\n  {pictures.row(proof.gpu, proof)}\n")
        for name, count in _offered(proof):
            click.echo(f"  offers {_format_slices(proof.gpu, name, count)}")
        if proof.creation_order:
            click.echo(f"  create in this order: {', '.join(proof.creation_order)}")
            click.echo(f"  placements: {pictures.CONFIDENCE[proof.confidence]}")
        for requirement in proof.requires:
            click.echo(f"  needs {requirement}")
    _print_alternatives("what fits", proof, nearest(proof))
    beside = _beside(proof)
    _print_alternatives("what still fits", proof, beside)
    if proof.kept and not proof.request and proof.fits and not beside:
        click.echo("  what still fits: nothing")


def _print_alternatives(title: str, proof: Proof, layouts: Iterable[Mapping[str, int]]) -> None:
    for number, layout in enumerate(layouts):
        profiles = " ".join(f"{name}={count}" for name, count in layout.items())
        doubt = "" if is_proven_alternative(proof, layout) else "  (unproven: boards differ in names)"
        click.echo(f"  {title if not number else 'or':>{len(title)}}: {profiles}{doubt}")


def _beside(proof: Proof) -> tuple[Mapping[str, int], ...]:
    """What fits beside the kept instances, if nothing else was requested; profiles without suffixes first."""
    if proof.request or not proof.kept:
        return ()
    rows = proof.gpu.profiles
    return tuple(
        sorted(
            maximal(proof.gpu, proof.kept), key=lambda layout: not all(rows[name].profile.is_plain for name in layout)
        )
    )


def _placement(placement: Placement) -> output.Placement:
    return output.Placement(profile=placement.profile, start=placement.start, size=placement.size)


def _offered(proof: Proof) -> tuple[tuple[str, int], ...]:
    return proof.request if proof.fits else ()


def _capacity(offer: capacity.Offer) -> output.Capacity:
    return output.Capacity(
        slices=offer.slices, memory_gib=offer.memory_gib, sms=offer.sm_count, memory_shared_in=offer.shared_in
    )


def _format_slices(gpu: GpuModel, name: str, count: int) -> str:
    each = capacity.offer(gpu, name)
    sms = f"{each.sm_count or 'an unknown number of'} SMs"
    if each.shared_in:
        memory = _format_memory(capacity.offer(gpu, each.shared_in))
        return f"{count}x {name}, each with {sms}; parts of one {each.shared_in} share {memory}"
    return f"{count}x {name}, each with {_format_memory(each)} and {sms}"


def _format_memory(offer: capacity.Offer) -> str:
    return "an unknown amount of memory" if offer.memory_gib is None else f"{offer.memory_gib:.2f} GiB"
