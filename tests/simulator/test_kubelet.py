"""Pods on simulated nodes, with the real controllers of the real control plane."""

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
def get(path):
    headers = {"Authorization": "Bearer " + (credentials / "token").read_text()}
    try:
        return urllib.request.urlopen(urllib.request.Request(server + path, headers=headers), context=tls).status
    except urllib.error.HTTPError as exc:
        return exc.code
print("node", os.environ["NODE_NAME"], "namespace", (credentials / "namespace").read_text())
print("status", get("/api/v1/namespaces/default/configmaps"), get("/api/v1/nodes"))
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
    """A pod that runs :data:`PROBE` as a process, with its ConfigMap and the rights of its service account."""
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


def test_a_deployment_becomes_available_and_restarts_its_pods(site: Site) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    site.create(path, deployment("web", replicas=3))
    site.eventually(lambda: conditions(site, f"{path}/web").get("Available") == "True", "it is available")
    before = {pod["metadata"]["uid"] for pod in site.pods("web", namespace="default")}
    assert len({pod["status"]["podIP"] for pod in site.pods("web", namespace="default")}) == 3
    stamp = {"spec": {"template": {"metadata": {"annotations": {"restarted": "yes"}}}}}
    site.fleet.call("patch", f"{path}/web", stamp)

    def replaced() -> bool:
        pods = site.pods("web", namespace="default")
        return len(pods) == 3 and not before & {pod["metadata"]["uid"] for pod in pods}

    site.eventually(replaced, "every pod is new")
    site.fleet.call("delete", f"{path}/web", {"propagationPolicy": "Foreground"})
    site.eventually(lambda: not site.pods("web", namespace="default"), "all pods are deleted")


def test_a_job_completes_and_one_with_an_exit_code_fails(site: Site) -> None:
    path = "/apis/batch/v1/namespaces/default/jobs"
    site.create(path, job("hook"))
    site.create(path, job("broken", {"simulator.mig-fleet.dev/exit-code": "3"}, policy="Never"))
    site.eventually(lambda: conditions(site, f"{path}/hook").get("Complete") == "True", "the Job is complete")
    site.eventually(lambda: conditions(site, f"{path}/broken").get("Failed") == "True", "the Job has failed")
    for name in ("hook", "broken"):
        site.fleet.call("delete", f"{path}/{name}", {"propagationPolicy": "Background"})
    site.eventually(lambda: not site.pods("hook", namespace="default"), "its pod is deleted too")


