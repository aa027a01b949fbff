"""ConfigMaps as a pod sees them: files that follow their object with a delay, and a pod that waits until they exist."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from mig_fleet.model import labels
from mig_fleet.simulator.api import Api, Informer, Json, key_of
from mig_fleet.simulator.node.pod import Pod

Files = dict[str, bytes]

SYNC_S: Final = 0.1
"""A kubelet mounts the volumes of an updated pod anew at the next round of its reconciler, every 100 ms
(pkg/kubelet/volumemanager)."""


class ConfigMaps(Informer):
    """All ConfigMaps of the cluster but the probes' reports; whoever mounts one hears of its changes."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, "/api/v1/configmaps", self._tell, f"{labels.REPORT_LABEL}!=true")
        self.listeners: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)

    def _tell(self, before: Json | None, after: Json | None) -> None:
        item = after or before
        assert item is not None, "an informer reports a change of something"
        for listener in tuple(self.listeners.get(key_of(item), ())):
            listener()

    def files(self, key: str) -> Files | None:
        """File name → content; ``None`` while there is no such ConfigMap."""
        item = self.objects.get(key)
        if item is None:
            return None
        text = {name: value.encode() for name, value in (item.get("data") or {}).items()}
        return text | {name: base64.b64decode(value) for name, value in (item.get("binaryData") or {}).items()}


class Mounts:
    """The ConfigMap volumes of one pod, from :meth:`open` until :meth:`close`."""

    def __init__(self, config_maps: ConfigMaps, pod: Pod, delay_s: Callable[[], float]) -> None:
        self._config_maps, self._delay_s = config_maps, delay_s
        self._volumes = {
            volume: (f"{pod.namespace}/{source['name']}", bool(source.get("optional")))
            for volume, source in pod.config_map_volumes().items()
        }
        self._places = {
            mount["mountPath"].rstrip("/"): mount["name"] for mount in pod.container.get("volumeMounts") or []
        }
        self._files: dict[str, Files] = {}
        self._folder: Path | None = None
        self._stirred = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def missing(self) -> str | None:
        """A ConfigMap the pod cannot start without and that does not exist."""
        for key, optional in self._volumes.values():
            if not optional and self._config_maps.files(key) is None:
                return key
        return None

    async def open(self) -> None:
        """Listen, and return when nothing is missing any more."""
        for key, _ in self._volumes.values():
            self._config_maps.listeners[key].add(self._on_change)
        while self.missing() is not None:
            self._stirred.clear()
            await self._stirred.wait()
        self._refresh()

    def close(self) -> None:
        for key, _ in self._volumes.values():
            self._config_maps.listeners[key].discard(self._on_change)
        if self._timer is not None:
            self._timer.cancel()

    def sync(self) -> None:
        """The pod itself was changed, its annotations for example: the kubelet looks after its volumes at once."""
        self._refresh_in(SYNC_S)

    def read(self, path: str) -> bytes | None:
        """A file by its path in the container."""
        place = PurePosixPath(path)
        volume = self._places.get(str(place.parent))
        return self._files.get(volume, {}).get(place.name) if volume else None

    def materialise(self, folder: Path) -> dict[str, Path]:
        """Keep real files in ``folder`` from now on; returns path in the container → real folder, for every mount."""
        self._folder = folder
        places = {place: folder / volume for place, volume in self._places.items()}
        for real in places.values():
            real.mkdir(parents=True, exist_ok=True)
        self._write()
        return places

    def _on_change(self) -> None:
        self._stirred.set()
        # One timer is enough: what it reads when it fires is newer than what set it.
        if self._timer is None:
            self._refresh_in(self._delay_s())

    def _refresh_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._refresh)

    def _refresh(self) -> None:
        """Take over what the ConfigMaps say now; one that was deleted stays as it was last seen, as in a kubelet."""
        self._timer = None
        for volume, (key, _) in self._volumes.items():
            files = self._config_maps.files(key)
            if files is not None:
                self._files[volume] = files
        self._write()

    def _write(self) -> None:
        if self._folder is None:
            return
        for volume, files in self._files.items():
            for name, content in files.items():
                target = self._folder / volume / name
                if not target.exists() or target.read_bytes() != content:
                    draft = target.with_name(f".{name}.new")
                    draft.write_bytes(content)
                    draft.replace(target)
