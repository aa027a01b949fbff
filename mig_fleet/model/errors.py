"""Everything that the model of MIG refuses, as one tree.

::

    MigError
    ├── InvalidProfile      text that is not a MIG profile
    ├── InvalidCount        a number of instances that is not a whole number
    ├── InvalidRequest      a question in a form that cannot be answered
    ├── UnknownProfile      a profile that this GPU model does not have
    ├── AmbiguousProfile    a profile that is a different slice on different GPU models
    ├── UnknownGpu          a GPU model that is not in the catalog
    ├── AmbiguousGpu        a name that several GPU models answer to
    ├── InvalidPlacement    instances to keep that cannot stand so
    ├── UnsettledGpu        a GPU model of which no source settles the placements
    ├── InvalidCatalog      a catalog file that breaks its own rules
    ├── InvalidLayout       a layout with one or more problems, each at its path
    ├── InvalidPartedFile   a document that NVIDIA's mig-parted would refuse
    ├── UnknownConfig       a config name that the mig-parted file does not hold
    └── InvalidReport       a report that is not of our version or shape

Each keeps its facts as attributes and survives pickling: ``args`` are the arguments of ``__init__``, the text is made
on demand.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from reprlib import Repr


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake and the place where the person made it."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


def hint(word: str, known: Iterable[str]) -> str:
    """``; did you mean '1g.10gb'?``, or nothing when no known word is near."""
    words = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(word.casefold(), words, n=1, cutoff=0.6)
    return f"; did you mean {words[near[0]]!r}?" if near else ""


class _Short(Repr):
    """Writes only as much of a value as a sentence can hold: in full, a few aliases of YAML can be a gigabyte."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 20
        self.maxstring = self.maxlong = self.maxother = 200

    def repr_dict(self, value: dict[object, object], level: int) -> str:
        """In the order of the file; the base class sorts."""
        if value and level <= 0:
            return "{...}"
        items = [[self.repr1(part, level - 1) for part in item] for item in islice(value.items(), self.maxdict)]
        parts = [": ".join(item) for item in items] + ["..."] * (len(value) > self.maxdict)
        return f"{{{', '.join(parts)}}}"

    def repr_int(self, value: int, _level: int) -> str:
        """Python writes no more than 4300 decimal digits (``sys.int_info``)."""
        return repr(value) if value.bit_length() < 1000 else hex(value)


def shown(value: object) -> str:
    """A value that was found, as Python writes it, cut to what a sentence can hold."""
    text = _SHORT.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_SHORT = _Short()


_LISTED = 20
"""A longer list helps nobody."""


class MigError(Exception):
    """Base of all errors of this package."""


class InvalidProfile(MigError):
    """Text that is not a MIG profile in NVIDIA's spelling."""

    def __init__(self, text: object, why: str) -> None:
        super().__init__(text, why)
        self.text, self.why = text, why

    def __str__(self) -> str:
        like = "profiles look like 1g.10gb, 1g.10gb+me or 1c.3g.40gb"
        return f"{shown(self.text)} is not a MIG profile: {self.why}; {like}"


class InvalidCount(MigError):
    """A number of instances that is not a whole number from 0."""

    def __init__(self, profile: str, count: object) -> None:
        super().__init__(profile, count)
        self.profile, self.count = profile, count

    def __str__(self) -> str:
        return f"{self.profile} must have a whole number from 0 as its count, found {shown(self.count)}"


class InvalidRequest(MigError):
    """A question in a form that cannot be answered: ``what`` was given as ``found``, and ``wanted`` would work."""

    def __init__(self, what: str, found: object, wanted: str) -> None:
        super().__init__(what, found, wanted)
        self.what, self.found, self.wanted = what, found, wanted

    def __str__(self) -> str:
        return f"{self.what} must be {self.wanted}, found {shown(self.found)}"


