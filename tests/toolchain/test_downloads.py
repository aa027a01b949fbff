"""Official downloads from a publisher on loopback: which files are kept, which are refused, and the timeouts."""

import dataclasses
import hashlib
import time
from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import Place
from mig_fleet.toolchain.download import Downloads
from mig_fleet.toolchain.errors import DownloadFailed
from tests.toolchain.conftest import ON_DEMAND, VERSION_OUTPUT, Computer, Publisher, address


@pytest.fixture
def machine(computer: Computer, publisher: Publisher) -> Computer:
    """Downloads are tried first; a build is possible after them."""
    computer.has_go()
    return computer


def outcome(machine: Computer, family: toolchain.Family) -> toolchain.Tool:
    return next(iter(toolchain.ensure([family], environment=machine.environment)))


def pinned(family: toolchain.Family, sha256: str) -> toolchain.Family:
    """The family with a sum of its file in ``pins.toml``."""
    return dataclasses.replace(
        family, artifacts=tuple(dataclasses.replace(each, sha256=sha256) for each in family.artifacts)
    )


def test_a_verified_archive_is_unpacked_and_runs(
    machine: Computer, publisher: Publisher, etcd: toolchain.Family
) -> None:
    publisher.publishes(etcd)
    tool = outcome(machine, etcd)
    assert tool.place == Place.DOWNLOAD
    assert tool.path is not None
    assert sorted(file.name for file in tool.path.parent.iterdir()) == ["etcd"], "only the tool is extracted"
    assert publisher.requests == [address(etcd.artifacts[0].sums), address(etcd.artifacts[0].url)]


def test_no_sources_are_downloaded_for_tools_that_can_be_downloaded(machine: Computer, publisher: Publisher) -> None:
    for family in toolchain.default():
        publisher.publishes(family)
    toolchain.ensure(environment=machine.environment)
    assert machine.sources == set()


def test_bare_binaries_are_fetched_one_by_one_each_with_its_own_checksum(
    machine: Computer, publisher: Publisher
) -> None:
    kube = toolchain.family("kube")
    publisher.publishes(kube)
    found = toolchain.ensure([kube], environment=machine.environment)
    assert {tool.place for tool in found} == {Place.DOWNLOAD}
    assert len(publisher.requests) == 6


def test_the_official_language_host_comes_with_the_official_engine(machine: Computer, publisher: Publisher) -> None:
    engine = toolchain.family("engine")
    publisher.publishes(engine, extra=engine.artifacts[0].companions)
    path = outcome(machine, engine).path
    assert path is not None
    assert {file.name for file in path.parent.iterdir()} == {"pulumi", *engine.artifacts[0].companions}


def test_after_404_the_tool_is_built(machine: Computer, publisher: Publisher, etcd: toolchain.Family) -> None:
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "returns 404" in tool.skipped[-1]


def test_a_wrong_checksum_keeps_nothing(machine: Computer, publisher: Publisher, etcd: toolchain.Family) -> None:
    publisher.publishes(etcd)
    publisher.files[publisher.address_of(etcd)] += b"tampered"
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "its publisher lists" in tool.skipped[-1]
    assert machine.unfinished() == []


def test_a_file_must_match_the_pinned_sum_as_well_as_the_publishers_list(
    machine: Computer, publisher: Publisher, etcd: toolchain.Family
) -> None:
    publisher.publishes(etcd)
    published = hashlib.sha256(publisher.files[publisher.address_of(etcd)]).hexdigest()
    assert outcome(machine, pinned(etcd, published)).place == Place.DOWNLOAD


def test_a_file_that_was_replaced_together_with_its_list_is_not_downloaded(
    machine: Computer, publisher: Publisher, etcd: toolchain.Family
) -> None:
    publisher.publishes(etcd)
    tool = outcome(machine, pinned(etcd, "0" * 64))
    assert tool.place == Place.BUILD
    assert "pins.toml has 000000000000…: the file was replaced at its publisher" in tool.skipped[-1]
    assert publisher.address_of(etcd) not in publisher.requests


