"""`mig-probe assert`: does every GPU have what a config of a mig-parted file declares?

The verdicts are those of ``nvidia-mig-parted assert``. In addition, it prints a line for each thing that mig-parted
ignores without a message: a filter that matches no GPU (S1), a profile that the GPU does not have (S2), a count of 0 or
an alias that never compares equal (S3), a GPU without an entry (S4), a GPU without MIG among those that must have it
(S5), a GPU instance without a compute instance, and a duplicate key.
"""

import sys
from collections import Counter
from collections.abc import Callable

from mig_fleet.documents import MAX_BYTES, Document, DocumentError, open_document, parse
from mig_fleet.model import parted
from mig_fleet.model.errors import InvalidPartedFile, MigError, UnknownConfig
from mig_fleet.model.finding import Level
from mig_fleet.model.formatting import format_profiles
from mig_fleet.model.gpus import by_board
from mig_fleet.model.parted import Entry, PartedFile
from mig_fleet.model.parted.lint import LintRule, lint
from mig_fleet.model.profiles import Profile
from mig_fleet.model.report import RESET_HINT, Gpu, Report

AS_DECLARED, DIFFERENT, BAD_USAGE, UNKNOWN = 0, 1, 2, 3


def assert_config(path: str, config: str | None, read_report: Callable[[], Report]) -> int:
    """Print a line for each finding in the config and for each GPU; returns the exit status.

    ``path`` may be ``-``, standard input; ``config`` may be None if the file has only one. The report is read last.
    """
    try:
        document = _open(path)
        file = _parted_file(document)
        name = config or _only_config(document, file)
        entries = file.select(name)
    except DocumentError as exc:
        print(f"mig-probe: {exc}", file=sys.stderr)
        return BAD_USAGE
    except UnknownConfig as exc:
        print(f"mig-probe: {path}: {exc}", file=sys.stderr)
        return BAD_USAGE
    for note in (*map(str, document.ignored), *_lint(name, entries)):
        print(f"note: {note}", file=sys.stderr)
    report = read_report()
    for error in report.errors:
        print(f"mig-probe: {error}", file=sys.stderr)
    if report.errors:
        return UNKNOWN
    if not report.gpus:
        print("mig-probe: this machine has no GPU to compare", file=sys.stderr)
        return UNKNOWN
    different = unknown = 0
    for gpu in report.gpus:
        doubt = _board_doubt(gpu, file, name)
        difference = None if doubt else _difference(gpu, file.for_gpu(name, gpu.pci_id, gpu.index))
        unknown += doubt is not None
        different += difference is not None
        print(f"GPU {gpu.index}: {doubt or difference or format_profiles(gpu.counts())}")
    print(f"{name}: {_summary(different, unknown, len(report.gpus))}")
    return DIFFERENT if different else UNKNOWN if unknown else AS_DECLARED


def _open(path: str) -> Document:
    return parse("standard input", sys.stdin.buffer.read(MAX_BYTES + 1)) if path == "-" else open_document(path)


def _parted_file(document: Document) -> PartedFile:
    try:
        return parted.read(document.data)
    except InvalidPartedFile as exc:
        raise DocumentError(document.at(exc.path), str(exc)) from None


def _only_config(document: Document, file: PartedFile) -> str:
    if len(file.configs) == 1:
        return next(iter(file.configs))
    choices = ", ".join(sorted(file.configs))
    raise DocumentError(document.name, f"name one of its configs: {choices}" if choices else "has no configs")


def _lint(name: str, entries: tuple[Entry, ...]) -> list[str]:
    """What in this config mig-parted accepts and then applies wrongly."""
    found = lint(PartedFile({name: entries}))
    return [str(it) for it in found if it.level is not Level.ADVICE and it.rule != LintRule.ALL_DISABLED_MISSING]


def _summary(different: int, unknown: int, gpus: int) -> str:
    if different:
        return f"{different} of {gpus} GPUs differ" + (f", {unknown} unknown" if unknown else "")
    return f"{unknown} of {gpus} GPUs unknown" if unknown else "every GPU is as declared"


def _board_doubt(gpu: Gpu, file: PartedFile, name: str) -> str | None:
    """Why the GPU's entry is unknown; None if it is known."""
    entry = file.board_specific_entry(name, gpu.pci_id, gpu.index)
    if entry is None:
        return None
    device_filter = ", ".join(entry.device_filter)
    why = f"the device filter {device_filter} selects by subsystem ID, which reports do not include"
    return f"unknown: {why}; run nvidia-mig-parted assert"


def _difference(gpu: Gpu, entry: Entry | None) -> str | None:
    """What differs from the entry; None if nothing does."""
    if entry is None:
        return f"has no entry in the config ({gpu.product}, {gpu.pci_id}); found {format_profiles(gpu.counts())}"
    expected = _expected_counts(entry)
    if gpu.mig_mode_current is None:
        return None if expected is None else f"expected {format_profiles(expected)}, but {gpu.product} cannot do MIG"
    if gpu.is_reset_pending:
        return f"expected {format_profiles(expected)}; {RESET_HINT}"
    found = gpu.counts()
    if found == expected:
        bare = gpu.format_bare_instances()
        return "; ".join([format_profiles(found), *bare]) if bare else None
    text = f"expected {format_profiles(expected)}, found {format_profiles(found)}"
    unknown = sorted(name for name in expected or () if not _may_exist(name, gpu))
    return f"{text}; {gpu.product} has no {', '.join(unknown)}" if unknown else text


def _expected_counts(entry: Entry) -> dict[str, int] | None:
    """Profile → count with canonical names and without zeros; None is MIG off."""
    if not entry.mig_enabled:
        return None
    counts: Counter[str] = Counter()
    for name, count in entry.mig_devices.items():
        counts[str(Profile.parse(name))] += count
    return {name: count for name, count in sorted(counts.items()) if count}


def _may_exist(profile: str, gpu: Gpu) -> bool:
    """Whether the GPU has the profile according to the catalog; true for a GPU that the catalog does not have."""
    model = by_board(gpu.pci_id, gpu.product)
    if model is None:
        return True
    try:
        model.profile(profile)
    except MigError:
        return False
    return True
