"""Official downloads against a publisher on loopback: what is kept, what is refused, how soon it is given up."""

import hashlib
import time

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import Place
from mig_fleet.toolchain.download import Downloads
from mig_fleet.toolchain.errors import DownloadFailed
from tests.toolchain.conftest import FOR_TESTS, SAYS, Computer, Publisher, address


@pytest.fixture
def machine(computer: Computer, publisher: Publisher) -> Computer:
    """Downloads are tried first; a build is there to fall back on."""
    computer.has_go()
    return computer


def outcome(machine: Computer, family: toolchain.Family) -> toolchain.Tool:
    return next(iter(toolchain.ensure([family], around=machine.around)))


def test_a_verified_archive_is_unpacked_and_runs(machine, publisher, etcd):
    publisher.publishes(etcd)
    tool = outcome(machine, etcd)
    assert tool.place == Place.DOWNLOAD
    assert sorted(file.name for file in tool.path.parent.iterdir()) == ["etcd"], "only what we want is taken"
    assert publisher.asked == [address(etcd.artifacts[0].sums), address(etcd.artifacts[0].url)]


def test_bare_binaries_are_fetched_one_by_one_each_with_its_own_checksum(machine, publisher):
    kube = toolchain.family("kube")
    publisher.publishes(kube)
    found = toolchain.ensure([kube], around=machine.around)
    assert {tool.place for tool in found} == {Place.DOWNLOAD}
    assert len(publisher.asked) == 6


def test_the_official_language_host_comes_with_the_official_engine(machine, publisher):
    engine = toolchain.family("engine")
    publisher.publishes(engine, extra=engine.artifacts[0].companions)
    folder = outcome(machine, engine).path.parent
    assert {file.name for file in folder.iterdir()} == {"pulumi", *engine.artifacts[0].companions}


def test_404_moves_on_to_the_build(machine, publisher, etcd):
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "answers 404" in tool.passed_over[-1]


def test_a_wrong_checksum_keeps_nothing(machine, publisher, etcd):
    publisher.publishes(etcd)
    publisher.files[publisher.address_of(etcd)] += b"tampered"
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "its publisher says" in tool.passed_over[-1]
    assert machine.unfinished() == []


def test_a_file_that_the_checksum_list_does_not_have_is_not_even_fetched(machine, publisher, etcd):
    publisher.publishes(etcd)
    publisher.files[address(etcd.artifacts[0].sums)] = b"00  something-else.tar.gz\n11  another.tar.gz\n"
    assert "has no SHA-256 for" in outcome(machine, etcd).passed_over[-1]
    assert publisher.address_of(etcd) not in publisher.asked


def test_a_connection_cut_half_way_keeps_nothing(machine, publisher, etcd):
    publisher.publishes(etcd)
    publisher.cut.add(publisher.address_of(etcd))
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "broke off after" in tool.passed_over[-1]
    assert machine.unfinished() == []


def test_a_server_that_hangs_is_given_up_soon_and_not_asked_again(machine, publisher, etcd, in_a_hurry):
    publisher.publishes(etcd)
    publisher.hanging.add(address(etcd.artifacts[0].sums))
    began = time.monotonic()
    found = toolchain.ensure([etcd, toolchain.family("provider")], around=machine.around)
    assert {tool.place for tool in found} == {Place.BUILD}
    assert len(publisher.asked) == 1, "both families have the same host: one timeout is enough"
    assert all("cannot be reached (no answer)" in tool.passed_over[-1] for tool in found)
    assert time.monotonic() - began < 20, "seconds, not minutes"


def test_an_unreachable_host_is_given_up_at_once(machine, etcd, publisher):
    machine.variables["MIG_FLEET_MIRROR"] = "http://127.0.0.1:1"
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD
    assert "127.0.0.1:1 cannot be reached" in tool.passed_over[-1]


def test_a_name_look_up_without_an_answer_is_given_up(machine, etcd, publisher, in_a_hurry, monkeypatch):
    asked = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: (asked.append(1), publisher.over.wait(10)))
    tool = outcome(machine, etcd)
    assert tool.place == Place.BUILD and asked == [1]


def test_an_archive_without_the_tool_is_refused(machine, publisher, etcd):
    publisher.publishes(etcd)
    junk = b"this is no archive"
    publisher.files[publisher.address_of(etcd)] = junk
    name = publisher.address_of(etcd).rpartition("/")[2]
    publisher.files[address(etcd.artifacts[0].sums)] = f"{hashlib.sha256(junk).hexdigest()}  {name}\n".encode()
    assert "cannot be unpacked" in outcome(machine, etcd).passed_over[-1]


def test_switched_off_means_that_nobody_is_asked(machine, publisher, etcd):
    publisher.publishes(etcd)
    machine.variables["MIG_FLEET_DOWNLOAD"] = "off"
    assert outcome(machine, etcd).place == Place.BUILD
    assert publisher.asked == []


def test_a_tool_without_a_publisher_is_built(machine, publisher, tmp_path):
    with pytest.raises(DownloadFailed, match="no archive for this machine"):
        Downloads().get(toolchain.family("mig-parted"), tmp_path)


def test_every_default_family_names_a_publisher_and_a_checksum_for_this_machine(publisher, machine):
    for family in toolchain.default():
        publisher.publishes(family)
    found = toolchain.ensure(around=machine.around)
    assert {tool.place for tool in found} == {Place.DOWNLOAD}
    assert {tool.name for tool in found} == SAYS.keys() - set(FOR_TESTS)
