"""`mig-fleet check`: proves a layout of one GPU, or checks stack files and mig-parted files."""

import json
import os
import sys
from collections.abc import Mapping

import click

from mig_fleet.cli import cost, proofs
from mig_fleet.cli.findings import check_document
from mig_fleet.cli.profile import is_profile
from mig_fleet.documents import DocumentError, open_document
from mig_fleet.model import Verdict, gpus, prove
from mig_fleet.model.cost import Basis
from mig_fleet.model.errors import MigError
from mig_fleet.model.finding import Finding, Level

EXIT = {Verdict.FEASIBLE: 0, Verdict.IMPOSSIBLE: 1, Verdict.UNPROVEN: 3}
EXIT_USAGE = 2


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="PROFILE=COUNT... | FILE...")
@click.option("--gpu", help="The GPU model, such as H100-80GB; `mig-fleet gpus` lists all models.")
@click.option("--price", type=float, help="The price of the whole GPU in USD per hour; prints the cost of each slice.")
@click.option(
    "--basis",
    type=click.Choice([basis.value for basis in Basis]),
    help="Charge a slice for its share of compute, of memory, or the larger of both (max, the default).",
)
@click.option(
    "--busy",
    multiple=True,
    metavar="PROFILE=0..1",
    help="A slice with a pod, and its utilization from 0 to 1; repeat the option for each slice.",
)
@click.option(
    "--gpus-per-node",
    type=click.IntRange(1, 64),
    help="For mig-parted files: each config must cover every GPU of a node with this many GPUs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    what: tuple[str, ...],
    gpu: str | None,
    price: float | None,
    basis: str | None,
    busy: tuple[str, ...],
    gpus_per_node: int | None,
    as_json: bool,
) -> None:
    """Check the slices of one GPU, or stack and mig-parted files.

    With --gpu, the command proves that the GPU can hold the slices and prints where, or the nearest slices that fit.
    For files, it prints each mistake with its line, including what NVIDIA's tools accept and then silently do wrong.

    \b
      mig-fleet check --gpu H100-80GB 3g.40gb=2 1g.10gb=1
      mig-fleet check --gpu H100-80GB 1g.10gb=7 --price 2.50
      mig-fleet check stacks/Pulumi.prod.yaml mig-parted-config.yaml

    With --price, a slice is charged for the larger of its shares of compute and memory, or for the share that --basis
    names. The price of resources that no slice has is stranded. With --busy, the price is split into four parts: used,
    idle (the unused part of slices with a pod), unallocated (slices without a pod) and stranded.

    Exit status: 0 if everything is proven, 1 if something is impossible or wrong, 3 if something cannot be proven, 2
    if the arguments or a file cannot be read.
    """
    request = cost.parse_request(price, basis, busy)
    if gpu is not None:
        if gpus_per_node is not None:
            raise click.UsageError("--gpus-per-node is for mig-parted files; --gpu checks a single GPU")
        sys.exit(_check_layout(gpu, what, request, as_json))
    if word := next((word for word in what if _is_count(word)), None):
        raise click.UsageError(f"{word!r} looks like a profile; name the GPU model: --gpu {_models_with(word)}")
    if request:
        raise click.UsageError("--price is for the slices of one GPU; name its model with --gpu")
    sys.exit(_check_files(what, gpus_per_node, as_json))


def _is_count(word: str) -> bool:
    """Whether a word means slices, ``1g.10gb=7`` or ``1g.10gb``, and not a file."""
    has_profile = "=" in word or is_profile(word)
    return has_profile and not os.path.exists(word)  # noqa: PTH110  Path.exists raises for a name that is too long


def _models_with(word: str) -> str:
    """The GPU models that have a profile, so that the user can copy the option."""
    profile = word.partition("=")[0]
    return " or ".join(model.short for model in gpus.all_models() if model.knows(profile)) or "MODEL"


def _check_layout(gpu: str, words: tuple[str, ...], request: cost.Request | None, as_json: bool) -> int:
    try:
        proof = prove(gpu, _counts(words))
        price = cost.cost_of(proof, request) if request else None
    except MigError as exc:
        raise click.UsageError(str(exc)) from None
    if proof.verdict is Verdict.IMPOSSIBLE:
        price = None
    if as_json:
        output = proofs.to_json(proof) | ({"cost": price and price.to_json()} if request else {})
        click.echo(json.dumps(output, indent=2))
    else:
        proofs.print_proof(proof)
        for line in price.lines() if price else ():
            click.echo(f"  {line}")
    return EXIT[proof.verdict]


def _counts(words: tuple[str, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        profile, equals, number = word.partition("=")
        if equals and not (number.isascii() and number.isdecimal() and len(number) <= 9):
            raise click.UsageError(f"{word!r}: the count must be a whole number, as in 1g.10gb=7")
        counts[profile] = counts.get(profile, 0) + (int(number) if equals else 1)
    if not any(counts.values()):
        raise click.UsageError("no instance requested; write for example 1g.10gb=7")
    return counts


def _check_files(paths: tuple[str, ...], gpus_per_node: int | None, as_json: bool) -> int:
    results: dict[str, list[Finding]] = {}
    for path in paths:
        try:
            results[path] = check_document(open_document(path), gpus_per_node)
        except DocumentError as exc:
            results[path] = [Finding(exc.place, exc.why, level=Level.UNREADABLE)]
    if as_json:
        output = {path: [_to_json(finding) for finding in found] for path, found in results.items()}
        click.echo(json.dumps(output, indent=2))
    else:
        _print(results)
    levels = {finding.level for found in results.values() for finding in found}
    if Level.UNREADABLE in levels:
        return EXIT_USAGE
    return 1 if Level.WRONG in levels else 3 if Level.UNPROVEN in levels else 0


def _to_json(finding: Finding) -> dict[str, str]:
    return {"level": str(finding.level), "place": finding.path, "text": finding.text}


def _print(results: Mapping[str, list[Finding]]) -> None:
    for path, found in results.items():
        for finding in found:
            click.echo(f"{finding.place}: {'advice: ' if finding.level is Level.ADVICE else ''}{finding.text}")
        if all(finding.level is Level.ADVICE for finding in found):
            click.echo(f"{path}: sound")
