"""`mig-fleet gpus`: shows the GPU catalog, and all maximal layouts of a GPU model as pictures."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mig_fleet.cli import tables
from mig_fleet.cli.profile import is_profile
from mig_fleet.model import gpus as catalog
from mig_fleet.model import maximal, pictures
from mig_fleet.model.errors import MigError
from mig_fleet.model.gpus import ComputeInstance, Engines, GpuModel, GpuProfile
from mig_fleet.model.gpus.model import DriverRule
from mig_fleet.model.placement.placed import format_ranges


@click.command()
@click.argument("model", required=False, metavar="[MODEL | PROFILE]")
@click.option("--json", "as_json", is_flag=True, help="Print everything in the catalog as JSON.")
@click.option("--svg", "as_svg", is_flag=True, help="Print the maximal layouts of MODEL as an SVG picture.")
def gpus(model: str | None, as_json: bool, as_svg: bool) -> None:
    """List MIG-capable GPU models, or show one model or profile.

    For a model, the command prints the slices, GiB, SMs, placements and driver of each profile, the compute instances,
    all maximal layouts as pictures, notes and sources.

    MODEL is a catalog name, a product name as NVML or a node label prints it, or a PCI id such as 0x233010DE. For a
    PROFILE, such as 1g.6gb, the command prints its slices and the models that have it. If a profile is a different
    slice on different models, the command fails and lists them.
    """
    try:
        if model and is_profile(model):
            if as_json or as_svg:
                raise click.UsageError("--json and --svg need a GPU model, not a profile")
            click.echo(_meaning(model))
            return
        chosen = (catalog.find(model),) if model else catalog.all_models()
    except MigError as exc:
        raise click.UsageError(str(exc)) from None
    if as_svg:
        if model is None:
            raise click.UsageError("--svg draws one GPU model; add its name")
        click.echo(_svg(chosen[0]), nl=False)
    elif as_json:
        click.echo(json.dumps([plain(one) for one in chosen], indent=2))
    elif model:
        _show(chosen[0], Console(highlight=False))
    else:
        _list(chosen, Console(highlight=False))


def _meaning(profile: str) -> str:
    """The slice that a profile is on each of its GPU models. Raises AmbiguousProfile, UnknownProfile."""
    name = catalog.find_profile(profile).name
    ((meaning, models),) = catalog.meanings(profile).items()
    return f"{name}: {meaning} ({', '.join(model.short for model in models)})"


def plain(model: GpuModel) -> dict[str, Any]:
    """A GPU model with its maximal layouts as plain data, with keys in camelCase."""
    fields = {name: getattr(model, name) for name in GpuModel.__dataclass_fields__ if not name.startswith("_")}
    rows = {name: _plain_fields(row) | {"profile": name} for name, row in model.profiles.items()}
    return _camel_case(fields.items()) | {
        "engines": _plain_fields(model.engines),
        "driverRules": [_plain_fields(rule) for rule in model.driver_rules],
        "profiles": rows,
        "maximalLayouts": [dict(layout) for layout in maximal(model)],
    }


def _plain_fields(part: Engines | DriverRule | GpuProfile) -> dict[str, Any]:
    return asdict(part, dict_factory=_camel_case)


def _camel_case(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a dataclass with keys such as ``driverMin``."""
    return {re.sub("_(.)", lambda match: match[1].upper(), name): value for name, value in fields}


def _svg(model: GpuModel) -> str:
    return pictures.svg(model, [(f"layout {number}", layout) for number, layout in enumerate(maximal(model), start=1)])


def _list(models: tuple[GpuModel, ...], console: Console) -> None:
    table = tables.ruled("model", "slices", "driver", "profiles", "PCI ids", "placements")
    for model in models:
        plain_names = [row.name for row in sorted(model.profiles.values(), key=_size) if row.profile.is_plain]
        table.add_row(
            model.short,
            f"{model.compute_slices} + {model.memory_slices}",
            _release(model.driver_min),
            f"{plain_names[0]} … {plain_names[-1]}",
            " ".join(model.pci_device_ids) or "none",
            _confidence(model),
        )
    tables.show(table, console)
    console.print(
        "slices: compute + memory. `mig-fleet gpus MODEL` shows all profiles and maximal layouts.", soft_wrap=True
    )


def _size(row: GpuProfile) -> tuple[int, int]:
    return row.compute_slices, row.memory_slices


def _confidence(model: GpuModel) -> str:
    if not maximal(model):
        return "unknown"
    words = {row.placement_confidence.split(" ")[0] for row in model.profiles.values()}
    return "published" if words == {"lgipp-output"} else "derived"


