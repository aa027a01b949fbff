"""The cost of the slices of one GPU, for `mig-fleet check --price`."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from mig_fleet.cli.outputs import check as output
from mig_fleet.model import Proof, cost
from mig_fleet.model.capacity import stranded_sms
from mig_fleet.model.cost import Account, Basis
from mig_fleet.model.profiles import from_kubernetes

_CHARGED_BY = {
    Basis.MAX: "the larger of compute and memory",
    Basis.COMPUTE: "compute slices",
    Basis.MEMORY: "memory slices",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What to calculate: the price of the GPU, what slices are charged for, and the profile and utilization (0 to 1) of
    each slice with a pod.
    """

    price: float
    basis: Basis
    busy: tuple[tuple[str, float], ...]


def parse_request(price: float | None, basis: str | None, busy: Sequence[str]) -> Request | None:
    """None without a price. Raises ``click.UsageError`` for invalid options."""
    if price is None:
        if basis or busy:
            raise click.UsageError(f"{'--basis' if basis else '--busy'} needs a price, as in --price 2.50")
        return None
    return Request(price, Basis(basis or Basis.MAX), tuple(map(_parse_busy, busy)))


def _parse_busy(word: str) -> tuple[str, float]:
    profile, _, text = word.partition("=")
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise click.UsageError(f"--busy {word!r}: must be a profile and a number from 0 to 1, as in 1g.10gb=0.8")
    return from_kubernetes(profile), share


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one slice of each profile, as a share of the GPU (0 to 1), and the parts of the GPU's price."""

    request: Request
    shares: Mapping[str, float]
    account: Account
    stranded_sms: tuple[int, int] | None
    """The SMs that no slice has, and those of the GPU; None if no source gives them."""

    def to_json(self) -> output.Cost:
        """In the currency and time unit of the price; used, idle, unallocated and stranded add up to the price."""
        account = self.account
        return output.Cost(
            price=self.request.price,
            basis=str(self.request.basis),
            per_slice={name: self.request.price * share for name, share in self.shares.items()},
            used=account.used,
            idle=account.idle,
            unallocated=account.unallocated,
            stranded=account.stranded,
            stranded_sms=self.stranded_sms[0] if self.stranded_sms else None,
        )

    def lines(self) -> Iterator[str]:
        """The same as text."""
        yield f"${self.request.price:.2f} for the GPU, charged by {_CHARGED_BY[self.request.basis]}:"
        for name, share in self.shares.items():
            yield f"  {name}: ${self.request.price * share:.3f} each, {100 * (1 - share):.1f} % less than the GPU"
        parts = ("used", "idle", "unallocated", "stranded")
        if self.request.busy:
            yield f"  {' + '.join(f'${getattr(self.account, part):.3f} {part}' for part in parts)}"
        elif self.stranded_sms and (sms := self.stranded_sms[0]):
            by_sms = self.request.price * sms / self.stranded_sms[1]
            yield (
                f"  stranded: {sms} of {self.stranded_sms[1]} SMs, which no slice has, ${by_sms:.3f} by SMs; by "
                f"{_CHARGED_BY[self.request.basis]} ${self.account.stranded:.3f}"
            )
        else:
            yield f"  stranded: ${self.account.stranded:.3f}, which this layout gives to no slice"


def cost_of(proof: Proof, request: Request) -> Cost:
    """The cost of a GPU with the requested and the kept slices of a proof. Raises InvalidRequest for an invalid price
    and for more busy slices than the GPU has.
    """
    busy: dict[str, list[float]] = {}
    for profile, share in request.busy:
        busy.setdefault(profile, []).append(share)
    profiles = Counter(dict(proof.request))
    profiles.update(instance.profile for instance in proof.kept)
    account = cost.account(request.price, proof.gpu, profiles, busy, request.basis)
    shares = cost.shares(proof.gpu, profiles, request.basis)
    return Cost(request, shares, account, stranded_sms(proof.gpu, profiles))
