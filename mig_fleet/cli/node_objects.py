"""Reads Node objects, of a cluster or as ``kubectl get nodes -o yaml`` saved them, to facts for an import."""

from collections.abc import Iterator, Mapping
from typing import Any

from mig_fleet.cluster.quantities import RIGHT, parse_count
from mig_fleet.failures import Refused
from mig_fleet.foreign_text import printable
from mig_fleet.model import gfd, labels
from mig_fleet.model.imports import NodeFacts, Offers, read_offers
from mig_fleet.model.numbers import parse_natural
from mig_fleet.model.report import Report
from mig_fleet.observed.plugin_settings import SharedResource, shared_resources


def saved_objects(data: Any) -> dict[str, list[dict[str, Any]]]:
    """The Nodes and ConfigMaps of a document by kind: one object, or a list of them. What has no name or no text where
    Kubernetes has text is left out.
    """
    found: dict[str, list[dict[str, Any]]] = {"Node": [], "ConfigMap": []}
    for kind, item in _objects(data):
        metadata = item.get("metadata")
        if kind in found and isinstance(metadata, Mapping) and isinstance(metadata.get("name"), str):
            status = item.get("status")
            allocatable = status.get("allocatable") if isinstance(status, Mapping) else None
            found[kind].append(
                {
                    "metadata": {"name": metadata["name"], "labels": _texts(metadata.get("labels"))},
                    "status": {"allocatable": _texts(allocatable)},
                    "data": _texts(item.get("data")),
                }
            )
    return found


def _objects(data: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each object with its kind. The API server prints no kind in the items of a ``NodeList``."""
    if not isinstance(data, Mapping):
        return
    kind, items = data.get("kind"), data.get("items")
    if not isinstance(items, list):
        yield str(kind), data
        return
    of_list = "" if kind == "List" else str(kind).removesuffix("List")
    for item in items:
        if isinstance(item, Mapping):
            yield str(item.get("kind", of_list)), item


def _texts(data: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in data.items()} if isinstance(data, Mapping) else {}


def read_node(node: dict[str, Any], report: Report | None) -> NodeFacts:
    """Raises Refused for a quantity that is none."""
    node_labels = node["metadata"].get("labels") or {}
    return node_facts(node["metadata"]["name"], node_labels, _offers(node, node_labels, report))


def sharing(node: dict[str, Any]) -> list[SharedResource]:
    """What its device plugin shares. Raises Refused for a quantity that is none."""
    return shared_resources(node["metadata"].get("labels") or {}, _allocatable(node))


def _allocatable(node: dict[str, Any]) -> dict[str, int]:
    listed = ((node.get("status") or {}).get("allocatable") or {}).items()
    counts = {key: (parse_count(number), number) for key, number in listed if key.startswith("nvidia.com/")}
    for key, (count, number) in counts.items():
        if count is None:
            raise Refused(f"{printable(key)} is '{printable(number)}', which must be {RIGHT}")
    return {key: count for key, (count, _) in counts.items() if count is not None}


def _offers(node: dict[str, Any], node_labels: Mapping[str, str], report: Report | None) -> Offers:
    state, gpus = node_labels.get(labels.STATE), None
    if report and not report.errors and (report.config, report.state) == (node_labels.get(labels.CONFIG), state):
        gpus = report.counts()
    return read_offers(node_labels, _allocatable(node), gpus, state)


def node_facts(name: str, node_labels: Mapping[str, str], offers: Offers | None = None) -> NodeFacts:
    """A node from its labels. Under strategy mixed there is a label with the number of slices of each profile; under
    single the product label names the profile, and the label with the number of GPUs counts slices.
    """
    config, product = node_labels.get(labels.CONFIG), node_labels.get(labels.PRODUCT)
    count = parse_natural(node_labels.get(labels.COUNT, "")) or 0
    if not gfd.is_slice_product(product or ""):
        return NodeFacts(name, config, product, slices=gfd.slice_counts(node_labels), gpu_count=count, offers=offers)
    profile = gfd.slice_profile(product or "")
    slices = {profile: count} if profile else {}
    return NodeFacts(name, config, product, slices=slices, offers=offers, counted_by=f"label {labels.PRODUCT}")
