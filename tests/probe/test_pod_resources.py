"""Which pod has which slice: the kubelet is asked by gRPC, and whatever it answers leaves the report whole."""

import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mig_fleet.model.allocation import Allocation, sort_allocations
from mig_fleet.probe import pod_resources, protobuf
from mig_fleet.probe.device_ids import DeviceIds
from mig_fleet.probe.pod_resources import Kubelet
from tests.probe.conftest import ROOT
from tests.probe.kubelet_api import CLASSES, answer

GPU = "GPU-0b1ea0a1-6d1c-5b0e-8a43-0a7d8ad0a9c5"
SLICE, PART = "MIG-3f1b9a1e-0c5f-5f7e-9d3a-0123456789ab", "MIG-4f1b9a1e-0c5f-5f7e-9d3a-0123456789ab"
OLD_SLICE = f"MIG-{GPU}/3/0"
DEVICES = DeviceIds({GPU: (1, None, None), SLICE: (0, 9, 0), PART: (0, 2, 1), OLD_SLICE: (1, 3, 0)})
SLICES = "nvidia.com/mig-1g.10gb"

Serve = Callable[..., Kubelet]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the path of a Unix socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="mig-") as name:
        yield Path(name)


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Starts gRPC's own server, which answers with some bytes."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(body: bytes = b"", mode: str = "answer") -> Kubelet:
        command = [sys.executable, "-m", "tests.probe.kubelet_server", str(folder / pod_resources.SOCKET), mode]
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        servers.append(server)
        assert server.stdin is not None and server.stdout is not None
        with server.stdin:
            server.stdin.write(body)
        assert server.stdout.readline() == b"ready\n"
        return Kubelet(folder)

    yield start
    for server in servers:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def test_grpcs_own_server_is_asked_and_each_device_is_found(serve: Serve) -> None:
    kubelet = serve(
        answer(
            {
                "team-a/train-0": {SLICES: [SLICE], "example.com/other": ["x"]},
                "team-b/no-gpu": None,
                "team-b/infer": {"nvidia.com/gpu": [GPU], "nvidia.com/mig-1c.2g.20gb": [PART]},
            }
        )
    )
    assert kubelet.allocations(DEVICES) == (
        (
            Allocation("team-b", "infer", "nvidia.com/mig-1c.2g.20gb", 0, 2, 1),
            Allocation("team-a", "train-0", SLICES, 0, 9, 0),
            Allocation("team-b", "infer", "nvidia.com/gpu", 1, None, None),
        ),
        "",
    )
    assert kubelet.allocations(DEVICES) == kubelet.allocations(DEVICES), "it can be asked again"


def test_an_answer_of_many_pods_needs_more_than_one_window_of_http_2(serve: Serve) -> None:
    pods = {f"default/pod-{number:04}": {SLICES: [SLICE]} for number in range(900)}
    body = answer({**pods, **{f"default/other-{number}": {"example.com/x": ["y" * 3000]} for number in range(900)}})
    found, error = serve(body).allocations(DEVICES)
    assert (len(body) > 2**20, error, len(found or ())) == (True, "", 900)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("unimplemented", "gRPC status 12: "),
        ("busy", "gRPC status 8: rejected by rate limit…"),
        ("silent", "no answer within 0.3 s"),
        ("long", "the answer is longer than 4194304 bytes"),
    ],
)
def test_a_kubelet_that_gives_no_list_is_a_sentence(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str, why: str
) -> None:
    if mode == "silent":
        monkeypatch.setattr(pod_resources, "TIMEOUT_S", 0.3)
    found, error = serve(mode=mode).allocations(DEVICES)
    assert found is None
    assert error.startswith(f"the kubelet did not answer on {folder}/kubelet.sock: {why}")


def test_no_socket_and_no_listener_are_sentences(folder: Path) -> None:
    kubelet = Kubelet(folder)
    path = folder / "kubelet.sock"
    assert kubelet.allocations(DEVICES) == (
        None,
        f"the kubelet did not answer on {path}: No such file or directory",
    )
    with socket.socket(socket.AF_UNIX) as unused:
        unused.bind(str(path))
    assert kubelet.allocations(DEVICES) == (None, f"the kubelet did not answer on {path}: Connection refused")
    long = Kubelet(folder / ("x" * 200)).allocations(DEVICES)
    assert long[0] is None and long[1].endswith("AF_UNIX path too long")


def test_without_the_mig_devices_of_nvml_the_kubelet_is_not_asked(folder: Path) -> None:
    assert Kubelet(folder).allocations(DeviceIds({}, "nvmlDeviceGetUUID: Unknown Error")) == (
        None,
        "NVML did not list the MIG devices: nvmlDeviceGetUUID: Unknown Error",
    )


