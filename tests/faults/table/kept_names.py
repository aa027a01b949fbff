"""Fleets that others set up: config names that are kept, and a MIG Manager that reads another layout file."""

from mig_fleet.model import labels, parted
from mig_fleet.observed.operands import MIG_MANAGER
from tests.faults.fault import Fault, Outcome
from tests.faults.fault_run import LABEL, FaultRun
from tests.faults.installation import DAEMON_SETS, layout_file
from tests.faults.scenario import OLD, POOL, RENAMED
from tests.faults.table.gpu_drift import change_slices
from tests.faults.table.probes import MISSING, restart_probe, stop_probe_and_delete_report
from tests.simulator.site import NAMESPACE

THEIRS = "their-layouts"
KEEP = {"config_name": "keep"}
ADOPTED = {"layout": RENAMED, "config_name": "keep", "operator_managed": False}
NOT_RECORDED = "drift: verification not recorded: node-1: is as declared, but not recorded as verified"
LET_IT_READ_OURS = (
    "let it read mig-fleet-layouts first. That file has every config that nodes carry, so no GPU changes when MIG "
    "Manager restarts with it"
)
WAYS_OUT = (
    "Helm: `helm upgrade RELEASE nvidia/gpu-operator --version VERSION -n gpu-operator --reuse-values "
    "--set migManager.config.create=false --set migManager.config.name=mig-fleet-layouts`",
    "kubectl, until the next Helm upgrade: `kubectl patch clusterpolicies.nvidia.com/cluster-policy --type merge "
    '-p \'{"spec":{"migManager":{"config":{"name":"mig-fleet-layouts"}}}}\'`',
    "Argo CD, in the values of the operator's Application:",
    "migManager:",
    "config:",
    "{create: false, name: mig-fleet-layouts}",
)


def rename(run: FaultRun) -> None:
    """Another name for the slices that node-1 has."""
    run.label("node-1", **{"mig.config": RENAMED.config_name})
    run.scenario.site.wait_for_success("node-1", RENAMED.config_name)
    run.wait_for_report("node-1", lambda report: report.config == RENAMED.config_name)


def rename_and_destroy_a_slice(run: FaultRun) -> None:
    rename(run)
    change_slices(run, lambda driver: driver.gpus[0].destroy(driver.gpus[0].instances[-1].id))


def read_their_file(run: FaultRun) -> None:
    body = layout_file(parted.dump([OLD]))
    body["metadata"] = {"name": THEIRS}
    run.scenario.site.create(f"/api/v1/namespaces/{NAMESPACE}/configmaps", body)
    mount(run, THEIRS)


def lose_a_slice_while_their_file_is_read(run: FaultRun) -> None:
    read_their_file(run)
    change_slices(run, lambda driver: driver.gpus[0].destroy(driver.gpus[0].instances[-1].id))


def lose_a_slice_without_a_report(run: FaultRun) -> None:
    """The kubelet still offers the slice that was lost; the probe runs again once the node is labelled."""
    stop_probe_and_delete_report(run)
    run.change_driver("node-1", lambda driver: driver.gpus[0].destroy(driver.gpus[0].instances[-1].id))
    run.eventually(
        lambda: run.nodes()["node-1"]["metadata"]["labels"]["nvidia.com/mig-1g.10gb.count"] == "13",
        "GPU Feature Discovery counts 13 slices",
    )
    run.before_write(LABEL, "node-1", lambda: restart_probe(run))


def name_our_file_while_theirs_is_read(run: FaultRun) -> None:
    """The ClusterPolicy is changed, and no operator makes anything of it."""
    read_their_file(run)
    name_in_policy(run, labels.LAYOUTS_CONFIG_MAP)


def read_our_file_without_its_name(run: FaultRun) -> None:
    read_our_file(run)
    name_in_policy(run, None)


def name_in_policy(run: FaultRun, config_map: str | None) -> None:
    body = {"spec": {"migManager": {"config": {"name": config_map}}}}
    run.fleet.call("patch", "/apis/nvidia.com/v1/clusterpolicies/cluster-policy", body)


def read_our_file(run: FaultRun) -> None:
    mount(run, labels.LAYOUTS_CONFIG_MAP)
    run.fleet.call("delete", f"/api/v1/namespaces/{NAMESPACE}/configmaps/{THEIRS}")


