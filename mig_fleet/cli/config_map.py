"""The mig-parted files that lie in ConfigMaps, as ``kubectl get -o yaml`` prints them."""

from collections.abc import Mapping
from typing import Any

from mig_fleet.documents import Document, DocumentError, parse
from mig_fleet.model.labels import LAYOUTS_KEY


def files_of(document: Document) -> list[Document] | None:
    """The mig-parted files inside a ConfigMap or a list of them (`kubectl get configmaps -o yaml`), each from its key
    ``config.yaml``; None for anything else. Raises DocumentError where there is none.
    """
    data = document.data
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind == "ConfigMap":
        text = _layouts(data)
        if text is None:
            why = f"the ConfigMap has no key {LAYOUTS_KEY}, the one that MIG Manager reads"
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
    """The text from which MIG Manager reads its layouts."""
    is_one = isinstance(config_map, Mapping) and config_map.get("kind") == "ConfigMap"
    content = config_map.get("data") if is_one else None
    text = content.get(LAYOUTS_KEY) if isinstance(content, Mapping) else None
    return text if isinstance(text, str) else None


def _name(config_map: Mapping[str, Any]) -> str:
    metadata = config_map.get("metadata")
    return str(metadata.get("name", "?")) if isinstance(metadata, Mapping) else "?"
