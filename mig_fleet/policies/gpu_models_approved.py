"""mig-gpu-models-approved: a wave has GPUs of an approved model."""

from typing import Annotated

from pydantic import AfterValidator, Field

from mig_fleet.model.errors import MigError
from mig_fleet.model.finding import Finding
from mig_fleet.model.gpus import find
from mig_fleet.policies.parameters import Parameters
from mig_fleet.policies.policy import Policy, Severity
from mig_fleet.policies.rule import Rule
from mig_fleet.policies.wave_facts import WaveFacts


def _of_catalog(model: str) -> str:
    try:
        return find(model).name
    except MigError as exc:
        raise ValueError(str(exc)) from None


class ApprovedModels(Parameters):
    models: Annotated[
        tuple[Annotated[str, AfterValidator(_of_catalog)], ...],
        Field(description="GPU models by any name of the catalog; `mig-fleet gpus` lists them"),
    ] = ()


def check(wave: WaveFacts, approved: ApprovedModels) -> list[Finding]:
    if wave.gpu in approved.models:
        return []
    text = f"wave {wave.name!r} must have GPUs of an approved model ({', '.join(approved.models)}); it has {wave.gpu}"
    return [Finding(wave.name, text, Rule.APPROVED_MODELS)]


POLICY = Policy(
    name=Rule.APPROVED_MODELS,
    title="Approved GPU models",
    sentence="A wave must have GPUs of an approved model.",
    facts=WaveFacts,
    check=check,
    remedy="Use nodes with an approved model, or add the model to `models`.",
    unknown="decided in the update, before a node changes",
    parameters=ApprovedModels,
    needs=("models",),
    severity=Severity.MEDIUM,
    tags=("hardware",),
    example={"models": ["H100-80GB", "A100-80GB"]},
)