def test_a_file_that_is_not_in_the_checksum_list_is_not_downloaded(
    machine: Computer, publisher: Publisher, etcd: toolchain.Family
) -> None:
    publisher.publishes(etcd)
    publisher.files[address(etcd.artifacts[0].sums)] = b"00  something-else.tar.gz\n11  another.tar.gz\n"
    assert "has no SHA-256 for" in outcome(machine, etcd).skipped[-1]
    assert publisher.address_of(etcd) not in publisher.requests


def test_an_interrupted_download_keeps_nothing(machine: Computer, publisher: Publisher, etcd: toolchain.Family) -> None:
    publisher.publishes(etcd)
    publisher.interrupted.add(publisher.address_of(etcd))
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "was interrupted after" in tool.skipped[-1]
    assert machine.unfinished() == []


def test_a_server_that_does_not_answer_is_tried_once(
    machine: Computer, publisher: Publisher, etcd: toolchain.Family, short_timeouts: None
) -> None:
    publisher.publishes(etcd)
    publisher.hanging.add(address(etcd.artifacts[0].sums))
    began = time.monotonic()
    found = toolchain.ensure([etcd, toolchain.family("provider")], environment=machine.environment)
    assert {tool.place for tool in found} == {Place.BUILD}
    assert len(publisher.requests) == 1, "both families have the same host: one timeout"
    assert all("cannot be reached (no answer)" in tool.skipped[-1] for tool in found)
    assert time.monotonic() - began < 20, "seconds, not minutes"


def test_an_unreachable_host_is_reported_at_once(
    machine: Computer, etcd: toolchain.Family, publisher: Publisher
) -> None:
    machine.variables["MIG_FLEET_MIRROR"] = "http://127.0.0.1:1"
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "127.0.0.1:1 cannot be reached" in tool.skipped[-1]


def test_a_name_resolution_without_an_answer_times_out(
    machine: Computer,
    etcd: toolchain.Family,
    publisher: Publisher,
    short_timeouts: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved = []

    def never_resolves(*_: object, **__: object) -> None:
        resolved.append(1)
        publisher.stopping.wait(10)

    monkeypatch.setattr("socket.getaddrinfo", never_resolves)
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD and resolved == [1]


def test_an_archive_without_the_tool_is_refused(
    machine: Computer, publisher: Publisher, etcd: toolchain.Family
) -> None:
    publisher.publishes(etcd)
    junk = b"this is no archive"
    publisher.files[publisher.address_of(etcd)] = junk
    name = publisher.address_of(etcd).rpartition("/")[2]
    publisher.files[address(etcd.artifacts[0].sums)] = f"{hashlib.sha256(junk).hexdigest()}  {name}\n".encode()
    assert "cannot be unpacked" in outcome(machine, etcd).skipped[-1]


def test_with_downloads_disabled_no_request_is_sent(
    machine: Computer, publisher: Publisher, etcd: toolchain.Family
) -> None:
    publisher.publishes(etcd)
    machine.variables["MIG_FLEET_DOWNLOAD"] = "off"
    assert outcome(machine, etcd).place == Place.BUILD
    assert publisher.requests == []


def test_a_tool_without_a_publisher_is_built(machine: Computer, publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="no archive for this machine"):
        Downloads().get(toolchain.family("mig-parted"), tmp_path)


def test_every_default_family_names_a_publisher_and_a_checksum_for_this_machine(
    publisher: Publisher, machine: Computer
) -> None:
    for family in toolchain.default():
        publisher.publishes(family)
    found = toolchain.ensure(environment=machine.environment)
    assert {tool.place for tool in found} == {Place.DOWNLOAD}
    assert {tool.name for tool in found} == VERSION_OUTPUT.keys() - set(ON_DEMAND)
