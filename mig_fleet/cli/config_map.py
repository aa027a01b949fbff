"""Finds the mig-parted files in ConfigMaps, as ``kubectl get -o yaml`` prints them, and in values of NVIDIA's chart."""

from collections.abc import Iterator, Mapping
from typing import Any

from mig_fleet.documents import Document, DocumentError, parse
from mig_fleet.foreign_text import printable
from mig_fleet.model.labels import LAYOUTS_KEY


def files_of(document: Document) -> list[Document] | None:
    """The mig-parted files in a ConfigMap, or in a list of ConfigMaps (`kubectl get configmaps -o yaml`).

    Each file is the value of the key ``config.yaml``. The chart has it below ``migManager.config.data``: in a values
    file, in k3s' HelmChart, in Argo CD's Application. None if the document is none of these; raises DocumentError if it
    has no such file.
    """
    data = document.data
    kind = data.get("kind") if isinstance(data, Mapping) else None
    for values in _chart_values(document):
        text = _inner(values, "migManager", "config", "data", LAYOUTS_KEY)
        if isinstance(text, str):
            return [parse(f"{document.name}, migManager.config.data, key {LAYOUTS_KEY}", text.encode())]
    if kind == "ConfigMap":
        text = _layouts(data)
        if text is None:
            why = f"the ConfigMap has no key {LAYOUTS_KEY}, which MIG Manager reads"
            raise DocumentError(document.at("data"), why)
        return [parse(f"{document.name}, key {LAYOUTS_KEY}", text.encode())]
    if kind not in ("List", "ConfigMapList"):
        return None
    listed = data.get("items")
    items = [(item, _layouts(item)) for item in (listed if isinstance(listed, list) else ())]
    files = [
        parse(f"{document.name}, ConfigMap {_name(item)}, key {LAYOUTS_KEY}", text.encode())
        for item, text in items
        if text is not None and "mig-configs" in text
    ]
    if not files:
        why = f"no ConfigMap of the list has a mig-parted file under {LAYOUTS_KEY}, the key that MIG Manager reads"
        raise DocumentError(document.at("items"), why)
    return files


def _chart_values(document: Document) -> Iterator[Any]:
    """The chart's values, wherever a document has them, as data."""
    data = document.data
    yield data
    sources = _inner(data, "spec", "sources")
    helm = [
        _inner(each, "helm")
        for each in (_inner(data, "spec", "source"), *(sources if isinstance(sources, list) else ()))
    ]
    yield from (_inner(each, "valuesObject") for each in helm)
    for text in (_inner(data, "spec", "valuesContent"), *(_inner(each, "values") for each in helm)):
        if isinstance(text, str):
            yield parse(f"{document.name}, the values of the chart", text.encode()).data


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
