"""All ConfigMaps of the cluster, for the pods that mount them."""

import base64
from collections import defaultdict
from collections.abc import Callable

from mig_fleet.model import labels
from mig_fleet.simulator.api import Api, Json
from mig_fleet.simulator.informer import Informer, key_of, latest

Files = dict[str, bytes]
"""File name → content."""


class ConfigMaps(Informer):
    """Every ConfigMap except the probes' reports; ``subscribers`` of a ``namespace/name`` are called on its changes."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/api/v1/configmaps", f"{labels.REPORT_LABEL}!=true")
        self.subscribers: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)
        self.listeners.append(self._notify)

    def files(self, key: str) -> Files | None:
        """The files of a ConfigMap; ``None`` while it does not exist."""
        item = self.objects.get(key)
        if item is None:
            return None
        text = {name: value.encode() for name, value in (item.get("data") or {}).items()}
        return text | {name: base64.b64decode(value) for name, value in (item.get("binaryData") or {}).items()}

    def _notify(self, before: Json | None, after: Json | None) -> None:
        for subscriber in tuple(self.subscribers.get(key_of(latest(before, after)), ())):
            subscriber()