def _show(model: GpuModel, console: Console) -> None:
    echo = partial(console.print, soft_wrap=True, markup=False)
    console.print(Text.assemble((model.name, "bold"), f"  {model.architecture}, {model.memory_gb} GB"), soft_wrap=True)
    echo(f"  products  {', '.join(model.product_names) or 'unknown'}")
    echo(f"  PCI ids   {', '.join(model.pci_device_ids) or 'none'}")
    echo(
        f"  slices    {model.compute_slices} compute, {model.memory_slices} memory, at most {model.max_gpu_instances} "
        f"instances; driver {model.driver_min or 'unknown'}"
    )
    others = [f"{row.name} is {it.name} {it.where}" for row in model.profiles.values() for it in row.alternate_names]
    if others:
        echo(f"  names     {', '.join(others)}; a layout with either is unproven")
    for number, need in enumerate(_needs(model)):
        echo(f"  {'' if number else 'needs':<8}  {need}")
    tables.show(_profiles(model), console)
    echo("  slices: compute + memory; engines: copy/NVDEC/NVENC/JPEG/OFA; driver: minimum; ?: no source")
    parts = [(row, part) for row in model.profiles.values() for part in row.compute_instances if part.name != row.name]
    if parts:
        echo("\nCompute instances: parts of a GPU instance that share its memory and engines:")
        tables.show(_parts(parts), console)
    if unsourced := [row.name for row in model.profiles.values() if row.parts_unsourced]:
        names = ", ".join(unsourced)
        command = "run on a node with this GPU model: nvidia-smi mig -lcip"
        echo(f"\nCompute instances: no source states how {names} are split; {command}")
    console.print()
    _maximal(model, console)
    for title, texts in (("Sources disagree", model.disagreements), ("Notes", (*model.notes, *_row_notes(model)))):
        if texts:
            echo(f"\n{title}:")
            for text in texts:
                echo(f"  - {text}")
    echo("\nSources:")
    for key in _sources(model):
        echo(f"  {key}: {catalog.sources()[key]}")


def _sources(model: GpuModel) -> Iterable[str]:
    """The source keys of everything above: the model, its profiles and their names, its driver rules."""
    rows = model.profiles.values()
    of_rows = [key for row in rows for key in (*row.sources, *(it.source for it in row.alternate_names))]
    return dict.fromkeys((*model.sources, *of_rows, *(rule.source for rule in model.driver_rules)))


def _needs(model: GpuModel) -> Iterable[str]:
    """Driver versions that the driver column does not show in full, and combinations of profiles that need a newer
    driver.
    """
    for driver, names in _gathered((row.driver_min or "", row.name) for row in model.profiles.values()):
        if driver not in ("", model.driver_min, _release(driver)):
            yield f"driver {driver} for {', '.join(names) if len(names) < len(model.profiles) else 'each profile'}"
    for rule in model.driver_rules:
        yield f"driver {rule.driver_min} for {' with '.join(rule.profiles)} ({rule.source})"


def _row_notes(model: GpuModel) -> Iterable[str]:
    for note, names in _gathered((note, row.name) for row in model.profiles.values() for note in row.notes):
        yield f"{', '.join(names)}: {note}"


def _gathered(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    """Each fact once, with the names of all profiles that it is about."""
    names: dict[str, list[str]] = {}
    for fact, name in pairs:
        names.setdefault(fact, []).append(name)
    return names.items()


def _release(driver: str | None) -> str:
    """``R570`` for ``R570 (570.133.20)``."""
    return (driver or "?").split(" ")[0]


def _profiles(model: GpuModel) -> Table:
    table = tables.ruled("profile", "id", "max", "slices", "GiB", "SMs", "start:size", "engines", "driver", "source")
    for row in model.profiles.values():
        table.add_row(
            row.name,
            _known(row.nvml_id),
            str(row.max_instances),
            f"{row.compute_slices} + {row.memory_slices}",
            "?" if row.memory_mib is None else f"{row.memory_mib / 1024:.2f}",
            _known(row.sm_count),
            f"{_starts(row)} :{row.size}" if row.starts else "?",
            "/".join(_known(count) for count in row.engines),
            _release(row.driver_min or model.driver_min),
            row.confidence,
        )
    return table


def _starts(row: GpuProfile) -> str:
    return format_ranges(sum(1 << start for start in row.starts)).replace(" ", "")


def _parts(parts: Iterable[tuple[GpuProfile, ComputeInstance]]) -> Table:
    table = tables.ruled("profile", "id", "slices", "SMs", "at most")
    for row, part in parts:
        most = f"{part.instances} in one {row.name}"
        table.add_row(part.name, str(part.ci_profile_id), str(part.slices), _known(part.sm_count), most)
    return table


def _known(number: int | None) -> str:
    return "?" if number is None else str(number)


def _maximal(model: GpuModel, console: Console) -> None:
    echo = partial(console.print, soft_wrap=True, markup=False)
    layouts = maximal(model)
    if not layouts:
        console.print(
            "Maximal layouts: no source establishes them; run on a node with this GPU model: nvidia-smi mig -lgipp",
            soft_wrap=True,
        )
        return
    plain_ones = [layout for layout in layouts if all(model.profiles[name].profile.is_plain for name in layout)]
    others = len(layouts) - len(plain_ones)
    echo(f"Maximal layouts, {len(plain_ones)} without and {others} with suffixes:\n")
    drawn = [
        (pictures.row(model, layout), layout) for layout in (*plain_ones, *(x for x in layouts if x not in plain_ones))
    ]
    width = max(len(picture) for picture, _ in drawn)
    for picture, layout in drawn:
        profiles = " + ".join(f"{count} × {name}" if count > 1 else name for name, count in layout.items())
        echo(f"  {picture.ljust(width)}  {profiles}")
