"""A program and a preview do not import what only a change needs, nor what takes long."""

import subprocess
import sys

PRINT_MODULES = "import sys; import {}; print(*sys.modules)"
STEPS_OF_A_CHANGE = (
    "mig_fleet.rollout.assign",
    "mig_fleet.rollout.verify",
    "mig_fleet.rollout.reconfigure",
    "mig_fleet.rollout.convergence",
)


SLOW = ("kubernetes", "requests", "pulumi_kubernetes.core.v1", "pulumi_kubernetes.helm.v3")
"""Client libraries and generated classes, of which each takes longer to import than this whole package."""


def imported_by(module: str) -> set[str]:
    program = PRINT_MODULES.format(module)
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


def test_declaring_a_pool_imports_neither_the_client_library_nor_the_steps_of_a_change() -> None:
    imported = imported_by("mig_fleet.components.pool")
    assert {"mig_fleet.components.assignment", "mig_fleet.components.verification"} <= imported
    assert not imported & {"kubernetes", *STEPS_OF_A_CHANGE}


def test_the_program_of_a_stack_imports_no_client_library_and_no_generated_classes() -> None:
    imported = imported_by("mig_fleet.stacks.program")
    assert "pulumi_kubernetes.provider" in imported
    assert not imported & {*SLOW, *STEPS_OF_A_CHANGE}


READ_MODELS = """
from pathlib import Path
from mig_fleet.model.gpus import lookup
from mig_fleet.stack_file import fleet
declared = fleet.from_file(Path("stacks/Pulumi.local.yaml"))
print(lookup._model.cache_info().currsize - len({pool.settings.gpu for pool in declared.pools}))
"""


def test_a_stack_reads_only_the_gpu_models_that_it_names() -> None:
    ran = subprocess.run([sys.executable, "-c", READ_MODELS], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "0"