def test_a_pod_that_requests_more_gpus_than_exist_stays_pending_with_a_reason(site: Site) -> None:
    pod: Json = {"apiVersion": "v1", "kind": "Pod", **template("too-large")}
    pod["metadata"]["name"] = "too-large"
    pod["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 3}}
    site.create(f"{DEFAULT}/pods", pod)

    def reason() -> str:
        found = site.fleet.call("get", f"{DEFAULT}/pods/too-large")["status"].get("conditions") or [{}]
        return str(found[0].get("message", ""))

    site.eventually(lambda: "Insufficient nvidia.com/gpu" in reason(), "the scheduler reports the reason")
    site.fleet.call("delete", f"{DEFAULT}/pods/too-large")


def test_a_pod_waits_for_its_config_map_and_then_runs_its_program(site: Site) -> None:
    site.create(f"{DEFAULT}/pods", probe("waiting", 0, config_map="late"))
    site.eventually(
        lambda: "late" in str(site.pods("waiting", namespace="default")[0]["status"].get("containerStatuses")),
        "its status names the missing ConfigMap",
    )
    site.create(f"{DEFAULT}/configmaps", program(name="late"))
    site.eventually(lambda: "clock" in pod_log(site, "waiting"), "its program has run")
    assert pod_log(site, "waiting").splitlines()[:5] == [
        "node hopper-1 namespace default",
        "status 403 403",
        "gpus 2",
        "file first",
        "clock off by 0 h",
    ]
    site.fleet.call("delete", f"{DEFAULT}/pods/waiting")


def test_a_program_that_fails_is_restarted_with_changed_files_rights_and_gpus(site: Site) -> None:
    site.create(f"{DEFAULT}/configmaps", program("first"))
    site.create(f"{DEFAULT}/pods", probe("restarting", 1))
    site.eventually(lambda: "file first" in pod_log(site, "restarting"), "its program has run")
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
    site.eventually(lambda: "file second" in pod_log(site, "restarting"), "it reads the changed file")
    site.eventually(lambda: "status 200 403" in pod_log(site, "restarting"), "it can read ConfigMaps now, and no nodes")
    site.eventually(lambda: "nvml GPU is lost" in pod_log(site, "restarting"), "the library returns the error")
    status = site.pods("restarting", namespace="default")[0]["status"]["containerStatuses"][0]
    assert status["restartCount"] >= 1
    site.fleet.call("delete", f"{DEFAULT}/pods/restarting")
    site.fleet.call("delete", f"{rights}/readers")
    site.eventually(lambda: not site.pods("restarting", namespace="default"), "the pod is deleted")
    assert not (site.fleet.directory / "nodes/hopper-1/pods").exists() or not list(
        (site.fleet.directory / "nodes/hopper-1/pods").iterdir()
    ), "its files are deleted too"


@pytest.mark.parametrize(("fault", "hours"), [(Fault.CLOCK_AHEAD, 1), (Fault.CLOCK_BEHIND, -1)])
def test_a_wrong_clock_is_wrong_for_the_programs_of_its_node(site: Site, fault: Fault, hours: int) -> None:
    name = f"clock-{hours}"
    site.fleet.inject("hopper-1", fault)
    site.create(f"{DEFAULT}/configmaps", program(name=name))
    site.create(f"{DEFAULT}/pods", probe(name, 1, config_map=name))
    site.eventually(lambda: f"clock off by {hours} h" in pod_log(site, name), "its clock is wrong")
    assert "status 403 403" in pod_log(site, name), "certificates and tokens are still valid"
    site.fleet.clear_faults("hopper-1")
    site.eventually(lambda: "clock off by 0 h" in pod_log(site, name), "after its next start the clock is right")
    site.fleet.call("delete", f"{DEFAULT}/pods/{name}")


def test_a_program_that_ends_at_each_start_is_in_a_crash_loop(site: Site) -> None:
    site.fleet.inject("hopper-1", Fault.PROBE_DEAD)
    site.create(f"{DEFAULT}/configmaps", program(name="crashing"))
    site.create(f"{DEFAULT}/pods", probe("crashing", 1, config_map="crashing"))

    def waiting_reason() -> str:
        state = site.pods("crashing", namespace="default")[0]["status"].get("containerStatuses") or [{}]
        return str(state[0].get("state", {}).get("waiting", {}).get("reason", ""))

    site.eventually(lambda: waiting_reason() == "CrashLoopBackOff", "it is in a crash loop")
    assert "gpus" not in pod_log(site, "crashing"), "it never read the GPUs"
    site.fleet.clear_faults("hopper-1")
    site.eventually(lambda: "gpus 2" in pod_log(site, "crashing"), "it runs")
    site.fleet.call("delete", f"{DEFAULT}/pods/crashing")


def test_the_api_server_returns_logs(site: Site) -> None:
    manager = site.pods("nvidia-mig-manager", "hopper-2")[0]["metadata"]
    log = site.fleet.pod_log(manager["namespace"], manager["name"])
    assert "Updating to MIG config" in log


def test_an_idle_fleet_uses_little_cpu_time(site: Site) -> None:
    """At most 0.3 s in 2 s."""
    pid = site.fleet.status().pid

    def cpu_s() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    before = cpu_s()
    time.sleep(2)
    assert cpu_s() - before < 0.3
