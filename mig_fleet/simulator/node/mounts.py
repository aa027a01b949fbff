"""The ConfigMap volumes of one pod: files that follow their ConfigMap with a delay, as a kubelet projects them."""

import asyncio
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from mig_fleet.simulator.node.config_maps import ConfigMaps, Files
from mig_fleet.simulator.node.pod import Pod

SYNC_S: Final = 0.1
"""A kubelet remounts the volumes of an updated pod in the next round of its reconciler, every 100 ms
(pkg/kubelet/volumemanager)."""


class Mounts:
    """The ConfigMap volumes of one pod, from :meth:`open` until :meth:`close`.

    ``delay_s`` returns the seconds from a ConfigMap's change to the changed file.
    """

    def __init__(self, config_maps: ConfigMaps, pod: Pod, delay_s: Callable[[], float]) -> None:
        self._config_maps, self._delay_s = config_maps, delay_s
        self._volumes = {
            volume: (f"{pod.namespace}/{source['name']}", bool(source.get("optional")))
            for volume, source in pod.config_map_volumes().items()
        }
        self._mount_paths = {
            mount["mountPath"].rstrip("/"): mount["name"] for mount in pod.first_container.get("volumeMounts") or []
        }
        self._files: dict[str, Files] = {}
        self._folder: Path | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def missing(self) -> str | None:
        """A ConfigMap that does not exist and without which the pod cannot start."""
        for key, optional in self._volumes.values():
            if not optional and self._config_maps.files(key) is None:
                return key
        return None

    async def open(self) -> None:
        """Subscribe to changes; returns when no required ConfigMap is missing."""
        for key, _ in self._volumes.values():
            self._config_maps.subscribers[key].add(self._on_change)
        while self.missing() is not None:
            self._changed.clear()
            await self._changed.wait()
        self._refresh()

    def close(self) -> None:
        for key, _ in self._volumes.values():
            self._config_maps.subscribers[key].discard(self._on_change)
        if self._timer is not None:
            self._timer.cancel()

    def sync(self) -> None:
        """The pod object itself changed, for example its annotations: the kubelet refreshes its volumes at once."""
        self._refresh_in(SYNC_S)

    def read(self, path: str) -> bytes | None:
        """The content of a file by its path in the container; ``None`` when there is no such file."""
        file = PurePosixPath(path)
        volume = self._mount_paths.get(str(file.parent))
        return self._files.get(volume, {}).get(file.name) if volume else None

    def write_to(self, folder: Path) -> dict[str, Path]:
        """Write the files to ``folder`` and keep them current; returns path in the container → folder, per mount."""
        self._folder = folder
        folders = {path: folder / volume for path, volume in self._mount_paths.items()}
        for each in folders.values():
            each.mkdir(parents=True, exist_ok=True)
        self._write()
        return folders

    def _on_change(self) -> None:
        self._changed.set()
        # One timer is enough: when it fires, it reads the newest content.
        if self._timer is None:
            self._refresh_in(self._delay_s())

    def _refresh_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._refresh)

    def _refresh(self) -> None:
        """Read the ConfigMaps; the files of a deleted one stay as they are, as on a real kubelet."""
        self._timer = None
        for volume, (key, _) in self._volumes.items():
            files = self._config_maps.files(key)
            if files is not None:
                self._files[volume] = files
        self._write()

    def _write(self) -> None:
        if self._folder is None or not self._folder.exists():
            return  # no process reads them, or no longer
        for volume, files in self._files.items():
            for name, content in files.items():
                target = self._folder / volume / name
                if not target.exists() or target.read_bytes() != content:
                    draft = target.with_name(f".{name}.new")
                    draft.write_bytes(content)
                    draft.replace(target)
