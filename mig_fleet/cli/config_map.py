"""Finds the mig-parted files in ConfigMaps, as ``kubectl get -o yaml`` prints them, and in values of NVIDIA's chart."""

from collections.abc import Iterator, Mapping
from typing import Any

from mig_fleet.documents import Document, DocumentError, parse
from mig_fleet.foreign_text import printable
from mig_fleet.model.labels import LAYOUTS_KEY
from mig_fleet.model.short_repr import format_value

CHART_TEXTS = ("values", "valuesContent")
"""Keys under which Argo CD and k3s have the chart's values as one text."""


def files_of(document: Document) -> list[Document] | None:
    """The mig-parted files in a ConfigMap, or in a list of ConfigMaps (`kubectl get configmaps -o yaml`).

    Each file is the value of the key ``config.yaml``. The chart has it below ``migManager.config.data``: in a values
    file, in those of a parent chart, in k3s' HelmChart, in Argo CD's Application, in Flux' HelmRelease. None if the
    document is none of these; raises DocumentError if it has no such file.
    """
    data = document.data
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind == "ConfigMap":
        text = _layouts(data)
        if text is None:
            why = f"the ConfigMap has no key {LAYOUTS_KEY}, which MIG Manager reads{_under_another_key(data)}"
            raise DocumentError(document.at("data"), why)
        return [parse(f"{document.name}, key {LAYOUTS_KEY}", text.encode())]
    if kind in ("List", "ConfigMapList"):
        return _of_list(document)
    managers = list(_mig_managers(document.name, data))
    texts = [text for each in managers if isinstance(text := _inner(each, "config", "data", LAYOUTS_KEY), str)]
    if texts:
        return [
            parse(f"{document.name}, migManager.config.data, key {LAYOUTS_KEY}", text.encode())
            for text in dict.fromkeys(texts)
        ]
    if name := next((name for each in managers if isinstance(name := _inner(each, "config", "name"), str)), None):
        why = (
            f"migManager.config.data has no {LAYOUTS_KEY}; the layouts are in ConfigMap {format_value(name)}, in the "
            "operator's namespace: pass what `kubectl get configmap -o yaml` prints of it"
        )
        raise DocumentError(document.name, why)
    return None


def _of_list(document: Document) -> list[Document]:
    listed = document.data.get("items")
    items = [(item, _layouts(item)) for item in (listed if isinstance(listed, list) else ())]
    files = [
        parse(f"{document.name}, ConfigMap {_name(item)}, key {LAYOUTS_KEY}", text.encode())
        for item, text in items
        if text is not None and "mig-configs" in text
    ]
    if not files:
        why = f"no ConfigMap of the list has a mig-parted file under {LAYOUTS_KEY}, the key that MIG Manager reads"
        if any(isinstance(item, Mapping) and item.get("kind") == "Node" for item, _ in items):
            why += "; `mig-fleet import` writes a stack file from its nodes"
        raise DocumentError(document.at("items"), why)
    return files


def _mig_managers(name: str, data: Any, in_text: bool = False) -> Iterator[Any]:
    """Each ``migManager`` of the chart's values, at any depth of a document or of a text in it.

    Texts in such a text are not read: a few kilobytes of them would be deeper than Python's stack.
    """
    if isinstance(data, list):
        for item in data:
            yield from _mig_managers(name, item, in_text)
    elif isinstance(data, Mapping):
        for key, value in data.items():
            if key == "migManager":
                yield value
            elif key in CHART_TEXTS and isinstance(value, str) and "migManager" in value and not in_text:
                yield from _mig_managers(name, parse(f"{name}, the values of the chart", value.encode()).data, True)
            else:
                yield from _mig_managers(name, value, in_text)


def _under_another_key(config_map: Mapping[str, Any]) -> str:
    """What to do about a mig-parted file that MIG Manager does not read."""
    data = config_map.get("data")
    texts = data.items() if isinstance(data, Mapping) else ()
    keys = [str(key) for key, text in texts if isinstance(text, str) and "mig-configs" in text]
    return f"; {format_value(keys[0])} has a mig-parted file: rename that key" if keys else ""


def _inner(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _layouts(config_map: Any) -> str | None:
    """The text that MIG Manager reads its layouts from."""
    is_config_map = isinstance(config_map, Mapping) and config_map.get("kind") == "ConfigMap"
    content = config_map.get("data") if is_config_map else None
    text = content.get(LAYOUTS_KEY) if isinstance(content, Mapping) else None
    return text if isinstance(text, str) else None


def _name(config_map: Mapping[str, Any]) -> str:
    metadata = config_map.get("metadata")
    return printable(metadata.get("name", "?")) if isinstance(metadata, Mapping) else "?"
