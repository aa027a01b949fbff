"""Generates thousands of mig-parted files: composed of fragments, written by our writer, and with random damage."""

import random
import tomllib
from pathlib import Path

from mig_fleet.model import GpuGroup, Layout, gpus, parted
from mig_fleet.model.placement import feasible

SEED = 20_261_123

FRAGMENTS: dict[str, list[str]] = {
    name: listed if isinstance(listed, list) else listed.splitlines()
    for name, listed in tomllib.loads(Path(__file__).with_name("parted-fragments.toml").read_text("utf-8")).items()
}
NOISE = (
    *("\t", "  ", ":", "- ", "#", "'", '"', "[", "]", "{", "}", ",", "&a ", "*a", "!!int ", "|", ">", "%", "@"),
    *("! ", "\ufeff", "\n\ufeff"),
    *("\n", "---\n", "...\n"),
)


def mostly_valid(kind: str, dice: random.Random, valid: int = 1) -> str:
    """Usually one of the first ``valid`` fragments of the kind, sometimes any of them."""
    return dice.choice(FRAGMENTS[kind][:valid] if dice.random() < 0.8 else FRAGMENTS[kind])


def entry(dice: random.Random) -> list[str]:
    enabled = mostly_valid("enabled", dice, 2)
    lines = [f"devices: {mostly_valid('devices', dice)}", f"mig-enabled: {enabled}"]
    if dice.random() < 0.5:
        lines.insert(0, f"device-filter: {mostly_valid('filters', dice)}")
    if (enabled == "true") != (dice.random() < 0.08):
        if dice.random() < 0.08:
            lines.append(f"mig-devices: {dice.choice(['~', '{}', '[]', '7', 'x', '{1g.10gb: 7}'])}")
        else:
            lines.append("mig-devices:")
            for _ in range(dice.randint(1, 3)):
                lines.append(f"  {mostly_valid('profiles', dice, 4)}: {mostly_valid('counts', dice)}")
    if dice.random() < 0.08:
        lines.pop(dice.randrange(len(lines)))
    if dice.random() < 0.05:
        field = dice.choice(["extra", "Devices", "<<", "device-filter", "devices", "mig-enabled", "mig-devices"])
        lines.append(f"{field}: {dice.choice(['x', 'all', 'true', '{}', '[0]'])}")
    if dice.random() < 0.1:
        dice.shuffle(lines)
    return lines or ["{}"]


def composed(dice: random.Random) -> str:
    """A file composed of fragments, most of them valid."""
    lines = [f"version: {mostly_valid('versions', dice)}", "mig-configs:"]
    for position in range(dice.randint(0 if dice.random() < 0.1 else 1, 3)):
        lines.append(f"  {f'config-{position}' if dice.random() < 0.8 else dice.choice(FRAGMENTS['names'])}:")
        for _ in range(dice.randint(0 if dice.random() < 0.1 else 1, 2)):
            first, *rest = entry(dice)
            lines += [f"    - {first}", *(f"      {line}" for line in rest)]
    if dice.random() < 0.05:
        extra = dice.choice(["extra: 1", "version: v1", "mig-configs: {}", "# note"])
        lines.insert(dice.randrange(len(lines) + 1), extra)
    if dice.random() < 0.05:
        del lines[dice.randrange(len(lines))]
    return mostly_valid("heads", dice) + "\n".join(lines) + "\n"


def layouts(dice: random.Random) -> list[Layout]:
    """The layouts of a stack: equal or different GPUs, some without MIG."""
    models = [model for model in gpus.all_models() if feasible(model) and model.pci_device_ids]
    found = []
    for position in range(dice.randint(1, 4)):
        model = dice.choice(models)
        per_gpu: list[dict[str, int] | None] = [
            dict(dice.choice(feasible(model)[1:])) for _ in range(dice.randint(1, 4))
        ]
        if len(per_gpu) == 1:
            found.append(Layout(f"layout-{position}", model.name, (GpuGroup(None, per_gpu[0]),)))
            continue
        each = [None if dice.random() < 0.2 else profiles for profiles in per_gpu]
        groups = tuple(GpuGroup((index,), profiles) for index, profiles in enumerate(each))
        found.append(Layout(f"layout-{position}", model.name, groups))
    return found


def written(dice: random.Random) -> str:
    """The file that our writer writes for random layouts."""
    return parted.dump(layouts(dice))


def noisy(dice: random.Random) -> str:
    text = dice.choice([composed, written])(dice)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(text) + 1)
        removed = dice.randint(0, 3)
        text = text[:at] + (dice.choice(NOISE) if dice.random() < 0.7 else "") + text[at + removed :]
    return text


def files(count: int) -> list[str]:
    """``count`` different files, the same at each call; about half of them are broken."""
    dice = random.Random(SEED)
    fixed = ["", "version: v1\n", "~\n", "[]\n", "x\n", "{}\n", "version: v1\nmig-configs: {}\n"]
    kinds = [composed] * 5 + [written] + [noisy] * 2
    found = dict.fromkeys(fixed)
    while len(found) < count:
        found[dice.choice(kinds)(dice)] = None
    return list(found)
