"""Pods on simulated nodes, driven by the real controllers of the real control plane."""

import base64
import time
from pathlib import Path

import pytest

from mig_fleet.simulator import Fault
from mig_fleet.simulator.api import Json
from tests.simulator.site import Site, deployment, template

pytestmark = pytest.mark.engine

DEFAULT = "/api/v1/namespaces/default"

PROBE = """
import os, pathlib, ssl, sys, time, urllib.request
import pynvml
credentials = pathlib.Path(os.environ["MIG_PROBE_CREDENTIALS"])
server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
tls = ssl.create_default_context(cafile=credentials / "ca.crt")
def ask(path):
    headers = {"Authorization": "Bearer " + (credentials / "token").read_text()}
    try:
        return urllib.request.urlopen(urllib.request.Request(server + path, headers=headers), context=tls).status
    except urllib.error.HTTPError as exc:
        return exc.code
print("node", os.environ["NODE_NAME"], "namespace", (credentials / "namespace").read_text())
print("may", ask("/api/v1/namespaces/default/configmaps"), ask("/api/v1/nodes"))
pynvml.nvmlInit()
try:
    pynvml.nvmlDeviceGetHandleByIndex(0)
    print("gpus", pynvml.nvmlDeviceGetCount())
except pynvml.NVMLError as exc:
    print("nvml", exc)
print("file", (pathlib.Path(sys.argv[0]).parent / "note.txt").read_text(), flush=True)
pathlib.Path("now").touch()
print("clock off by", round((time.time() - pathlib.Path("now").stat().st_mtime) / 3600), "h", flush=True)
sys.exit(int(sys.argv[1]))
"""


def job(name: str, annotations: dict[str, str] | None = None, policy: str = "OnFailure") -> Json:
    pod = template(name)
    pod["metadata"]["annotations"] = annotations or {}
    pod["spec"]["restartPolicy"] = policy
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": pod, "backoffLimit": 0},
    }


def conditions(site: Site, path: str) -> dict[str, str]:
    found = site.fleet.call("get", path)["status"].get("conditions") or []
    return {condition["type"]: condition["status"] for condition in found}


def pod_log(site: Site, name: str) -> str:
    found = list((site.fleet.directory / "nodes").glob(f"*/logs/{name}.log"))
    return found[0].read_text() if found else ""


def probe(name: str, exit_code: int, config_map: str = "program") -> Json:
    """A pod whose program is really run, with its ConfigMap and the rights of its service account."""
    pod: Json = {"apiVersion": "v1", "kind": "Pod", **template(name)}
    pod["metadata"] |= {"name": name, "labels": {"app": name, "app.kubernetes.io/name": "mig-probe"}}
    pod["spec"] |= {
        "nodeName": "hopper-1",
        "serviceAccountName": "default",
        "volumes": [{"name": "program", "configMap": {"name": config_map}}],
    }
    pod["spec"]["containers"][0] |= {
        "command": ["python", "-I", "/opt/program/probe.py", str(exit_code)],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "volumeMounts": [{"name": "program", "mountPath": "/opt/program"}],
    }
    return pod


def program(note: str = "first", name: str = "program") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"note.txt": note},
        "binaryData": {"probe.py": base64.b64encode(PROBE.encode()).decode()},
    }


def test_a_deployment_becomes_available_and_rolls(site: Site) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    site.create(path, deployment("web", replicas=3))
    site.eventually(lambda: conditions(site, f"{path}/web").get("Available") == "True", "it is available")
    before = {pod["metadata"]["uid"] for pod in site.pods("web", namespace="default")}
    assert len({pod["status"]["podIP"] for pod in site.pods("web", namespace="default")}) == 3
    stamp = {"spec": {"template": {"metadata": {"annotations": {"restarted": "yes"}}}}}
    site.fleet.call("patch", f"{path}/web", stamp)

    def rolled() -> bool:
        pods = site.pods("web", namespace="default")
        return len(pods) == 3 and not before & {pod["metadata"]["uid"] for pod in pods}

    site.eventually(rolled, "every pod is a new one")
    site.fleet.call("delete", f"{path}/web", {"propagationPolicy": "Foreground"})
    site.eventually(lambda: not site.pods("web", namespace="default"), "all pods are gone")


def test_a_job_completes_and_one_that_is_told_to_fail_fails(site: Site) -> None:
    path = "/apis/batch/v1/namespaces/default/jobs"
    site.create(path, job("hook"))
    site.create(path, job("broken", {"simulator.mig-fleet.dev/exit-code": "3"}, policy="Never"))
    site.eventually(lambda: conditions(site, f"{path}/hook").get("Complete") == "True", "it completed")
    site.eventually(lambda: conditions(site, f"{path}/broken").get("Failed") == "True", "it failed")
    for name in ("hook", "broken"):
        site.fleet.call("delete", f"{path}/{name}", {"propagationPolicy": "Background"})
    site.eventually(lambda: not site.pods("hook", namespace="default"), "its pod went along")


