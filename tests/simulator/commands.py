"""Running a command in a pod with the Kubernetes client library, as `kubectl exec` does."""

from kubernetes import client
from kubernetes.stream import stream

from tests.simulator.site import NAMESPACE

TIMEOUT_S = 10


def execute(core: "client.CoreV1Api", pod: str, *words: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command in a pod of the GPU Operator's namespace."""
    session = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        NAMESPACE,
        command=list(words),
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    try:
        session.run_forever(timeout=TIMEOUT_S)
        return session.returncode, session.read_stdout(), session.read_stderr()
    finally:
        session.close()
        # If the server closed the WebSocket first, `close` leaves its TCP socket open (websocket-client 1.9).
        session.sock.shutdown()
