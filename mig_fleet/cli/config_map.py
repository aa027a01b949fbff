"""Finds the mig-parted files in ConfigMaps, as ``kubectl get -o yaml`` prints them."""

from collections.abc import Mapping
from typing import Any

from mig_fleet.documents import Document, DocumentError, parse
from mig_fleet.model.labels import LAYOUTS_KEY


def files_of(document: Document) -> list[Document] | None:
    """The mig-parted files in a ConfigMap, or in a list of ConfigMaps (`kubectl get configmaps -o yaml`).

    Each file is the value of the key ``config.yaml``. None if the document is neither; raises DocumentError if it has
    no such file.
    """
    data = document.data
    kind = data.get("kind") if isinstance(data, Mapping) else None
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


def _layouts(config_map: Any) -> str | None:
    """The text that MIG Manager reads its layouts from."""
    is_config_map = isinstance(config_map, Mapping) and config_map.get("kind") == "ConfigMap"
    content = config_map.get("data") if is_config_map else None
    text = content.get(LAYOUTS_KEY) if isinstance(content, Mapping) else None
    return text if isinstance(text, str) else None


def _name(config_map: Mapping[str, Any]) -> str:
    metadata = config_map.get("metadata")
    return str(metadata.get("name", "?")) if isinstance(metadata, Mapping) else "?"
