"""Our reader and writer beside NVIDIA's own parser: thousands of files, valid and broken, and always the same reading.

``MIG_FLEET_DIFFERENTIAL=20000 pytest tests/mig/test_parted_differential.py`` runs more of them.
"""

import json
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mig_fleet.documents import DocumentError, parse
from mig_fleet.model import Cut, Layout, gpus, parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.labels import ALL_DISABLED
from tests.model.parted_files import SEED, files, layouts

FILES = int(os.environ.get("MIG_FLEET_DIFFERENTIAL", "2000"))
PATIENCE_S = 120 + FILES / 10
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + FILES)]
PCI_IDS = [*(pci for model in gpus.all_models() for pci in model.pci_device_ids), "0x000110DE"]


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


def test_nvidias_parser_and_ours_agree_on_every_file(nvidia_mig_parted: str, tmp_path: Path) -> None:
    texts = files(FILES)
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


def read_by_nvidia(binary: str, texts: list[str]) -> list[dict[str, Any]]:
    """What NVIDIA's parser makes of each text: its ``configs``, or its ``error``."""
    asked = "\n".join(map(json.dumps, texts))
    command = [binary, "-gpus", ",".join(PCI_IDS)]
    said = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout
    return [json.loads(line) for line in said.splitlines()]


def plain(entry: parted.Entry) -> dict[str, Any]:
    """One of our entries in the form in which NVIDIA's are compared."""
    return {
        "device-filter": list(entry.device_filter),
        "devices": "all" if entry.devices is None else list(entry.devices),
        "mig-enabled": entry.mig_enabled,
        "mig-devices": dict(entry.mig_devices),
        "selects": [pci for pci in PCI_IDS if entry.selects(pci)],
    }


def normal(entry: dict[str, Any]) -> dict[str, Any]:
    """NVIDIA's entry; a filter that is one text, an empty one or none at all differ in its Go types only."""
    written = entry.get("device-filter")
    words = [written] if isinstance(written, str) and written else written or []
    return {**entry, "device-filter": words, "mig-devices": entry["mig-devices"] or {}}


def test_what_nvidias_parser_reads_from_an_accepted_file_is_what_ours_reads(mig_parted_spec: str) -> None:
    texts = files(FILES)
    read = 0
    for text, answer in zip(texts, read_by_nvidia(mig_parted_spec, texts), strict=True):
        if "error" in answer:
            assert not ours(text)[0], text
            continue
        mine = parted.read(parse("file", text.encode()).data).configs
        theirs = {name: [normal(entry) for entry in entries] for name, entries in answer["configs"].items()}
        assert {name: [plain(entry) for entry in entries] for name, entries in mine.items()} == theirs, text
        read += len(theirs)
    assert read > FILES // 2, "most comparisons must be about something"


def test_nvidias_parser_reads_back_exactly_what_our_writer_was_told(mig_parted_spec: str) -> None:
    dice = random.Random(SEED)
    told = [layouts(dice) for _ in range(FILES // 4)]
    answers = read_by_nvidia(mig_parted_spec, [parted.dump(some) for some in told])
    for some, answer in zip(told, answers, strict=True):
        theirs = {name: [normal(entry) for entry in entries] for name, entries in answer["configs"].items()}
        assert theirs.pop(ALL_DISABLED) == [meant(None, Cut(None, None))]
        enabled = [layout for layout in some if not layout.is_disabled]
        assert theirs == {layout.config_name: [meant(layout, cut) for cut in layout.cuts] for layout in enabled}


def meant(layout: Layout | None, cut: Cut) -> dict[str, Any]:
    """The entry that NVIDIA's parser must find for a cut, derived from the layout alone."""
    own = list(layout.model.pci_device_ids) if layout else []
    return {
        "device-filter": own,
        "devices": "all" if cut.devices is None else list(cut.devices),
        "mig-enabled": cut.profiles is not None,
        "mig-devices": dict(cut.profiles or {}),
        "selects": [pci for pci in PCI_IDS if pci in own or not own],
    }
