"""Our reader beside NVIDIA's own: thousands of files, valid and broken, and always the same verdict.

``MIG_FLEET_DIFFERENTIAL=20000 pytest tests/mig/test_parted_differential.py`` runs more of them.
"""

import os
import random
import subprocess
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.documents import DocumentError, parse
from mig import Cut, Layout, gpus, parted
from mig.errors import InvalidPartedFile
from mig.placement import feasible

FILES = int(os.environ.get("MIG_FLEET_DIFFERENTIAL", "2000"))
SEED = 20_261_123

FRAGMENTS = {
    name: lines.splitlines()
    for name, lines in tomllib.loads(Path(__file__).with_name("parted-fragments.toml").read_text("utf-8")).items()
}
NOISE = (
    *("\t", "  ", ":", "- ", "#", "'", '"', "[", "]", "{", "}", ",", "&a ", "*a", "!!int ", "|", ">", "%", "@"),
    *("\n", "---\n", "...\n"),
)


def mostly_good(kind: str, dice: random.Random, good: int = 1) -> str:
    """One of the first ``good`` fragments of its kind, or sometimes any."""
    return dice.choice(FRAGMENTS[kind][:good] if dice.random() < 0.8 else FRAGMENTS[kind])


def entry(dice: random.Random) -> list[str]:
    enabled = mostly_good("enabled", dice, 2)
    lines = [f"devices: {mostly_good('devices', dice)}", f"mig-enabled: {enabled}"]
    if dice.random() < 0.5:
        lines.insert(0, f"device-filter: {mostly_good('filters', dice)}")
    if (enabled == "true") != (dice.random() < 0.08):
        if dice.random() < 0.08:
            lines.append(f"mig-devices: {dice.choice(['~', '{}', '[]', '7', 'x', '{1g.10gb: 7}'])}")
        else:
            lines.append("mig-devices:")
            for _ in range(dice.randint(1, 3)):
                lines.append(f"  {mostly_good('profiles', dice, 4)}: {mostly_good('counts', dice)}")
    if dice.random() < 0.08:
        lines.pop(dice.randrange(len(lines)))
    if dice.random() < 0.05:
        field = dice.choice(["extra", "Devices", "<<", "device-filter", "devices", "mig-enabled", "mig-devices"])
        lines.append(f"{field}: {dice.choice(['x', 'all', 'true', '{}', '[0]'])}")
    if dice.random() < 0.1:
        dice.shuffle(lines)
    return lines or ["{}"]


def composed(dice: random.Random) -> str:
    """A file put together from fragments, most of them good."""
    lines = [f"version: {mostly_good('versions', dice)}", "mig-configs:"]
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
    return "\n".join(lines) + "\n"


def written(dice: random.Random) -> str:
    """What our writer writes for random layouts."""
    layouts = []
    for position in range(dice.randint(1, 4)):
        model = dice.choice([model for model in gpus.all_models() if feasible(model)])
        cuts = [dict(dice.choice(feasible(model)[1:])) for _ in range(dice.randint(1, 4))]
        per_gpu = tuple(Cut((index,), cut) for index, cut in enumerate(cuts))
        layouts.append(Layout(f"layout-{position}", model.name, per_gpu if len(cuts) > 1 else (Cut(None, cuts[0]),)))
    return parted.dump(layouts)


def noisy(dice: random.Random) -> str:
    text = dice.choice([composed, written])(dice)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(text) + 1)
        cut = dice.randint(0, 3)
        text = text[:at] + (dice.choice(NOISE) if dice.random() < 0.7 else "") + text[at + cut :]
    return text


def files() -> list[str]:
    dice = random.Random(SEED)
    fixed = ["", "version: v1\n", "~\n", "[]\n", "x\n", "{}\n", "version: v1\nmig-configs: {}\n"]
    kinds = [composed] * 5 + [written] + [noisy] * 2
    return [*fixed, *(dice.choice(kinds)(dice) for _ in range(FILES - len(fixed)))]


def ours(text: str) -> tuple[bool, str]:
    try:
        parted.read(parse("file", text.encode()).data)
    except (DocumentError, InvalidPartedFile) as error:
        return False, str(error)
    return True, ""


def theirs(binary: str, path: Path) -> tuple[bool, str]:
    """``assert --valid-config`` also wants a config selected; that it does not find one means that it could read the
    file.
    """
    command = [binary, "assert", "--valid-config", "-c", "no-such-config", "-f", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
    assert "parsing config file" in said or "selecting MIG config" in said, said
    return "parsing config file" not in said, said


@pytest.mark.slow
def test_nvidias_parser_and_ours_agree_on_every_file(nvidia_mig_parted: str, tmp_path: Path) -> None:
    texts = files()
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text, "utf-8")
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda path: theirs(nvidia_mig_parted, path), paths))
    differing = [
        f"--- NVIDIA accepts: {accepted} {said.strip()[-300:]}\n--- we: {mine}\n{text}"
        for text, (accepted, said) in zip(texts, verdicts, strict=True)
        if (mine := ours(text))[0] is not accepted
    ]
    assert not differing, f"{len(differing)} of {len(texts)} files differ:\n" + "\n".join(differing[:5])
    accepted = sum(verdict for verdict, _ in verdicts)
    assert len(texts) // 5 < accepted < len(texts) * 4 // 5, "both verdicts must be well represented"
