"""The probe's program: one file, the same bytes each time, small enough for a ConfigMap."""

import asyncio
import subprocess
import sys
from pathlib import Path

from components import probe, zipapp

CONFIG_MAP_LIMIT_BYTES = 1024 * 1024  # Kubernetes, core/v1 ConfigMap: data and binaryData together


def test_the_same_sources_give_the_same_bytes() -> None:
    assert zipapp.build() == zipapp.build()


def test_it_fits_a_config_map() -> None:
    assert len(zipapp.build()) < CONFIG_MAP_LIMIT_BYTES / 2


def test_a_preview_neither_prints_nor_compares_it() -> None:
    async def marked() -> bool:
        return await probe.sealed(b"program").is_secret()

    assert asyncio.run(marked())


def test_it_runs_on_a_bare_python_and_says_why_there_is_no_nvml(tmp_path: Path) -> None:
    program = tmp_path / "mig-probe.pyz"
    program.write_bytes(zipapp.build())
    command = [sys.executable, "-I", "-S", str(program), "read", "--node", "bare"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 1, done.stderr
    assert "no libnvidia-ml.so.1 here" in done.stdout
