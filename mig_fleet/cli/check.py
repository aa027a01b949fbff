"""`mig-fleet check`: can this GPU be cut so, and does this file say what it seems to say?"""

import json
import os
import sys
from collections.abc import Mapping

import click

from mig_fleet.cli import cost, proven
from mig_fleet.cli.judged import Judged, Level, judge
from mig_fleet.cli.profile import is_profile
from mig_fleet.documents import DocumentError, open_document
from mig_fleet.model import Verdict, gpus, prove
from mig_fleet.model.cost import Basis
from mig_fleet.model.errors import MigError

EXIT = {Verdict.FEASIBLE: 0, Verdict.IMPOSSIBLE: 1, Verdict.UNPROVEN: 3}
EXIT_USAGE = 2


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="PROFILE=COUNT... | FILE...")
@click.option("--gpu", help="The GPU model, such as H100-80GB; `mig-fleet gpus` lists them.")
@click.option("--price", type=float, help="What the whole GPU costs, USD per hour: says what each slice costs.")
@click.option("--basis", type=click.Choice([basis.value for basis in Basis]), help="What slices are charged by.")
@click.option(
    "--busy", multiple=True, metavar="PROFILE=0..1", help="A slice with a pod, and how busy it is; once for each."
)
@click.option("--gpus-per-node", type=click.IntRange(1, 64), help="For mig-parted files: must every GPU be covered?")
@click.option("--json", "as_json", is_flag=True, help="The verdict as JSON.")
def check(
    what: tuple[str, ...],
    gpu: str | None,
    price: float | None,
    basis: str | None,
    busy: tuple[str, ...],
    gpus_per_node: int | None,
    as_json: bool,
) -> None:
    """Prove that a GPU can be cut in a way, and what its slices cost, or check stack files and mig-parted files.

    \b
      mig-fleet check --gpu H100-80GB 3g.40gb=2 1g.10gb=1
      mig-fleet check --gpu H100-80GB 1g.10gb=7 --price 2.50
      mig-fleet check stacks/Pulumi.prod.yaml mig-parted-config.yaml

    A slice is charged by the larger of its shares of compute and memory, or by what --basis says. What no slice gets is
    stranded. With --busy the price is told apart into used, idle (the rest of slices with a pod), unallocated (slices
    without one) and stranded.

    Exits 0 when all is proven, 1 when something is impossible or wrong, 3 when something cannot be proven, 2 when it
    could not be read.
    """
    money = cost.asked(price, basis, busy)
    if gpu is not None:
        if gpus_per_node is not None:
            raise click.UsageError("--gpus-per-node is for mig-parted files; with --gpu one GPU is looked at")
        sys.exit(_layout(gpu, what, money, as_json))
    if wish := next((word for word in what if _is_wish(word)), None):
        raise click.UsageError(f"{wish!r} looks like a profile; say on which GPU: --gpu {_gpus_with(wish)}")
    if money:
        raise click.UsageError("--price is for the slices of one GPU; say which with --gpu")
    sys.exit(_files(what, gpus_per_node, as_json))


def _is_wish(word: str) -> bool:
    is_one = "=" in word or is_profile(word)
    return is_one and not os.path.exists(word)  # noqa: PTH110  Path.exists raises for a name too long


def _gpus_with(wish: str) -> str:
    """The models that have a profile, so that the remedy can be copied."""
    profile = wish.partition("=")[0]
    return " or ".join(model.short for model in gpus.all_models() if model.knows(profile)) or "MODEL"


def _layout(gpu: str, wishes: tuple[str, ...], money: cost.Asked | None, as_json: bool) -> int:
    try:
        proof = prove(gpu, _counts(wishes))
        price = cost.of(proof, money) if money else None
    except MigError as exc:
        raise click.UsageError(str(exc)) from None
    if proof.verdict is Verdict.IMPOSSIBLE:
        price = None
    if as_json:
        click.echo(json.dumps(proven.described(proof) | ({"cost": price and price.plain()} if money else {}), indent=2))
    else:
        proven.say(proof)
        for line in price.told() if price else ():
            click.echo(f"  {line}")
    return EXIT[proof.verdict]


def _counts(wishes: tuple[str, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for wish in wishes:
        profile, equals, number = wish.partition("=")
        if equals and not (number.isascii() and number.isdecimal() and len(number) <= 9):
            raise click.UsageError(f"{wish!r}: the count must be a whole number, as in 1g.10gb=7")
        counts[profile] = counts.get(profile, 0) + (int(number) if equals else 1)
    if not any(counts.values()):
        raise click.UsageError("no instance is asked for; as in: 1g.10gb=7")
    return counts


def _files(paths: tuple[str, ...], gpus_per_node: int | None, as_json: bool) -> int:
    results: dict[str, list[Judged]] = {}
    unreadable = False
    for path in paths:
        try:
            results[path] = judge(open_document(path), gpus_per_node)
        except DocumentError as exc:
            results[path] = [Judged(Level.UNREADABLE, exc.place, exc.why)]
            unreadable = True
    if as_json:
        click.echo(
            json.dumps({path: [finding.plain() for finding in found] for path, found in results.items()}, indent=2)
        )
    else:
        _tell(results)
    levels = {finding.level for found in results.values() for finding in found}
    if unreadable:
        return EXIT_USAGE
    return 1 if Level.WRONG in levels else 3 if Level.UNPROVEN in levels else 0


def _tell(results: Mapping[str, list[Judged]]) -> None:
    for path, found in results.items():
        for finding in found:
            click.echo(f"{finding.place}: {'advice: ' if finding.level is Level.ADVICE else ''}{finding.text}")
        if all(finding.level is Level.ADVICE for finding in found):
            click.echo(f"{path}: sound")
