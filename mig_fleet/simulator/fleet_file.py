"""The fleet file: the nodes of a simulated fleet, and the durations of their actions."""

from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from mig_fleet.documents import EXPECTED
from mig_fleet.model import gpus
from mig_fleet.model.errors import MigError
from mig_fleet.simulator.errors import FleetFileError
from mig_fleet.simulator.files import LOADER, write_private

DEFAULT: Final = Path(__file__).with_name("default-fleet.yaml")

LARGE: Final = 50
"""Number of nodes from which a fleet is large."""

GIVEN: Final = "fleet-as-given.yaml"
"""Copy of the file that the fleet was started from. ``fleet.yaml`` beside it has the current nodes."""


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
    """GPU model, a name of the catalog."""
    gpus: Annotated[int, Field(ge=1, le=16)] = 8
    product: str | None = None
    """Product name in NVML; by default the model's first product name in the catalog."""
    machine: str = "mig-fleet-simulator"
    cpu: Annotated[int, Field(ge=1)] = 224
    memory_gib: Annotated[int, Field(ge=1)] = 2048
    labels: dict[str, str] = {}
    taints: list[dict[str, str]] = []
    """As in a Node; its kubelet registers with them (``key``, ``value``, ``effect``)."""


class Timing(_Settings):
    """Durations in seconds, short by default so that a rollout takes seconds."""

    pod_start: Annotated[float, Field(ge=0)] = 0.1
    pod_stop: Annotated[float, Field(ge=0)] = 0.1
    job: Annotated[float, Field(ge=0)] = 0.2
    config_map_propagation: Annotated[float, Field(ge=0)] = 0.3
    """From a ConfigMap's change to the changed file in a pod; up to a minute on a real cluster, which causes races."""
    mode_change: Annotated[float, Field(ge=0)] = 0.2
    apply: Annotated[float, Field(ge=0)] = 0.4
    reboot: Annotated[float, Field(ge=0)] = 1.0
    """From power off until pods start again; some minutes on real nodes."""
    operand_timeout: Annotated[float, Field(gt=0)] = 300
    """How long MIG Manager waits for the deletion of each operand's pod. Not shortened: after it the node is stuck."""
    gfd_interval: Annotated[float, Field(gt=0)] = 1.0
    """Pause of GPU Feature Discovery; a minute by default in the real one."""
    resource_slices_kept: Annotated[float, Field(ge=0)] = 30
    """Until the kubelet deletes the ResourceSlices of a DRA driver whose plugin has ended (kubernetes v1.37.2,
    pkg/kubelet/cm/dra/manager.go). Not shortened: a plugin that restarts must be faster."""
    restart_backoff: Annotated[float, Field(gt=0)] = 1.0
    """The first pause of a crash loop; it doubles, up to one minute."""


class FleetFile(_Settings):
    """The settings of a fleet."""

    driver: str = "580.126.09"
    cuda: Annotated[float, Field(ge=11)] = 13.0
    probe: Literal["process", "inProcess"] = "process"
    """``process``: each probe is a process. ``inProcess``: the simulator writes the reports, for hundreds of nodes."""
    allocation: Literal["devicePlugin", "dra"] = "devicePlugin"
    """``dra``: NVIDIA's DRA driver is installed when the fleet starts, as its user does."""
    timing: Timing = Timing()
    nodes: Annotated[list[NodeSpec], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_unique(self) -> "FleetFile":
        names = [node.name for node in self.nodes]
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise ValueError(f"duplicate node names: {', '.join(duplicates)}")
        return self

    @property
    def cuda_version(self) -> int:
        """In NVML's form: 13000 for 13.0."""
        return round(self.cuda * 1000)

    @property
    def is_large(self) -> bool:
        """Whether the control plane uses more memory for more speed."""
        return len(self.nodes) >= LARGE

    def with_node(self, spec: NodeSpec) -> "FleetFile":
        """A copy with one more node; raises :class:`FleetFileError` when the name exists already."""
        return self.parse({**self.model_dump(by_alias=True), "nodes": [*self.nodes, spec]}, "the fleet with that node")

    def without_node(self, name: str) -> "FleetFile":
        """A copy without one node; raises :class:`FleetFileError` when it is the last one."""
        others = [node for node in self.nodes if node.name != name]
        return self.parse({**self.model_dump(by_alias=True), "nodes": others}, "the fleet without that node")

    def save(self, path: Path) -> None:
        """Write the file; :meth:`load` reads the same settings back."""
        write_private(path, yaml.safe_dump(self.model_dump(by_alias=True), sort_keys=False))

    @classmethod
    def load(cls, path: Path) -> "FleetFile":
        """Raises :class:`FleetFileError` with every mistake and its path in the file."""
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
    """One line, ``nodes[0].gpus: must be a whole number …``, from one entry of pydantic's list."""
    assert isinstance(error, dict)
    path = ""
    for part in error["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    text = EXPECTED.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
    found = error.get("input")
    shown = f" (got {found!r})" if isinstance(found, str | int | float) else ""
    return f"{path or 'fleet'}: {text}{shown}"
