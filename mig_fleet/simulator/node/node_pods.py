"""The pods that are bound to one node."""

import asyncio
from collections.abc import Callable, Iterator

from mig_fleet.simulator.node.pod import Pod

Selection = Callable[[Pod], bool]


class NodePods:
    """Pods by uid, as the API server last reported them."""

    def __init__(self) -> None:
        self._pods: dict[str, Pod] = {}
        self._deleted = asyncio.Condition()

    def __iter__(self) -> Iterator[Pod]:
        return iter(tuple(self._pods.values()))

    def get(self, uid: str) -> Pod | None:
        return self._pods.get(uid)

    def put(self, pod: Pod) -> None:
        self._pods[pod.uid] = pod

    def remove(self, uid: str) -> None:
        """Forget a deleted pod; call :meth:`notify` afterwards."""
        self._pods.pop(uid, None)

    async def notify(self) -> None:
        """Wake up every :meth:`wait_deleted`."""
        async with self._deleted:
            self._deleted.notify_all()

    def select(self, selection: Selection) -> list[Pod]:
        return [pod for pod in self if selection(pod)]

    async def wait_deleted(self, selection: Selection) -> None:
        """Return when the node has no such pod."""
        async with self._deleted:
            await self._deleted.wait_for(lambda: not self.select(selection))


def has_app(app: str) -> Selection:
    """Pods with this value of label ``app``."""
    return lambda pod: pod.labels.get("app") == app
