"""The work of `mig-fleet gpus`: shows the GPU catalog, and all maximal layouts of a GPU model as pictures."""

from collections.abc import Iterable
from functools import partial
from types import SimpleNamespace

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mig_fleet.cli import tables
from mig_fleet.cli.outputs import gpus as output
from mig_fleet.cli.outputs.base import print_json
from mig_fleet.cli.profile import is_profile
from mig_fleet.model import gpus as catalog
from mig_fleet.model import maximal, pictures
from mig_fleet.model.errors import MigError
from mig_fleet.model.gpus import ComputeInstance, GpuModel, GpuProfile
from mig_fleet.model.placement.placed import format_ranges
from mig_fleet.model.profiles import from_kubernetes


def run(model: str | None, as_json: bool, as_svg: bool) -> None:
    """Print the catalog, or one model or profile of it; raises ``click.UsageError``."""
    try:
        if model and is_profile(model):
            if as_svg:
                raise click.UsageError("--svg draws a GPU model, not a profile")
            _show_profile(model, as_json)
            return
        chosen = (catalog.find(model),) if model else catalog.all_models()
    except MigError as exc:
        raise click.UsageError(str(exc)) from None
    if as_svg:
        if model is None:
            raise click.UsageError("--svg draws one GPU model; add its name")
        click.echo(_svg(chosen[0]), nl=False)
    elif as_json:
        print_json([to_json(one) for one in chosen])
    elif model:
        _show(chosen[0], Console(highlight=False))
    else:
        _list(chosen, Console(highlight=False))


def _show_profile(profile: str, as_json: bool) -> None:
    """The slice that a profile is on each of its GPU models. Raises AmbiguousProfile, UnknownProfile."""
    profile = from_kubernetes(profile)
    name = catalog.find_profile(profile).name
    ((meaning, models),) = catalog.meanings(profile).items()
    shorts = tuple(model.short for model in models)
    if as_json:
        print_json(output.ProfileMeaning(profile=name, meaning=meaning, models=shorts))
    else:
        click.echo(f"{name}: {meaning} ({', '.join(shorts)})")


def to_json(model: GpuModel) -> output.GpuModel:
    """A GPU model with its maximal layouts as plain data."""
    fields = {name: getattr(model, name) for name in GpuModel.__dataclass_fields__ if not name.startswith("_")}
    layouts = [dict(layout) for layout in maximal(model)]
    whole = SimpleNamespace(**fields, maximal_layouts=layouts)
    return msgspec.convert(whole, output.GpuModel, from_attributes=True)


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
    for board in model.other_boards:
        echo(
            f"  not       {board.name}, another model with the same PCI id: subsystem device "
            f"{', '.join(board.subsystem_devices)}"
        )
    echo(
        f"  slices    {model.compute_slices} compute, {model.memory_slices} memory, at most {model.max_gpu_instances} "
        f"instances; driver {model.driver_min or 'unknown'}"
    )
    others = [f"{row.name} is {it.name} {it.where}" for row in model.profiles.values() for it in row.alternate_names]
    if others:
        echo(f"  names     {', '.join(others)}; a layout with either is unproven without `confirmed`")
    for number, need in enumerate(_needs(model)):
        echo(f"  {'' if number else 'needs':<8}  {need}")
    tables.show(_profiles(model), console)
    echo("  slices: compute + memory; engines: copy/NVDEC/NVENC/JPEG/OFA; driver: minimum; ?: no source")
    parts = [(row, part) for row in model.profiles.values() for part in row.compute_instances if _is_other(row, part)]
    if parts:
        echo(
            "\nCompute instances: parts of a GPU instance that share its memory, and what MIG Manager does not create:"
        )
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
            _known(row.slice_sm_count()),
            f"{_starts(row)} :{row.size}" if row.starts else "?",
            "/".join(_known(count) for count in row.engines),
            _release(row.driver_min or model.driver_min),
            row.confidence,
        )
    return table


def _starts(row: GpuProfile) -> str:
    return format_ranges(sum(1 << start for start in row.starts)).replace(" ", "")


def _is_other(row: GpuProfile, part: ComputeInstance) -> bool:
    """Whether it is a part, or another compute instance than the one that MIG Manager creates in this instance."""
    return part.name != row.name or part.sm_count not in (None, row.slice_sm_count())


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