def mount(run: FaultRun, config_map: str) -> None:
    """The operator changes MIG Manager's DaemonSet, and its pods are replaced one after the other."""
    volumes = [{"name": "layouts", "configMap": {"name": config_map}}]
    run.fleet.call("patch", f"{DAEMON_SETS}/{MIG_MANAGER}", {"spec": {"template": {"spec": {"volumes": volumes}}}})

    def is_mounted() -> bool:
        pods = run.fleet.call("get", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        found = {
            pod["spec"].get("nodeName"): pod["spec"]["volumes"][0]["configMap"]["name"]
            for pod in pods
            if (pod["metadata"].get("labels") or {}).get("app") == MIG_MANAGER
            and "deletionTimestamp" not in pod["metadata"]
            and pod["status"].get("phase") == "Running"
        }
        return {node: found.get(node) for node in POOL} == dict.fromkeys(POOL, config_map)

    run.eventually(is_mounted, f"every MIG Manager reads {config_map}")


KEPT_NAMES = [
    Fault(
        "MIG Manager reads another ConfigMap",
        "the operator is installed by others, with its own or another layout file (gpu-operator TransformMIGManager)",
        read_their_file,
        Outcome.REFUSED,
        written=(),
        error=(
            "train-wave-00: MIG Manager on node-1 and 1 more node(s) reads ConfigMap their-layouts, which does not "
            f"have config 'training-ea45f71e'; {LET_IT_READ_OURS}",
            *WAYS_OUT,
        ),
        fix="MIG Manager reads mig-fleet-layouts",
        apply_fix=read_our_file,
        pool={"operator_managed": False},
        next_update="changes the pool",
    ),
    Fault(
        "the operator does not restart MIG Manager with our ConfigMap",
        "the ClusterPolicy names mig-fleet-layouts, and the operator is stopped or has not reconciled it",
        name_our_file_while_theirs_is_read,
        Outcome.REFUSED,
        written=(),
        error=(
            "nothing was changed:",
            "MIG Manager's pod on node-1 and 1 more node(s) still mounts ConfigMap their-layouts, although the "
            "ClusterPolicy names mig-fleet-layouts: the operator has not restarted it in N s; look at what the "
            "operator made of the ClusterPolicy: `kubectl -n gpu-operator get daemonset nvidia-mig-manager -o yaml`",
        ),
        fix="the operator restarts MIG Manager",
        apply_fix=read_our_file_without_its_name,
        pool={"operator_managed": False},
        next_update="changes the pool",
    ),
    Fault(
        "a node that keeps its name lost a slice before its probe reported",
        "`nvidia-smi mig -dgi`; the kubelet still offers the slice (k8s-device-plugin#214), GPU Feature Discovery does "
        "not count it",
        lose_a_slice_without_a_report,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(
            "drift: config changed: node-1: is not as declared under its own config 'notebooks-255390f5', expected "
            "'seminar-255390f5'",
            f"drift: {MISSING}",
        ),
        pool={"layout": RENAMED, **KEEP},
        pool_before={"layout": RENAMED, **KEEP},
        target=RENAMED,
        next_update="names the nodes as declared",
    ),
    Fault(
        "a node that keeps its name loses a slice, and MIG Manager reads another ConfigMap",
        "`nvidia-smi mig -dgi` on a node of a fleet that was adopted, before its MIG Manager reads our ConfigMap",
        lose_a_slice_while_their_file_is_read,
        Outcome.REFUSED,
        written=(),
        preview=(
            "drift: config changed: node-1: is not as declared under its own config 'notebooks-255390f5', expected "
            "'seminar-255390f5'",
            "drift: slice missing: node-1: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb",
        ),
        error=(
            "nothing was changed:",
            "MIG Manager on node-1 reads ConfigMap their-layouts, which does not have config 'seminar-255390f5'; let "
            "it read mig-fleet-layouts first. That file has every config that nodes carry, but MIG Manager changes "
            "GPUs when it restarts with it: node-1: GPU 0 has 6x 1g.10gb and would get 7x 1g.10gb",
            *WAYS_OUT,
        ),
        fix="MIG Manager reads mig-fleet-layouts",
        apply_fix=read_our_file,
        pool=ADOPTED,
        pool_before=ADOPTED,
        target=RENAMED,
        next_update="names the nodes as declared",
    ),
    Fault(
        "a node gets another name for its slices, and its pool keeps names",
        "another tool sets nvidia.com/mig.config to a config with the same slices",
        rename,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(NOT_RECORDED,),
        pool=KEEP,
        pool_before=KEEP,
        target=OLD,
        next_update="names it again, if the stack keeps names no longer; no GPU is touched",
    ),
    Fault(
        "a node that keeps its name loses a slice",
        "`nvidia-smi mig -dci` and `-dgi` on the node, which keeps a config name of others",
        rename_and_destroy_a_slice,
        Outcome.SUCCEEDED,
        written=("node-1",),
        preview=(
            "drift: config changed: node-1: is not as declared under its own config 'seminar-255390f5', expected "
            "'notebooks-255390f5'",
            "drift: slice missing: node-1: GPU 0: expected 7x 1g.10gb, found 6x 1g.10gb",
        ),
        pool=KEEP,
        pool_before=KEEP,
        target=OLD,
    ),
]
