"""The probe's program: one file, the same bytes each time, small enough for a ConfigMap."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from mig_fleet.components.probe import component, zipapp
from mig_fleet.stack_file import settings

CONFIG_MAP_LIMIT_BYTES = 1024 * 1024  # Kubernetes, core/v1 ConfigMap: data and binaryData together


def test_the_same_sources_give_the_same_bytes() -> None:
    assert zipapp.build() == zipapp.build()


def test_it_fits_a_config_map() -> None:
    assert len(zipapp.build()) < CONFIG_MAP_LIMIT_BYTES / 2


def test_a_preview_neither_prints_nor_compares_it() -> None:
    async def marked() -> bool:
        return await component.sealed(b"program").is_secret()

    assert asyncio.run(marked())


def test_it_runs_on_a_bare_python_and_says_why_there_is_no_nvml(tmp_path: Path) -> None:
    program = tmp_path / "mig-probe.pyz"
    program.write_bytes(zipapp.build())
    command = [sys.executable, "-I", "-S", str(program), "read", "--node", "bare"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 1, done.stderr
    assert "no libnvidia-ml.so.1 here" in done.stdout


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        (settings.Probe().image, True),
        ("docker.io/library/python:3.13-slim", False),
        ("python", False),
        ("python:3.13-slim@sha256:" + "0f" * 32, True),
        ("registry.example:5000/base/python@sha256:" + "0f" * 32, True),
        ("python:3.13-slim@sha256:0f", False),
    ],
)
def test_an_image_is_known_by_its_digest_and_one_without_is_warned_about(image: str, pinned: bool) -> None:
    assert component.is_pinned(image) is pinned
    assert f"inspect {image.partition('@')[0]}`" in component.tag_warning(image)
