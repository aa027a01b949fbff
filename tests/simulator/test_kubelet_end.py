"""A simulated container ends when its pod is deleted, whatever it does at that moment."""

import asyncio

import pytest

from mig_fleet.simulator.node import kubelet


def test_a_container_that_loses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubelet, "CANCEL_AGAIN_S", 0.01)

    async def container() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    async def story() -> bool:
        task = asyncio.create_task(container())
        await asyncio.sleep(0)
        await asyncio.wait_for(kubelet._end(task), 10)
        return task.cancelled()

    assert asyncio.run(story())