@contextmanager
def sending(path: Path, *chunks: bytes) -> Iterator[None]:
    """A server that sends these bytes, whatever it is asked, and reads until its client ends."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def run() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                for chunk in chunks:
                    connection.sendall(chunk)
                connection.shutdown(socket.SHUT_WR)
                deque(iter(lambda: connection.recv(65536), b""), maxlen=0)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            thread.join()
            path.unlink()


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_garbage_on_the_socket_is_a_sentence(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="mig-") as name, sending(Path(name) / "kubelet.sock", *chunks):
        found, error = Kubelet(Path(name)).allocations(DEVICES)
    assert found is None
    assert error.startswith("the kubelet did not answer on ") and "\n" not in error


HEADERS = {
    "of a web server": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the connection was closed without an answer"),
    "of HTTP/2 that ends": (bytes.fromhex("000000040000000000"), "the connection was closed without an answer"),
    "that resets the call": (
        bytes.fromhex("000000040000000000" + "0000040300" + "00000001" + "0000000b"),
        "the call was ended with HTTP/2 error 11",
    ),
    "that ends the connection": (
        bytes.fromhex("000000040000000000" + "0000080700" + "00000000" + "00000000" + "0000000d"),
        "the call was ended with HTTP/2 error 13",
    ),
    "with HTTP status 404 and nothing else": (
        bytes.fromhex("000000040000000000" + "0000010105" + "00000001" + "8d"),
        "the answer is not gRPC: HTTP status 404 without a gRPC status",
    ),
}


@pytest.mark.parametrize(("chunk", "why"), HEADERS.values(), ids=HEADERS)
def test_another_servers_answer_is_a_sentence(folder: Path, chunk: bytes, why: str) -> None:
    with sending(folder / "kubelet.sock", chunk):
        found, error = Kubelet(folder).allocations(DEVICES)
    assert found is None
    assert why in error


@pytest.mark.parametrize(
    ("device_id", "expected"),
    [
        (SLICE, (0, 9, 0)),
        (f"{SLICE}::3", (0, 9, 0)),
        (GPU, (1, None, None)),
        (f"{GPU}::0", (1, None, None)),
        (OLD_SLICE, (1, 3, 0)),
        (f"{OLD_SLICE}::1", (1, 3, 0)),
        ("MIG-00000000-0000-5000-8000-000000000000", (None, None, None)),
        ("nvidia0", (None, None, None)),
        ("", (None, None, None)),
    ],
    ids=[
        "a slice",
        "a replica of a slice",
        "a GPU",
        "a replica of a GPU",
        "a slice with a driver before R470",
        "a replica of it",
        "a slice that is gone",
        "another device plugin's GPU",
        "no ID",
    ],
)
def test_each_form_of_a_device_id_is_found(device_id: str, expected: tuple[int | None, ...]) -> None:
    (found,) = pod_resources.decode(answer({"default/p": {SLICES: [device_id]}}), DEVICES)
    assert (found.gpu, found.gpu_instance_id, found.compute_instance_id) == expected


def test_only_resources_with_gpus_count() -> None:
    groups = {name: [SLICE] for name in ("nvidia.com/gpu", "nvidia.com/gpu.shared", SLICES, "nvidia.com/pgpu", "x.y/z")}
    found = pod_resources.decode(answer({"default/p": groups}), DEVICES)
    assert [each.resource for each in found] == ["nvidia.com/gpu", "nvidia.com/gpu.shared", SLICES]


def test_a_list_that_no_report_can_hold_is_refused() -> None:
    most = answer({"default/p": {SLICES: [SLICE] * pod_resources.MAX_ALLOCATIONS}})
    assert len(pod_resources.decode(most, DEVICES)) == pod_resources.MAX_ALLOCATIONS
    with pytest.raises(protobuf.InvalidMessage, match="it lists more than 1000 GPU devices"):
        pod_resources.decode(most + answer({"default/q": {SLICES: [SLICE]}}), DEVICES)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x0a\x05abc", "field 1 is longer than its message"),
        (b"\x08\x01", "field 1 must not be a number"),
        (b"\x02\x00", "a field has the number 0"),
        (b"\x0b", "field 1 has the unknown wire type 3"),
        (b"\xff" * 11, "a number does not end"),
        (b"\x80", "a number does not end"),
        (b"\x0a\x03\x0a\x01\xff", "field 1 is not UTF-8"),
        (answer({"default/\n": {SLICES: [SLICE]}}), "'\\n' is not a name"),
        (answer({"default/" + "x" * 254: {SLICES: [SLICE]}}), "is not a name"),
    ],
)
def test_a_message_that_is_no_list_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(protobuf.InvalidMessage) as refused:
        pod_resources.decode(body, DEVICES)
    assert why in str(refused.value)


def test_fields_of_newer_kubelets_are_skipped() -> None:
    newer = b"\x50\x07" + b"\x59" + bytes(8) + b"\x5d" + bytes(4) + b"\x62\x02hi"
    assert pod_resources.decode(newer + answer({"default/p": {SLICES: [SLICE]}}) + newer, DEVICES)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_its_own_error(body: bytes) -> None:
    with suppress(protobuf.InvalidMessage):
        pod_resources.decode(body, DEVICES)


@given(st.data())
def test_a_damaged_list_is_a_list_or_its_own_error(data: st.DataObject) -> None:
    body = bytearray(answer({"team/a": {SLICES: [SLICE, GPU], "nvidia.com/gpu": []}, "team/b": None}))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(protobuf.InvalidMessage):
        pod_resources.decode(bytes(body), DEVICES)


NAMES = st.text("abc-.9", min_size=1, max_size=5).map(lambda text: f"x{text}")
LISTS: st.SearchStrategy[Any] = st.dictionaries(
    st.builds("{}/{}".format, NAMES, NAMES),
    st.none() | st.dictionaries(st.sampled_from([SLICES, "nvidia.com/gpu", "x.y/z"]), st.lists(st.text(max_size=5))),
    max_size=4,
)


@given(LISTS)
def test_the_list_is_read_as_googles_runtime_reads_it(pods: dict[str, dict[str, list[str]] | None]) -> None:
    message = CLASSES["ListPodResourcesResponse"].FromString(answer(pods))
    expected = [
        Allocation(pod.namespace, pod.name, group.resource_name, None, None, None)
        for pod in message.pod_resources
        for container in pod.containers
        for group in container.devices
        if group.resource_name != "x.y/z"
        for _ in group.device_ids
    ]
    assert pod_resources.decode(answer(pods), DEVICES) == sort_allocations(expected)
