"""Does every GPU have what a config of a mig-parted file says? As `nvidia-mig-parted assert`, with reasons.

What mig-parted passes over in silence is told here, in a line for each: a filter that matches no GPU (S1), a profile
that no such GPU has (S2), a count of 0 or an alias that its comparison never finds (S3), a GPU that no entry covers
(S4), a GPU that cannot do MIG among those that shall (S5), and a GPU instance without a compute instance.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile, MigError, UnknownConfig
from mig_fleet.model.gpus import by_pci
from mig_fleet.model.parted import Entry, PartedFile
from mig_fleet.model.parted.lint import ADVICE, Trap, lint
from mig_fleet.model.profiles import Profile
from mig_fleet.model.report import Gpu, Report
from mig_fleet.model.wording import in_words

if TYPE_CHECKING:
    import yaml

AS_DECLARED, DIFFERENT, BAD_USAGE, UNKNOWN = 0, 1, 2, 3
MOST_BYTES = 1024 * 1024
"""A ConfigMap holds no more (Kubernetes, core/v1 ConfigMap)."""
MOST_VALUES = 100_000
"""Far beyond any real file; a document that is larger once its aliases are followed is an attack."""


class Unusable(Exception):
    """The file or the config name is no use; the text says why and what would work."""


def judge(path: str, config: str | None, read: Callable[[], Report]) -> int:
    """Print a line for each GPU and each trap of the config; returns the exit status. NVML is opened last."""
    try:
        file = read_file(path)
        name = config or only_config(file)
        entries = file.select(name)
    except (Unusable, InvalidPartedFile, UnknownConfig) as exc:
        print(f"mig-probe: {path}: {exc}", file=sys.stderr)
        return BAD_USAGE
    for note in traps(name, entries):
        print(f"note: {note}", file=sys.stderr)
    report = read()
    if report.errors:
        for error in report.errors:
            print(f"mig-probe: {error}", file=sys.stderr)
        return UNKNOWN
    if not report.gpus:
        print("mig-probe: this machine has no GPU, so nothing can be said", file=sys.stderr)
        return UNKNOWN
    wrong = unsure = 0
    for gpu in report.gpus:
        doubt = undecided(gpu, file, name)
        difference = None if doubt else compare(gpu, file.for_gpu(name, gpu.pci_id, gpu.index))
        unsure += doubt is not None
        wrong += difference is not None
        print(f"GPU {gpu.index}: {doubt or difference or in_words(gpu.counts())}")
    print(f"{name}: {_summary(wrong, unsure, len(report.gpus))}")
    return DIFFERENT if wrong else UNKNOWN if unsure else AS_DECLARED


def _summary(wrong: int, unsure: int, gpus: int) -> str:
    if wrong:
        return f"{wrong} of {gpus} GPUs differ" + (f", and {unsure} cannot be told" if unsure else "")
    return f"{unsure} of {gpus} GPUs cannot be told" if unsure else "every GPU is as declared"


def undecided(gpu: Gpu, file: PartedFile, name: str) -> str | None:
    """Why it cannot be told which entry is this GPU's; ``None`` where it can.

    A report holds no subsystem id, so whether a filter with one matches is not known.
    """
    entry = file.of_a_board(name, gpu.pci_id, gpu.index)
    if entry is None:
        return None
    words = ", ".join(entry.device_filter)
    why = f"the device filter {words} wants a certain board, and which one this is, a reading does not hold"
    return f"cannot be told, for {why}; nvidia-mig-parted assert knows it"


def compare(gpu: Gpu, entry: Entry | None) -> str | None:
    """What is not as the entry says, in words; ``None`` where all is."""
    if entry is None:
        return f"no entry of the config covers it ({gpu.product}, {gpu.pci_id}); found {in_words(gpu.counts())}"
    wanted = meant(entry)
    if gpu.mig_mode_current is None:
        return None if wanted is None else f"expected {in_words(wanted)}, but {gpu.product} cannot do MIG"
    if gpu.mig_mode_pending != gpu.mig_mode_current:
        return f"expected {in_words(wanted)}; a change of the MIG mode waits for a GPU reset or a reboot"
    found = gpu.counts()
    if found == wanted:
        return bare(gpu)
    text = f"expected {in_words(wanted)}, found {in_words(found)}"
    unknown = sorted(name for name in wanted or () if not _exists(name, gpu))
    return f"{text}; {gpu.product} has no {', '.join(unknown)}" if unknown else text


def bare(gpu: Gpu) -> str | None:
    """GPU instances that hold memory and offer nothing, which mig-parted does not count; ``None`` where none do."""
    ids = [instance.gpu_instance_id for instance in gpu.instances if not instance.compute_instances]
    if not ids:
        return None
    words = ", ".join(map(str, ids))
    command = f"nvidia-smi mig -i {gpu.index} -dgi -gi {','.join(map(str, ids))}"
    return f"{in_words(gpu.counts())}, and GPU instance {words} without a compute instance; destroy it: {command}"


def meant(entry: Entry) -> dict[str, int] | None:
    """Profile → count under their real names, without zeros; ``None`` is MIG off."""
    if not entry.mig_enabled:
        return None
    counts: Counter[str] = Counter()
    for name, count in entry.mig_devices.items():
        counts[str(Profile.parse(name))] += count
    return {name: count for name, count in sorted(counts.items()) if count}


def traps(name: str, entries: tuple[Entry, ...]) -> list[str]:
    """What of this config mig-parted would accept and then do wrong."""
    found = lint(PartedFile({name: entries}))
    return [f"{trap.path}: {trap.text}" for trap in found if trap.trap not in ADVICE | {Trap.ALL_DISABLED}]


def only_config(file: PartedFile) -> str:
    """The config that is meant when none is named; raises Unusable when there is a choice."""
    if len(file.configs) == 1:
        return next(iter(file.configs))
    raise Unusable(f"name one of its configs: {', '.join(sorted(file.configs)) or 'it has none'}")


def read_file(path: str) -> PartedFile:
    """Raises Unusable, or InvalidPartedFile with the place in the document."""
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if path == "-" else _head(Path(path))
    except OSError as exc:
        raise Unusable(exc.strerror or str(exc)) from None
    if len(content) > MOST_BYTES:
        raise Unusable(f"is larger than {MOST_BYTES} bytes, the most that a ConfigMap holds")
    try:
        document = _document(content.decode())
    except UnicodeDecodeError:
        raise Unusable("is not text in UTF-8") from None
    except RecursionError:
        raise Unusable("is nested too deeply for a mig-parted file") from None
    return parted.read(document)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _document(text: str) -> object:
    """JSON by the standard library, YAML by PyYAML, which the packed probe does not carry."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        import yaml
    except ModuleNotFoundError:
        raise Unusable("is not JSON, and this Python has no PyYAML to read YAML with: pip install pyyaml") from None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _bounded(root)
        return loader.construct_document(root)
    except (yaml.YAMLError, ValueError) as exc:
        raise Unusable(f"is not YAML: {' '.join(str(exc).split())}") from None
    except (LookupError, AttributeError):
        # So PyYAML ends on `!!int ""`, `!!bool foo` and `!!timestamp foo`.
        raise Unusable("holds a value that is not what its tag (!!int, !!bool and the like) says") from None


def _bounded(root: "yaml.Node") -> None:
    """Raises Unusable for a document that grows beyond reason once its aliases are followed. Asked before any value is
    built: merge keys (``<<``) multiply while they are.
    """
    left = [root]
    seen = 0
    while left:
        seen += 1
        if seen + len(left) > MOST_VALUES:
            raise Unusable(f"holds more than {MOST_VALUES} values once its aliases are followed")
        below = left.pop().value
        if isinstance(below, list):
            left.extend(node for item in below for node in (item if isinstance(item, tuple) else (item,)))


def _exists(profile: str, gpu: Gpu) -> bool:
    """Whether the catalog gives this GPU the profile; what the catalog does not know is not denied."""
    model = by_pci(gpu.pci_id)
    if model is None:
        return True
    try:
        model.profile(profile)
    except MigError:
        return False
    return True
