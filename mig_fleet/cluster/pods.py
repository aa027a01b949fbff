"""Requests for pods: list them, evict or delete the one that was looked at, run a command in one."""

import contextlib
from collections.abc import Mapping

from mig_fleet.cluster.connection import Json, Request, error_of
from mig_fleet.cluster.errors import ClusterError, Conflict, NotFound, TooManyRequests
from mig_fleet.cluster.objects import Objects
from mig_fleet.cluster.reasons import request_reason
from mig_fleet.cluster.timeouts import call_within
from mig_fleet.foreign_text import printable

EXEC_TIMEOUT_S = 20
"""Seconds for a command in a pod, from the first byte to the last."""


class Pods(Objects):
    """The pods of a cluster, and the budgets that protect them."""

    def pods(self) -> list[Json]:
        """Every pod that has not ended, in all namespaces, in one LIST."""
        query = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
        items: list[Json] = self.get("/api/v1/pods", query)["items"]
        return items

    def pods_on(self, node: str) -> list[Json]:
        """Every pod bound to a node, in all namespaces."""
        query = {"fieldSelector": f"spec.nodeName={node}"}
        items: list[Json] = self.get("/api/v1/pods", query)["items"]
        return items

    def pods_in(self, namespace: str, label_selector: str) -> list[Json]:
        """The pods of a namespace with these labels."""
        items: list[Json] = self.get(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": label_selector})["items"]
        return items

    def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """Delete a pod that its DaemonSet replaces; one that is gone, or replaced by another of its name, is not an
        error.
        """
        with contextlib.suppress(NotFound, Conflict):
            self.call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", body=_options(uid))

    def evict(self, namespace: str, name: str, uid: str) -> str | None:
        """Request a pod's eviction; ``None`` if it is accepted, or if the pod is missing.

        Otherwise a disruption budget refuses it now: returns the sentences that name the budget, or an empty text if
        the API server names none. Raises :class:`Conflict` if another pod has the name by now.
        """
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        try:
            self.call("POST", path, body={**body, "deleteOptions": _options(uid)}, tries=1)
        except TooManyRequests as exc:
            return "; ".join(exc.causes)
        except NotFound:
            return None
        return None

    def disruption_budgets(self, namespace: str) -> list[Json]:
        """The PodDisruptionBudgets of a namespace."""
        items: list[Json] = self.get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets")["items"]
        return items

    def annotate_pod(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Merge annotations into a pod's; the kubelet then synchronises the pod at once, volumes included."""
        self.merge(f"/api/v1/namespaces/{namespace}/pods/{name}", {"metadata": {"annotations": dict(annotations)}})

    def last_log_line(self, namespace: str, pod: str) -> str:
        """The last line of a pod's log; empty if it has none."""
        lines = self.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", {"tailLines": "1"}).strip().splitlines()
        return printable(lines[-1]) if lines else ""

    def execute(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """Run a command in a pod's first container; returns its exit status and output.

        Raises :class:`~mig_fleet.cluster.errors.Forbidden` without the right to it, and :class:`ClusterError` if it
        times out, is interrupted, or the pod lacks the program.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError
        from websocket import WebSocketBadStatusException, WebSocketException

        try:
            return call_within(EXEC_TIMEOUT_S, lambda: self._exec(namespace, pod, command), after_interrupt_s=0)
        except TimeoutError:
            text = f"{command[0]} in pod {namespace}/{pod} gave no answer within {EXEC_TIMEOUT_S} s"
            raise ClusterError(text) from None
        except (ApiException, HTTPError, WebSocketException, OSError, ValueError, TypeError, LookupError) as exc:
            refused = exc.__context__  # the library replaces the error, and its text has every header of the answer
            if isinstance(refused, WebSocketBadStatusException) and refused.status_code in (401, 403):
                request = Request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/exec")
                raise error_of(request, refused.status_code, self._quotable(refused.resp_body or b"")) from None
            reason = request_reason(exc, self._session.secrets())
            raise ClusterError(f"{command[0]} could not be run in pod {namespace}/{pod}: {reason}") from None

    def _exec(self, namespace: str, pod: str, command: list[str]) -> tuple[int, str]:
        """The library opens a WebSocket without a timeout (kubernetes 37, ws_client.create_websocket)."""
        from kubernetes import client
        from kubernetes.stream import stream

        # A client of its own: the library replaces the client's transport by a WebSocket during the call.
        api = client.CoreV1Api(client.ApiClient(self.settings))
        options = {"command": command, "stderr": True, "stdin": False, "stdout": True, "tty": False}
        session = stream(api.connect_get_namespaced_pod_exec, pod, namespace, **options, _preload_content=False)
        try:
            session.run_forever(timeout=EXEC_TIMEOUT_S)
            if session.returncode is None:
                raise TimeoutError
            return int(session.returncode), f"{session.read_stdout()}{session.read_stderr()}".strip()
        finally:
            session.close()
            # If the server closed the WebSocket first, `close` leaves its TCP socket open (websocket-client 1.9).
            session.sock.shutdown()


def _options(uid: str) -> Json:
    """Act only on the pod with this uid: otherwise the API server answers 409."""
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
