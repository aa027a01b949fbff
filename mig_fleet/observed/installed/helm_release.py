"""Helm's records of releases: one Secret for each revision. Only the chart's name and version are read from it.

The Secret has the type ``helm.sh/release.v1``, the labels ``owner=helm``, ``name``, ``status`` and ``version`` (the
revision), and under the key ``release`` the record: JSON, compressed with gzip, in base64, which Kubernetes encodes
once more (helm v3.20, pkg/storage/driver/secrets.go and util.go). The record also has the chart's values, which may be
secret: they are skipped while it is decoded, and nothing of it is kept.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec

from mig_fleet.cluster.connection import Connection
from mig_fleet.model.short_repr import format_value

RELEASE_TYPE: Final = "helm.sh/release.v1"
MOST_BYTES: Final = 64 * 2**20
"""Of a decompressed record. A Secret has at most 1 MiB, but a hostile one may expand to a gigabyte."""

GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """The latest revision of a release; ``chart`` and ``version`` are empty if its record cannot be read."""

    namespace: str
    name: str
    revision: int
    status: str
    """``deployed``, ``failed``, ``pending-install`` and so on, as Helm wrote it."""
    chart: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"Helm release {format_value(self.name)} in namespace {format_value(self.namespace)}"


class _Metadata(msgspec.Struct):
    name: str = ""
    version: str = ""


class _Chart(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Record(msgspec.Struct):
    chart: _Chart = msgspec.field(default_factory=_Chart)


class _SecretMetadata(msgspec.Struct):
    labels: dict[str, str] | None = None


class _Secret(msgspec.Struct):
    metadata: _SecretMetadata
    data: dict[str, str] | None = None


class _Secrets(msgspec.Struct):
    items: list[_Secret]


def helm_releases(cluster: Connection, namespace: str) -> list[HelmRelease]:
    """The releases of a namespace by name. Raises ClusterError, Forbidden included: few users may list Secrets."""
    query = {"fieldSelector": f"type={RELEASE_TYPE}", "labelSelector": "owner=helm,status!=superseded"}
    items = cluster.read(f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets", _Secrets, query).items
    latest: dict[str, HelmRelease] = {}
    for release in _read(namespace, items):
        if release.name not in latest or latest[release.name].revision < release.revision:
            latest[release.name] = release
    return [latest[name] for name in sorted(latest) if latest[name].status != "uninstalled"]


def _read(namespace: str, items: Iterable[_Secret]) -> Iterable[HelmRelease]:
    for item in items:
        found = item.metadata.labels or {}
        revision = found.get("version", "")
        if found.get("name"):
            chart, version = chart_of((item.data or {}).get("release", ""))
            number = int(revision) if revision.isdecimal() and len(revision) < 10 else 0
            yield HelmRelease(namespace, found["name"], number, found.get("status", ""), chart, version)


def chart_of(record: str) -> tuple[str, str]:
    """Name and version of the chart in a Secret's value ``release``; empty if it is not such a record."""
    try:
        inner = base64.b64decode(base64.b64decode(record))
        unpacker = zlib.decompressobj(GZIP)
        text = unpacker.decompress(inner, MOST_BYTES) if inner[:2] == b"\x1f\x8b" else inner
        if unpacker.unconsumed_tail:
            return "", ""
        metadata = msgspec.json.decode(text, type=_Record).chart.metadata
    except (binascii.Error, ValueError, zlib.error, msgspec.DecodeError, RecursionError):
        return "", ""
    return metadata.name, metadata.version
