"""Every error that the model of MIG raises, as one tree.

::

    MigError
    ├── InvalidProfile      text that is not a MIG profile
    ├── InvalidCount        a number of instances that is not a whole number
    ├── InvalidRequest      an argument of the wrong form
    ├── UnknownProfile      a profile that this GPU model does not have
    ├── AmbiguousProfile    a profile that is a different slice on different GPU models
    ├── UnknownGpu          a GPU model that is not in the catalog
    ├── AmbiguousGpu        a name that several GPU models share
    ├── InvalidPlacement    existing instances at placements that the GPU model does not allow
    ├── UnverifiedGeometry  a GPU model for which no source establishes the placements
    ├── InvalidCatalog      a catalog file that breaks the catalog's rules
    ├── InvalidLayout       a layout with one or more problems, each with its path
    ├── InvalidPartedFile   a document that NVIDIA's mig-parted would refuse
    ├── UnknownConfig       a config name that the mig-parted file does not define
    └── InvalidReport       a report of another version or shape

Each error keeps its facts as attributes and survives pickling: ``args`` are the arguments of ``__init__``, and the
text is made on demand.
"""

from collections.abc import Mapping, Sequence

from mig_fleet.model.finding import Finding
from mig_fleet.model.short_repr import format_value
from mig_fleet.model.suggestions import did_you_mean

_MOST_LISTED = 20
"""A message with more profiles than this would be hard to read."""


class MigError(Exception):
    """Base of all errors of this package."""


class InvalidProfile(MigError):
    """Text that is not a MIG profile in NVIDIA's spelling."""

    def __init__(self, text: object, why: str) -> None:
        super().__init__(text, why)
        self.text, self.why = text, why

    def __str__(self) -> str:
        examples = "profiles look like 1g.10gb, 1g.10gb+me or 1c.3g.40gb"
        return f"{format_value(self.text)} is not a MIG profile: {self.why}; {examples}"


class InvalidCount(MigError):
    """A number of instances that is not a whole number, 0 or more."""

    def __init__(self, profile: str, count: object) -> None:
        super().__init__(profile, count)
        self.profile, self.count = profile, count

    def __str__(self) -> str:
        return f"{self.profile} must have a whole number from 0 as its count, found {format_value(self.count)}"


class InvalidRequest(MigError):
    """An argument of the wrong form: ``what`` must be ``required``, but ``found`` was passed."""

    def __init__(self, what: str, found: object, required: str) -> None:
        super().__init__(what, found, required)
        self.what, self.found, self.required = what, found, required

    def __str__(self) -> str:
        return f"{self.what} must be {self.required}, found {format_value(self.found)}"


class UnknownProfile(MigError):
    """A well-formed profile that the GPU model does not have: mig-parted would wipe the GPU and report success.

    ``near`` is the profile that was probably meant; if it is empty, the message suggests the closest spelling.
    ``models`` are the GPU models that have the profile: the mistake may be the model.
    """

    def __init__(
        self, profile: str, gpu: str, known: Sequence[str], near: str = "", models: Sequence[str] = ()
    ) -> None:
        super().__init__(profile, gpu, known, near, models)
        self.profile, self.gpu, self.known, self.near, self.models = profile, gpu, tuple(known), near, tuple(models)

    def __str__(self) -> str:
        all_of_them = f"{self.gpu} offers {', '.join(self.known)}"
        offers = all_of_them if len(self.known) <= _MOST_LISTED else f"on {self.gpu}"
        near = f"; did you mean {self.near!r}?" if self.near else did_you_mean(self.profile, self.known)
        return f"unknown MIG profile {format_value(self.profile)}{near}{self._elsewhere()} ({offers})"

    def _elsewhere(self) -> str:
        """`` 3g.40gb is a profile of A100-80GB and H100-80GB; is `gpu` right?``"""
        if not self.models:
            return ""
        *others, last = self.models
        names = f"{', '.join(others)} and {last}" if others else last
        return f" {self.profile} is a profile of {names}; is `gpu` right?"


class AmbiguousProfile(MigError):
    """A profile that is a different slice on different GPU models; ``meanings`` maps each meaning to its models."""

    def __init__(self, profile: str, meanings: Mapping[str, Sequence[str]]) -> None:
        super().__init__(profile, meanings)
        self.profile, self.meanings = profile, dict(meanings)

    def __str__(self) -> str:
        meanings = "; ".join(f"{meaning} ({', '.join(models)})" for meaning, models in self.meanings.items())
        return f"{self.profile!r} means {len(self.meanings)} different slices, so name the GPU model: {meanings}"


class UnknownGpu(MigError):
    """A GPU model that is not in the catalog; ``near`` is text with the names that were probably meant."""

    def __init__(self, name: object, known: Sequence[str], near: str = "") -> None:
        super().__init__(name, known, near)
        self.name, self.known, self.near = name, tuple(known), near

    def __str__(self) -> str:
        near = f"; did you mean {self.near}?" if self.near else ""
        return f"unknown GPU model {format_value(self.name)}{near} (known: {', '.join(self.known)})"


class AmbiguousGpu(MigError):
    """A name that several GPU models share."""

    def __init__(self, name: str, candidates: Sequence[str]) -> None:
        super().__init__(name, candidates)
        self.name, self.candidates = name, tuple(candidates)

    def __str__(self) -> str:
        name = format_value(self.name)
        return f"{name} is the name of several GPU models; write one of {', '.join(self.candidates)}"


class UnverifiedGeometry(MigError):
    """A GPU model for which no source establishes the placements, so no statement about them could be relied on."""

    def __init__(self, gpu: str) -> None:
        super().__init__(gpu)
        self.gpu = gpu

    def __str__(self) -> str:
        command = "run on a node with this GPU model: nvidia-smi mig -lgipp"
        return f"no source establishes the placements of {self.gpu}; {command}"


class InvalidPlacement(MigError):
    """Existing instances that cannot be kept, because the GPU model does not allow their placements."""

    def __init__(self, placements: str, why: str) -> None:
        super().__init__(placements, why)
        self.placements, self.why = placements, why

    def __str__(self) -> str:
        return f"{self.placements} cannot be kept: {self.why}"


class InvalidCatalog(MigError):
    """A catalog file that breaks the catalog's rules. In a file of mig-fleet itself this is a bug."""

    def __init__(self, file: str, table: str, key: str, why: str) -> None:
        super().__init__(file, table, key, why)
        self.file, self.table, self.key, self.why = file, table, key, why

    def __str__(self) -> str:
        return f"GPU catalog {self.file}, table [{self.table}], key {self.key!r}: {self.why}"


class InvalidLayout(MigError):
    """A layout with one or more problems; ``problems`` lists all of them, each with its path in the layout."""

    def __init__(self, name: str, problems: Sequence[Finding]) -> None:
        super().__init__(name, problems)
        self.name, self.problems = name, tuple(problems)

    def __str__(self) -> str:
        return "\n".join(
            [f"layout {self.name!r} has {len(self.problems)} problem(s):", *(f"  {p}" for p in self.problems)]
        )


class InvalidPartedFile(MigError):
    """A document that NVIDIA's mig-parted would refuse; ``path`` is the place in the document."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"not a mig-parted file: {Finding(self.path, self.why)}"


class UnknownConfig(MigError):
    """A config name that the mig-parted file does not define."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        name, known = format_value(self.name), ", ".join(self.known) or "none"
        return f"no config {name} in the file{did_you_mean(self.name, self.known)} (it defines: {known})"


class InvalidReport(MigError):
    """A report of another version or shape; ``path`` is the place in the report."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"not a report of mig-fleet: {Finding(self.path, self.why)}"
