"""The work of `mig-fleet check`: proves a layout of one GPU, or checks stack files and mig-parted files."""

import os
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from mig_fleet.cli import cost, proofs
from mig_fleet.cli.exit_codes import ExitCode
from mig_fleet.cli.findings import check_document
from mig_fleet.cli.outputs import check as output
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.profile import is_profile
from mig_fleet.documents import DocumentError, open_document
from mig_fleet.model import Placement, Verdict, gpus, prove
from mig_fleet.model.errors import MigError
from mig_fleet.model.finding import Finding, Level
from mig_fleet.model.gpus import GpuModel
from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.profiles import from_kubernetes

EXIT = {
    Verdict.FEASIBLE: ExitCode.SUCCESS,
    Verdict.IMPOSSIBLE: ExitCode.FAILURE,
    Verdict.UNPROVEN: ExitCode.UNKNOWN,
}


def run(
    what: tuple[str, ...],
    gpu: str | None,
    keep: tuple[str, ...],
    request: cost.Request | None,
    gpus_per_node: int | None,
    as_json: bool,
) -> NoReturn:
    """Print the verdict and exit; raises ``click.UsageError``."""
    if gpu is not None:
        if gpus_per_node is not None:
            raise click.UsageError("--gpus-per-node is for mig-parted files; --gpu checks a single GPU")
        sys.exit(_check_layout(gpu, what, keep, request, as_json))
    if keep:
        raise click.UsageError("--keep is for the slices of one GPU; name its model with --gpu")
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
    profile = from_kubernetes(word.partition("=")[0])
    return " or ".join(model.short for model in gpus.all_models() if model.knows(profile)) or "MODEL"


def _check_layout(
    gpu: str, words: tuple[str, ...], keep: tuple[str, ...], request: cost.Request | None, as_json: bool
) -> ExitCode:
    try:
        model = gpus.find(gpu)
        proof = prove(model, _counts(words) if words or not keep else {}, [_kept(model, word) for word in keep])
        price = cost.cost_of(proof, request) if request else None
    except MigError as exc:
        raise click.UsageError(str(exc)) from None
    if proof.verdict is Verdict.IMPOSSIBLE:
        price = None
    if as_json:
        print_json(proofs.to_json(proof, price))
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
        profile = from_kubernetes(profile)
        counts[profile] = counts.get(profile, 0) + (int(number) if equals else 1)
    if not any(counts.values()):
        raise click.UsageError("no instance requested; write for example 1g.10gb=7")
    return counts


def _kept(model: GpuModel, word: str) -> Placement:
    """An instance as ``3g.40gb@4`` or, with its size, ``3g.40gb@4:4``."""
    profile, _, place = word.partition("@")
    numbers = [parse_natural(text) for text in place.split(":")]
    name = from_kubernetes(profile)
    start, size = numbers[0], numbers[-1] if len(numbers) == 2 else gpus.profile_of(model, name).size
    if start is None or size is None or len(numbers) > 2:
        raise click.UsageError(
            f"--keep {word!r}: must be a profile and its first memory slice, as in 3g.40gb@4; `nvidia-smi mig -lgi` "
            "prints it"
        )
    return Placement(name, start, size)


def _check_files(paths: tuple[str, ...], gpus_per_node: int | None, as_json: bool) -> ExitCode:
    results: dict[str, list[Finding]] = {}
    for path in paths:
        try:
            results[path] = check_document(open_document(path), gpus_per_node)
        except DocumentError as exc:
            results[path] = [Finding(exc.place, exc.why, level=Level.UNREADABLE)]
    if as_json:
        print_json({path: [_to_json(finding) for finding in found] for path, found in results.items()})
    else:
        _print(results)
    levels = {finding.level for found in results.values() for finding in found}
    if Level.UNREADABLE in levels:
        return ExitCode.USAGE
    if Level.WRONG in levels:
        return ExitCode.FAILURE
    return ExitCode.UNKNOWN if Level.UNPROVEN in levels else ExitCode.SUCCESS


def _to_json(finding: Finding) -> output.Finding:
    return output.Finding(level=str(finding.level), place=finding.path, text=finding.text)


def _print(results: Mapping[str, list[Finding]]) -> None:
    for path, found in results.items():
        for finding in found:
            click.echo(f"{finding.place}: {'advice: ' if finding.level is Level.ADVICE else ''}{finding.text}")
        if all(finding.level is Level.ADVICE for finding in found):
            click.echo(f"{path}: sound")
