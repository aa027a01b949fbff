"""The files of a pod's ConfigMaps, as a process of this machine reads them."""

import asyncio
import shutil
from collections import defaultdict
from pathlib import Path
from unittest import mock

from mig_fleet.simulator.node.mounts import Mounts
from mig_fleet.simulator.node.pod import Pod

POD = Pod(
    {
        "metadata": {"namespace": "ns", "name": "manager"},
        "spec": {
            "containers": [{"volumeMounts": [{"name": "layouts", "mountPath": "/layouts"}]}],
            "volumes": [{"name": "layouts", "configMap": {"name": "layouts"}}],
        },
    }
)


def test_files_follow_their_config_map_until_the_container_has_ended(tmp_path: Path) -> None:
    config_maps = mock.Mock(subscribers=defaultdict(set))
    errors: list[object] = []

    def changed(content: bytes) -> None:
        config_maps.files.return_value = {"config.yaml": content}
        for subscriber in config_maps.subscribers["ns/layouts"]:
            subscriber()

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
        changed(b"first")
        mounts = Mounts(config_maps, POD, lambda: 0.0)
        await mounts.open()
        file = mounts.write_to(tmp_path / "volumes")["/layouts"] / "config.yaml"
        assert file.read_bytes() == b"first"
        changed(b"second")
        await asyncio.sleep(0.05)
        assert file.read_bytes() == b"second"

        shutil.rmtree(tmp_path / "volumes")
        changed(b"third")
        await asyncio.sleep(0.05)
        assert errors == [], "nothing is written where no process reads"
        assert (
            mounts.write_to(tmp_path / "of-the-next-process")["/layouts"].joinpath("config.yaml").read_bytes()
            == b"third"
        )
        mounts.close()

    asyncio.run(story())