def test_a_pod_that_asks_for_more_slices_than_there_are_stays_pending_with_a_reason(site: Site) -> None:
    pod: Json = {"apiVersion": "v1", "kind": "Pod", **template("greedy")}
    pod["metadata"]["name"] = "greedy"
    pod["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 3}}
    site.create(f"{DEFAULT}/pods", pod)

    def reason() -> str:
        found = site.fleet.call("get", f"{DEFAULT}/pods/greedy")["status"].get("conditions") or [{}]
        return str(found[0].get("message", ""))

    site.eventually(lambda: "Insufficient nvidia.com/gpu" in reason(), "the scheduler says why")
    site.fleet.call("delete", f"{DEFAULT}/pods/greedy")


def test_a_pod_waits_for_its_config_map_and_then_runs_for_real(site: Site) -> None:
    site.create(f"{DEFAULT}/pods", probe("waiting", 0, config_map="late"))
    site.eventually(
        lambda: "late" in str(site.pods("waiting", namespace="default")[0]["status"].get("containerStatuses")),
        "it says what it waits for",
    )
    site.create(f"{DEFAULT}/configmaps", program(name="late"))
    site.eventually(lambda: "clock" in pod_log(site, "waiting"), "its program ran")
    assert pod_log(site, "waiting").splitlines()[:5] == [
        "node hopper-1 namespace default",
        "may 403 403",
        "gpus 2",
        "file first",
        "clock off by 0 h",
    ]
    site.fleet.call("delete", f"{DEFAULT}/pods/waiting")


def test_a_program_that_fails_is_restarted_and_sees_changed_files_rights_and_gpus(site: Site) -> None:
    site.create(f"{DEFAULT}/configmaps", program("first"))
    site.create(f"{DEFAULT}/pods", probe("restless", 1))
    site.eventually(lambda: "file first" in pod_log(site, "restless"), "its program ran")
    rights = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
    site.create(
        rights,
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "readers"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        },
    )
    site.fleet.inject("hopper-1", Fault.PROBE_NVML_ERROR)
    site.fleet.call("patch", f"{DEFAULT}/configmaps/program", {"data": {"note.txt": "second"}})
    site.eventually(lambda: "file second" in pod_log(site, "restless"), "it saw the changed file")
    site.eventually(lambda: "may 200 403" in pod_log(site, "restless"), "it may read ConfigMaps now, and no nodes")
    site.eventually(lambda: "nvml GPU is lost" in pod_log(site, "restless"), "the fault reached the library")
    status = site.pods("restless", namespace="default")[0]["status"]["containerStatuses"][0]
    assert status["restartCount"] >= 1
    site.fleet.call("delete", f"{DEFAULT}/pods/restless")
    site.fleet.call("delete", f"{rights}/readers")
    site.eventually(lambda: not site.pods("restless", namespace="default"), "the pod is gone")
    assert not (site.fleet.directory / "nodes/hopper-1/pods").exists() or not list(
        (site.fleet.directory / "nodes/hopper-1/pods").iterdir()
    ), "its files went along"


@pytest.mark.parametrize(("fault", "hours"), [(Fault.CLOCK_AHEAD, 1), (Fault.CLOCK_BEHIND, -1)])
def test_a_wrong_clock_is_wrong_for_the_programs_of_its_node(site: Site, fault: Fault, hours: int) -> None:
    name = f"clock-{hours}"
    site.fleet.inject("hopper-1", fault)
    site.create(f"{DEFAULT}/configmaps", program(name=name))
    site.create(f"{DEFAULT}/pods", probe(name, 1, config_map=name))
    site.eventually(lambda: f"clock off by {hours} h" in pod_log(site, name), "it sees the wrong time")
    assert "may 403 403" in pod_log(site, name), "an hour breaks no certificate and no token"
    site.fleet.heal("hopper-1")
    site.eventually(lambda: "clock off by 0 h" in pod_log(site, name), "its next start sees the right one")
    site.fleet.call("delete", f"{DEFAULT}/pods/{name}")


def test_a_program_that_is_killed_whenever_it_starts_is_in_a_crash_loop(site: Site) -> None:
    site.fleet.inject("hopper-1", Fault.PROBE_DEAD)
    site.create(f"{DEFAULT}/configmaps", program(name="doomed"))
    site.create(f"{DEFAULT}/pods", probe("doomed", 1, config_map="doomed"))

    def waits_for() -> str:
        state = site.pods("doomed", namespace="default")[0]["status"].get("containerStatuses") or [{}]
        return str(state[0].get("state", {}).get("waiting", {}).get("reason", ""))

    site.eventually(lambda: waits_for() == "CrashLoopBackOff", "it is in a crash loop")
    assert "gpus" not in pod_log(site, "doomed"), "it got nothing done"
    site.fleet.heal("hopper-1")
    site.eventually(lambda: "gpus 2" in pod_log(site, "doomed"), "it runs")
    site.fleet.call("delete", f"{DEFAULT}/pods/doomed")


def test_logs_come_through_the_api_server(site: Site) -> None:
    manager = site.pods("nvidia-mig-manager", "hopper-2")[0]["metadata"]
    log = site.fleet.pod_log(manager["namespace"], manager["name"])
    assert "Updating to MIG config" in log


def test_an_idle_fleet_leaves_the_machine_alone(site: Site) -> None:
    """A machine with two cores has something else to do."""
    pid = site.fleet.status().pid

    def cpu_s() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    before = cpu_s()
    time.sleep(2)
    assert cpu_s() - before < 0.3
