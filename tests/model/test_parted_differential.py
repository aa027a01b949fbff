"""Our reader and writer against NVIDIA's own parser: the same result for thousands of valid and broken files.

``MIG_FLEET_DIFFERENTIAL=20000 pytest tests/model/test_parted_differential.py`` runs more of them.
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
from mig_fleet.model import GpuGroup, Layout, gpus, parted
from mig_fleet.model.errors import InvalidPartedFile
from mig_fleet.model.labels import ALL_DISABLED
from tests.model.parted_files import SEED, files, layouts

FILES = int(os.environ.get("MIG_FLEET_DIFFERENTIAL", "2000"))
PATIENCE_S = 120 + FILES / 10
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + FILES)]
PCI_IDS = [*(pci for model in gpus.all_models() for pci in model.pci_device_ids), "0x000110DE"]


def our_verdict(text: str) -> tuple[bool, str]:
    try:
        parted.read(parse("file", text.encode()).data)
    except (DocumentError, InvalidPartedFile) as error:
        return False, str(error)
    return True, ""


def nvidias_verdict(binary: str, path: Path) -> tuple[bool, str]:
    """``assert --valid-config`` also selects a config; if it only fails to find the config, it could parse the file."""
    command = [binary, "assert", "--valid-config", "-c", "no-such-config", "-f", str(path)]
    stderr = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
    assert "parsing config file" in stderr or "selecting MIG config" in stderr, stderr
    return "parsing config file" not in stderr, stderr


def test_nvidias_parser_and_ours_accept_the_same_files(nvidia_mig_parted: str, tmp_path: Path) -> None:
    texts = files(FILES)
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text, "utf-8")
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda path: nvidias_verdict(nvidia_mig_parted, path), paths))
    differing = [
        f"--- NVIDIA accepts: {accepted} {stderr.strip()[-300:]}\n--- ours: {mine}\n{text}"
        for text, (accepted, stderr) in zip(texts, verdicts, strict=True)
        if (mine := our_verdict(text))[0] is not accepted
    ]
    assert not differing, f"{len(differing)} of {len(texts)} files differ:\n" + "\n".join(differing[:5])
    accepted = sum(verdict for verdict, _ in verdicts)
    assert len(texts) // 5 < accepted < len(texts) * 4 // 5, "both verdicts must be well represented"


def read_by_nvidia(binary: str, texts: list[str]) -> list[dict[str, Any]]:
    """The result of NVIDIA's parser for each text: its ``configs``, or its ``error``."""
    lines = "\n".join(map(json.dumps, texts))
    command = [binary, "-gpus", ",".join(PCI_IDS)]
    stdout = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout
    return [json.loads(line) for line in stdout.splitlines()]


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
    """NVIDIA's entry in the same form. A filter of one string, an empty filter and no filter are different Go types."""
    written = entry.get("device-filter")
    words = [written] if isinstance(written, str) and written else written or []
    return {**entry, "device-filter": words, "mig-devices": entry["mig-devices"] or {}}


def test_what_nvidias_parser_reads_from_an_accepted_file_is_what_ours_reads(mig_parted_spec: str) -> None:
    texts = files(FILES)
    read = 0
    for text, answer in zip(texts, read_by_nvidia(mig_parted_spec, texts), strict=True):
        if "error" in answer:
            assert not our_verdict(text)[0], text
            continue
        mine = parted.read(parse("file", text.encode()).data).configs
        theirs = {name: [normal(entry) for entry in entries] for name, entries in answer["configs"].items()}
        assert {name: [plain(entry) for entry in entries] for name, entries in mine.items()} == theirs, text
        read += len(theirs)
    assert read > FILES // 2, "most files must be accepted and compared"


def test_nvidias_parser_reads_back_exactly_what_our_writer_wrote(mig_parted_spec: str) -> None:
    dice = random.Random(SEED)
    written = [layouts(dice) for _ in range(FILES // 4)]
    answers = read_by_nvidia(mig_parted_spec, [parted.dump(some) for some in written])
    for some, answer in zip(written, answers, strict=True):
        theirs = {name: [normal(entry) for entry in entries] for name, entries in answer["configs"].items()}
        assert theirs.pop(ALL_DISABLED) == [expected_entry(None, GpuGroup(None, None))]
        enabled = [layout for layout in some if not layout.is_disabled]
        assert theirs == {
            layout.config_name: [expected_entry(layout, group) for group in layout.groups] for layout in enabled
        }


def expected_entry(layout: Layout | None, group: GpuGroup) -> dict[str, Any]:
    """The entry that NVIDIA's parser must read for a GPU group, derived from the layout alone."""
    own = list(layout.model.pci_device_ids) if layout else []
    return {
        "device-filter": own,
        "devices": "all" if group.devices is None else list(group.devices),
        "mig-enabled": group.profiles is not None,
        "mig-devices": dict(group.profiles or {}),
        "selects": [pci for pci in PCI_IDS if pci in own or not own],
    }
