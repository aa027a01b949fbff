"""The file that says which nodes a simulated fleet has, and how long things take there."""

from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.simulator.errors import FleetFileError
from mig_fleet.simulator.files import LOADER, write_private

DEFAULT: Final = Path(__file__).with_name("default-fleet.yaml")

LARGE: Final = 50
"""Nodes."""

GIVEN: Final = "fleet-as-given.yaml"
"""In a fleet's folder, the file that it was started from; ``fleet.yaml`` beside it knows who joined and left since."""


def _known(model: str) -> str:
    try:
        return gpus.find(model).name
    except MigError as exc:
        raise ValueError(str(exc)) from None


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class NodeSpec(_Settings):
    """One GPU node."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    gpu: Annotated[str, AfterValidator(_known)]
    """A model of the catalog."""
    gpus: Annotated[int, Field(ge=1, le=16)] = 8
    product: str | None = None
    """As NVML names it; by default the model's first known product name."""
    machine: str = "mig-fleet-simulator"
    cpu: Annotated[int, Field(ge=1)] = 224
    memory_gib: Annotated[int, Field(ge=1)] = 2048
    labels: dict[str, str] = {}


class Timing(_Settings):
    """Seconds of simulated life; all short, so that a rollout is over before one looks away."""

    pod_start: Annotated[float, Field(ge=0)] = 0.1
    pod_stop: Annotated[float, Field(ge=0)] = 0.1
    job: Annotated[float, Field(ge=0)] = 0.2
    config_map_propagation: Annotated[float, Field(ge=0)] = 0.3
    """From a ConfigMap's change to the changed file in a pod; up to a minute in reality, and the cause of races."""
    mode_change: Annotated[float, Field(ge=0)] = 0.2
    apply: Annotated[float, Field(ge=0)] = 0.4
    reboot: Annotated[float, Field(ge=0)] = 1.0
    """From power off until pods start again; some minutes in reality."""
    operand_timeout: Annotated[float, Field(gt=0)] = 300
    """How long MIG Manager waits for each operand to leave; not shortened, as it ends in a node that is stuck."""
    gfd_interval: Annotated[float, Field(gt=0)] = 1.0
    """A minute in reality."""
    restart_backoff: Annotated[float, Field(gt=0)] = 1.0
    """The first pause of a crash loop; it doubles up to a minute."""


class FleetFile(_Settings):
    """Everything that is known of a fleet before it starts."""

    driver: str = "580.126.09"
    cuda: Annotated[float, Field(ge=11)] = 13.0
    probe: Literal["process", "inProcess"] = "process"
    """``inProcess``: the simulator writes the probes' reports itself, as hundreds of nodes need it."""
    timing: Timing = Timing()
    nodes: Annotated[list[NodeSpec], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> "FleetFile":
        names = [node.name for node in self.nodes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"nodes named twice: {', '.join(twice)}")
        return self

    @property
    def cuda_version(self) -> int:
        """As NVML has it: 13000 for 13.0."""
        return round(self.cuda * 1000)

    @property
    def is_large(self) -> bool:
        """Whether to spend memory for speed."""
        return len(self.nodes) >= LARGE

    def joined(self, spec: NodeSpec) -> "FleetFile":
        """With one more node; raises :class:`FleetFileError` when there is one of that name."""
        return self.parse({**self.model_dump(by_alias=True), "nodes": [*self.nodes, spec]}, "the fleet with that node")

    def left(self, name: str) -> "FleetFile":
        """Without one of its nodes; raises :class:`FleetFileError` when it is the last one."""
        left = [node for node in self.nodes if node.name != name]
        return self.parse({**self.model_dump(by_alias=True), "nodes": left}, "the fleet without that node")

    def save(self, path: Path) -> None:
        """So that :meth:`load` reads the same."""
        write_private(path, yaml.safe_dump(self.model_dump(by_alias=True), sort_keys=False))

    @classmethod
    def load(cls, path: Path) -> "FleetFile":
        """Raises :class:`FleetFileError` with every mistake and its place."""
        try:
            document = yaml.load(path.read_text(), LOADER)
        except OSError as exc:
            raise FleetFileError(str(path), [f"cannot be read: {exc.strerror}"]) from None
        except yaml.YAMLError as exc:
            raise FleetFileError(str(path), [f"is not YAML: {exc}"]) from None
        return cls.parse(document, str(path))

    @classmethod
    def parse(cls, document: object, source: str = "the fleet file") -> "FleetFile":
        """From parsed YAML; raises :class:`FleetFileError`."""
        try:
            return cls.model_validate(document)
        except ValidationError as exc:
            raise FleetFileError(source, [_problem(error) for error in exc.errors()]) from None


def _problem(error: object) -> str:
    """``nodes[0].gpus: Input should be …`` from one entry of pydantic's list."""
    assert isinstance(error, dict)
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    text = str(error["msg"]).removeprefix("Value error, ")
    found = error.get("input")
    shown = f" (got {found!r})" if isinstance(found, str | int | float) else ""
    return f"{path or 'fleet'}: {text}{shown}"
