"""The password of a mirror or a proxy is in no error."""

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain.download import Downloads
from mig_fleet.toolchain.errors import BuildFailed, DownloadFailed
from tests.toolchain.conftest import Computer, Publisher

SECRET = "s3cr3tMARKER"


@pytest.mark.parametrize(
    "mirror",
    [
        f"http://u:{SECRET}@127.0.0.1:1",
        f"http://u:{SECRET}@127.0.0.1:port",
        f"http://u:p/{SECRET}@127.0.0.1:1",
        f"http://u:p {SECRET}@127.0.0.1:1",
        f"http://[{SECRET}@127.0.0.1:1",
        f"u:{SECRET}@127.0.0.1:1",
        f"//u:{SECRET}@127.0.0.1:1",
        f"{SECRET}@127.0.0.1:1",
    ],
)
@pytest.mark.parametrize("proxy", [False, True], ids=["mirror", "proxy"])
def test_a_mirror_or_a_proxy_that_does_not_work_is_reported_without_its_password(
    proxy: bool, mirror: str, computer: Computer, etcd: toolchain.Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    if proxy:
        monkeypatch.setenv("http_proxy", mirror)
    downloads = Downloads("http://mirror.example" if proxy else mirror)
    with pytest.raises(DownloadFailed) as raised:
        downloads.get(etcd, computer.root)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_refusal_of_a_mirror_is_reported_without_its_password(
    computer: Computer, publisher: Publisher, etcd: toolchain.Family
) -> None:
    computer.variables["MIG_FLEET_MIRROR"] = publisher.url.replace("//", f"//u:{SECRET}@")
    with pytest.raises(toolchain.ToolsMissing, match="download: ") as raised:
        toolchain.ensure([etcd], environment=computer.environment)
    assert SECRET not in str(raised.value)


def test_go_may_quote_a_proxy_with_its_password(computer: Computer) -> None:
    error = BuildFailed("etcd", f"go: https://u:{SECRET}@proxy/@v/list: 403 Forbidden", computer.root / "log")
    assert "go: https://***@v/list: 403 Forbidden" in str(error)
