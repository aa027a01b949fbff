"""What the slices of one GPU cost, and where its price goes: the part of `mig-fleet check` that speaks of money."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from mig_fleet.model import Proof, cost
from mig_fleet.model.cost import Account, Basis

_CHARGED_BY = {
    Basis.MAX: "the larger of compute and memory",
    Basis.COMPUTE: "compute slices",
    Basis.MEMORY: "memory slices",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of money: the price of a GPU, what slices are charged by, and of each slice with a pod its
    profile and how busy it is (0 to 1).
    """

    price: float
    basis: Basis
    busy: tuple[tuple[str, float], ...]


def asked(price: float | None, basis: str | None, busy: Sequence[str]) -> Asked | None:
    """None where no cost is asked for. Raises ``click.UsageError`` for what cannot be."""
    if price is None:
        if basis or busy:
            raise click.UsageError(f"{'--basis' if basis else '--busy'} needs a price, as in --price 2.50")
        return None
    return Asked(price, Basis(basis or Basis.MAX), tuple(map(_busy, busy)))


def _busy(wish: str) -> tuple[str, float]:
    profile, _, text = wish.partition("=")
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise click.UsageError(f"--busy {wish!r}: must be a profile and a number from 0 to 1, as in 1g.10gb=0.8")
    return profile, share


@dataclass(frozen=True, slots=True)
class Cost:
    """What one slice of each profile costs, as a share of the GPU (0 to 1), and where the price of the GPU goes."""

    asked: Asked
    shares: Mapping[str, float]
    account: Account

    def plain(self) -> dict[str, Any]:
        """In the currency and time unit of the price; the last four add up to it."""
        return {
            "price": self.asked.price,
            "basis": str(self.asked.basis),
            "perSlice": {name: self.asked.price * share for name, share in self.shares.items()},
            "used": self.account.used,
            "idle": self.account.idle,
            "unallocated": self.account.unallocated,
            "stranded": self.account.stranded,
        }

    def told(self) -> Iterator[str]:
        """The same in words."""
        yield f"${self.asked.price:.2f} for the GPU, charged by {_CHARGED_BY[self.asked.basis]}:"
        for name, share in self.shares.items():
            yield f"  {name}: ${self.asked.price * share:.3f} each, {100 * (1 - share):.1f} % less than the GPU"
        parts = ("used", "idle", "unallocated", "stranded")
        if self.asked.busy:
            yield f"  {' + '.join(f'${getattr(self.account, part):.3f} {part}' for part in parts)}"
        else:
            yield f"  stranded: ${self.account.stranded:.3f}, which this layout gives to no slice"


def of(proof: Proof, wish: Asked) -> Cost:
    """The cost of a GPU that is cut so. Raises InvalidRequest for a price that is none and for more busy slices than
    there are.
    """
    busy: dict[str, list[float]] = {}
    for profile, share in wish.busy:
        busy.setdefault(profile, []).append(share)
    profiles = dict(proof.request)
    account = cost.account(wish.price, proof.gpu, profiles, busy, wish.basis)
    return Cost(wish, cost.shares(proof.gpu, profiles, wish.basis), account)