class UnknownProfile(MigError):
    """A well-formed profile that the GPU model does not have: mig-parted would wipe the GPU and report success.

    ``near`` is the one that was probably meant, if anybody knows.
    """

    def __init__(self, profile: str, gpu: str, known: Sequence[str], near: str = "") -> None:
        super().__init__(profile, gpu, known, near)
        self.profile, self.gpu, self.known, self.near = profile, gpu, tuple(known), near

    def __str__(self) -> str:
        offers = f" ({self.gpu} offers {', '.join(self.known)})" if len(self.known) <= _LISTED else f" (on {self.gpu})"
        near = f"; did you mean {self.near!r}?" if self.near else hint(self.profile, self.known)
        return f"unknown MIG profile {shown(self.profile)}{near}{offers}"


class AmbiguousProfile(MigError):
    """A profile that is a different slice on different GPU models; ``meanings`` maps each to the models it holds
    for.
    """

    def __init__(self, profile: str, meanings: Mapping[str, Sequence[str]]) -> None:
        super().__init__(profile, meanings)
        self.profile, self.meanings = profile, dict(meanings)

    def __str__(self) -> str:
        told = "; ".join(f"{meaning} ({', '.join(models)})" for meaning, models in self.meanings.items())
        return f"{self.profile!r} is {len(self.meanings)} different things, so name the GPU model: {told}"


class UnknownGpu(MigError):
    """A GPU model that is not in the catalog; ``near`` is a name that was probably meant, in words."""

    def __init__(self, name: object, known: Sequence[str], near: str = "") -> None:
        super().__init__(name, known, near)
        self.name, self.known, self.near = name, tuple(known), near

    def __str__(self) -> str:
        near = f"; did you mean {self.near}?" if self.near else ""
        return f"unknown GPU model {shown(self.name)}{near} (known: {', '.join(self.known)})"


class AmbiguousGpu(MigError):
    """A name that several GPU models answer to."""

    def __init__(self, name: str, candidates: Sequence[str]) -> None:
        super().__init__(name, candidates)
        self.name, self.candidates = name, tuple(candidates)

    def __str__(self) -> str:
        return f"{shown(self.name)} is the name of several GPU models; write one of {', '.join(self.candidates)}"


class UnsettledGpu(MigError):
    """A GPU model of which no source settles the placements, so that no number about them could be relied on."""

    def __init__(self, gpu: str) -> None:
        super().__init__(gpu)
        self.gpu = gpu

    def __str__(self) -> str:
        return f"no source settles the placements of {self.gpu}; ask a node that has one: nvidia-smi mig -lgipp"


class InvalidPlacement(MigError):
    """Instances that are to stay where they cannot stand."""

    def __init__(self, placements: str, why: str) -> None:
        super().__init__(placements, why)
        self.placements, self.why = placements, why

    def __str__(self) -> str:
        return f"{self.placements} cannot be kept: {self.why}"


class InvalidCatalog(MigError):
    """A catalog file that breaks its own rules. With our own files this is a bug in mig-fleet."""

    def __init__(self, file: str, table: str, key: str, why: str) -> None:
        super().__init__(file, table, key, why)
        self.file, self.table, self.key, self.why = file, table, key, why

    def __str__(self) -> str:
        return f"GPU catalog {self.file}, table [{self.table}], key {self.key!r}: {self.why}"


class InvalidLayout(MigError):
    """A layout with one or more problems, all of them told at once."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        super().__init__(name, problems)
        self.name, self.problems = name, tuple(problems)

    def __str__(self) -> str:
        return "\n".join(
            [f"layout {self.name!r} has {len(self.problems)} problem(s):", *(f"  {p}" for p in self.problems)]
        )


class InvalidPartedFile(MigError):
    """A document that NVIDIA's mig-parted would refuse; ``path`` says where in the document."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"not a mig-parted file: {self.path + ': ' if self.path else ''}{self.why}"


class UnknownConfig(MigError):
    """A config name that the mig-parted file does not hold."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        holds = ", ".join(self.known) or "none"
        return f"no config {shown(self.name)} in the file{hint(self.name, self.known)} (it holds: {holds})"


class InvalidReport(MigError):
    """A report that is not of our version or shape."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"not a report of mig-fleet: {self.path + ': ' if self.path else ''}{self.why}"
