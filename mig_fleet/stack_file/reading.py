"""The settings as plain data: those of the running program, and those of a file, read as Pulumi's engine reads it.

Sources: pulumi v3.259.0, sdk/go/common/workspace/loaders.go (a key without a namespace belongs to the project),
sdk/go/common/resource/config/key.go (the spellings of a key) and object.go (secrets, numbers).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mig_fleet.documents import Document, DocumentError
from mig_fleet.model.finding import Finding
from mig_fleet.stack_file.settings import PROJECT, Settings

_REMOVED: Final = object()
_FRACTIONLESS: Final = 1e21
"""Go writes a whole number below it without a fraction and an exponent (encoding/json)."""


@dataclass(frozen=True, slots=True)
class RawSettings:
    """Sections by name, and the names of those with a value that was set with ``--secret``.

    Only Pulumi can decrypt such a value, so the sections of a file do not have it. ``problems`` are keys of a file that
    Pulumi refuses, or that it would choose one of.
    """

    sections: Mapping[str, Any]
    secrets: frozenset[str] = frozenset()
    problems: tuple[Finding, ...] = ()


def is_stack_file(data: object) -> bool:
    """Whether a document has a mapping ``config`` with a section of mig-fleet."""
    config = data.get("config") if isinstance(data, Mapping) else None
    return isinstance(config, Mapping) and any(
        str(key).startswith(f"{PROJECT}:") or section_of(key) in Settings.model_fields for key in config
    )


def section_of(key: object) -> str | None:
    """The section that a key below ``config`` means: ``pools`` for ``mig-fleet:pools``, ``mig-fleet:config:pools`` and
    ``pools``; None for a key of another namespace.
    """
    *namespace, name = str(key).split(":")
    return name if namespace in ([], [PROJECT], [PROJECT, "config"]) else None


def written_path(document: Document, path: str) -> str:
    """The path of a setting as the document writes it: ``config.mig-fleet:pools.inference`` for ``pools.inference``."""
    section = path.partition(".")[0].partition("[")[0]
    keys = document.data["config"]
    written = [section] if section in keys else [key for key in keys if section_of(key) == section]
    return f"config.{written[0] if written else section}{path[len(section) :]}"


def read_document(document: Document) -> RawSettings:
    """The settings of a stack file; raises :class:`DocumentError` for a file without any."""
    config = document.data.get("config") if isinstance(document.data, Mapping) else None
    if not isinstance(config, Mapping):
        why = "has no `config:` section; see stacks/Pulumi.local.yaml for an example"
        raise DocumentError(document.name, why)
    sections: dict[str, Any] = {}
    written: dict[str, str] = {}
    secrets: set[str] = set()
    problems: list[Finding] = []
    for key, value in config.items():
        name = section_of(key)
        if name is None:
            problems += _other_key(key)
            continue
        if name in sections:
            text = f"duplicate key {key!r}; with and without the prefix {PROJECT}: it is the same section"
            problems.append(Finding(key, text, also=written[name]))
        written.setdefault(name, key)
        plain = _plain(value)
        if plain is _REMOVED or _has_secret(value):
            secrets.add(name)
        sections[name] = {} if plain is _REMOVED else plain
    return RawSettings(sections, frozenset(secrets), tuple(problems))


def read_pulumi() -> RawSettings:
    """The running program's settings. A value that is not JSON stays text; no valid section is text."""
    import pulumi
    from pulumi.runtime.config import CONFIG, is_config_secret

    config, prefix = pulumi.Config(PROJECT), f"{PROJECT}:"

    def value(name: str) -> Any:
        try:
            return config.require_object(name)
        except pulumi.ConfigTypeError:
            return config.require(name)

    names = sorted(key.removeprefix(prefix) for key in CONFIG.get() if key.startswith(prefix))
    secrets = frozenset(name for name in names if is_config_secret(f"{prefix}{name}"))
    return RawSettings({name: value(name) for name in names}, secrets)


def _other_key(key: str) -> Iterator[Finding]:
    """Pulumi reads no file that has a key which is neither ``<namespace>:<name>`` nor ``<namespace>:config:<name>``."""
    if key.split(":")[1:-1] not in ([], ["config"]):
        yield Finding(key, f"is no key of Pulumi; it must have one colon, as in {PROJECT}:pools")


def _is_secret(value: object) -> bool:
    return isinstance(value, Mapping) and list(value) == ["secure"] and isinstance(value["secure"], str)


def _has_secret(value: object) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return _is_secret(value) or any(map(_has_secret, inner))


def _plain(value: Any) -> Any:
    """A value as the program gets it, as JSON, where 8.0 is 8; without its secrets."""
    if _is_secret(value):
        return _REMOVED
    if isinstance(value, Mapping):
        items = {key: _plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in items.items() if inner is not _REMOVED}
    if isinstance(value, list):
        return [inner for inner in map(_plain, value) if inner is not _REMOVED]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _FRACTIONLESS else value
