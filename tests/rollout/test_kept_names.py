"""`configName: keep` on a fleet that others set up: their names stay as long as the slices are right.

MIG Manager reads another ConfigMap there until its user lets it read ours; nothing is changed before.
"""

from typing import Any

import pulumi
import pytest

from mig_fleet.components import layout_file
from mig_fleet.components.layout_file import LayoutFileProvider
from mig_fleet.documents import dump
from mig_fleet.model import labels, parted
from mig_fleet.observed.configs.layout_file import merge_files, parse_configs, sound_configs
from mig_fleet.observed.snapshot import invalidate
from mig_fleet.rollout.assign import AssignmentFailed
from mig_fleet.rollout.manager_file import RESTART_S
from mig_fleet.rollout.verify import VerificationFailed
from tests.memory.api import MemoryCluster
from tests.memory.fleet import DENSE, FAILS, MANAGER, OPERATOR, SUCCEEDS, WIDE, Fleet
from tests.memory.wave import ASSIGNMENT, VERIFICATION, Props, a_wave, roll_out

STOCK, SEVEN = "all-1g.10gb", {"1g.10gb": 7}
THEIRS = "default-mig-parted-config"
LAYOUT_FILE = LayoutFileProvider()
FILE = {"cluster": {}, "namespace": OPERATOR, "reportsNamespace": "mig-fleet", "operatorManaged": False}


@pytest.fixture
def adopted(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Both nodes have a config of NVIDIA's own file, which MIG Manager reads; users' pods run; nothing is ours."""
    slices = [{"devices": "all", "mig-enabled": True, "mig-devices": SEVEN}]
    off = [{"devices": "all", "mig-enabled": False}]
    text = f"version: v1\nmig-configs: {dump({STOCK: slices, labels.ALL_DISABLED: off})}"
    fleet.config_map(OPERATOR, THEIRS, {labels.LAYOUTS_KEY: text})
    del fleet.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP]
    fleet.mount(THEIRS)
    for name in ("n1", "n2"):
        fleet.label(name, labels.CONFIG, STOCK)
    fleet.clock.sleep(20)
    for name in ("n1", "n2"):
        fleet.pod(f"web-{name}", name)
    fleet.clear_requests()
    monkeypatch.setattr(layout_file, "Cluster", lambda _args: MemoryCluster(fleet))
    return fleet


def keep(*nodes: str, **changes: Any) -> Props:
    return a_wave(*(nodes or ("n1", "n2")), **{"config_name": "keep", "operator_managed": False, **changes})


def check(wave: Props, before: Props | None = None) -> tuple[Props, list[str]]:
    """The inputs of the assignment's next preview, and why it fails."""
    invalidate()
    found = ASSIGNMENT.check(wave if before is None else before, wave)
    return found.inputs, [failure.reason for failure in found.failures]


def drift(wave: Props) -> list[str]:
    invalidate()
    lines: list[str] = [*check(wave)[0].get("drift", []), *VERIFICATION.check(wave, wave).inputs.get("drift", [])]
    return lines


def write_layout_file(fleet: Fleet, *layouts: Any) -> None:
    """What the provider of the layout file does in an update."""
    invalidate()
    props = {**FILE, "file": parted.dump(layouts or [DENSE, WIDE])}
    fleet.config_map(OPERATOR, labels.LAYOUTS_CONFIG_MAP, {labels.LAYOUTS_KEY: _written(props)})


def _written(props: Props) -> str:
    config_map, nodes = layout_file._observe(props, fresh=True)
    return merge_files(props["file"], layout_file._carried(props, config_map, nodes, every=True).entries)


# Adoption


def test_a_first_update_changes_no_label_no_taint_and_no_pod(adopted: Fleet) -> None:
    wave = keep()
    inputs, failures = check(wave, {})
    assert inputs["plannedChanges"] == [f"n1, n2: adopted with config '{STOCK}'; no GPU is touched"]
    assert (inputs.get("podsLosingSlices"), failures) == (None, [])
    roll_out(wave)
    assert adopted.configs() == {"n1": STOCK, "n2": STOCK}
    assert adopted.written_configs() == []
    assert not any("spec" in body for _, path, body in adopted.requests if "/nodes/" in path)
    assert adopted.restarted_pods() == []
    assert adopted.ownership_annotations("n1")["verified-config"] == STOCK, "a rollback returns to it"
    assert drift(wave) == []


def test_a_first_update_restarts_nothing_on_a_node_whose_slices_are_not_what_its_kubelet_offers(adopted: Fleet) -> None:
    """The kubelet's resources were right in the preview; the first report shows that a slice is missing."""
    wave = keep()
    inputs, _ = check(wave, {})
    ASSIGNMENT.create(inputs)
    adopted.partition("n1", [{"1g.10gb": 7}, {"1g.10gb": 6}])
    adopted.clear_requests()
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.create(wave)
    assert "nothing was restarted, because mig-fleet has not changed this node yet" in str(failed.value)
    assert adopted.restarted_pods() == []
    assert not any("spec" in body for _, path, body in adopted.requests if "/nodes/" in path), "no taint, no cordon"


def test_before_the_probes_run_a_preview_goes_by_what_the_kubelet_offers(adopted: Fleet) -> None:
    for name in ("n1", "n2"):
        adopted.remove_report(name)
    inputs, failures = check(keep(), {})
    assert inputs["plannedChanges"] == [f"n1, n2: adopted with config '{STOCK}'; no GPU is touched"]
    assert failures == []


def test_before_the_probes_run_gfd_must_count_what_the_kubelet_offers(adopted: Fleet) -> None:
    """Slices were destroyed, and the device plugin was not restarted: the kubelet still offers all of them."""
    adopted.stale_plugins.add("n1")
    adopted.partition("n1", [SEVEN, {"1g.10gb": 5}])
    for name in ("n1", "n2"):
        adopted.remove_report(name)
    assert adopted.nodes["n1"]["status"]["allocatable"] == {"nvidia.com/mig-1g.10gb": "14"}
    inputs, failures = check(keep(), {})
    assert inputs["plannedChanges"][-1] == f"n2: adopted with config '{STOCK}'; no GPU is touched"
    assert not any("n1" in line and "adopted" in line for line in inputs["plannedChanges"])
    assert failures[0].splitlines()[1] == (
        "  not as declared: n1: nvidia.com/mig-1g.10gb: expected 14, GPU Feature Discovery counts 12"
    )


def test_nodes_with_our_name_and_nodes_with_their_own_can_be_in_one_wave(adopted: Fleet) -> None:
    write_layout_file(adopted)
    adopted.mount(labels.LAYOUTS_CONFIG_MAP)
    adopted.label("n2", labels.CONFIG, DENSE.config_name)
    adopted.clock.sleep(20)
    wave = keep()
    roll_out(wave)
    assert adopted.configs() == {"n1": STOCK, "n2": DENSE.config_name}
    assert adopted.ownership_annotations("n2")["verified-config"] == DENSE.config_name
    assert drift(wave) == []


def test_allocatable_and_gfd_are_compared_under_a_kept_name_too(adopted: Fleet) -> None:
    wave = keep()
    roll_out(wave)
    adopted.nodes["n1"]["status"]["allocatable"]["nvidia.com/mig-1g.10gb"] = "13"
    assert drift(wave) == ["allocatable stale: n1: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13"]


def test_another_name_with_the_same_slices_is_kept_and_only_recorded(adopted: Fleet) -> None:
    write_layout_file(adopted)
    adopted.mount(labels.LAYOUTS_CONFIG_MAP)
    wave = keep()
    adopted.clock.sleep(20)
    roll_out(wave)
    adopted.label("n1", labels.CONFIG, DENSE.config_name)
    adopted.clock.sleep(20)
    assert drift(wave) == ["verification not recorded: n1: is as declared, but not recorded as verified"]
    VERIFICATION.update("id", wave, wave)
    assert drift(wave) == []


# The next real change gives a node our name


@pytest.fixture
def switched(adopted: Fleet) -> Fleet:
    """Adopted, and MIG Manager reads our file."""
    write_layout_file(adopted)
    adopted.mount(labels.LAYOUTS_CONFIG_MAP)
    adopted.clock.sleep(20)
    roll_out(keep())
    adopted.clear_requests()
    return adopted


def test_when_mig_manager_starts_with_our_file_every_node_keeps_its_slices(adopted: Fleet) -> None:
    before = dict(adopted.per_gpu)
    write_layout_file(adopted)
    adopted.mount(labels.LAYOUTS_CONFIG_MAP)
    adopted.clock.sleep(20)
    assert (adopted.per_gpu, [adopted.state(name) for name in ("n1", "n2")]) == (before, ["success", "success"])


def test_a_changed_layout_gives_each_node_our_name(switched: Fleet) -> None:
    for name in ("n1", "n2"):
        del switched.pods["team", f"web-{name}"]
    old, new = keep(), keep(layout=WIDE)
    inputs, failures = check(new, old)
    assert failures == []
    assert inputs["plannedChanges"] == ["n1, n2: GPU 0-1: 7x 1g.10gb → 2x 3g.40gb"]
    ASSIGNMENT.update("id", old, new)
    VERIFICATION.update("id", old, new)
    assert switched.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}
    assert drift(new) == []


def test_a_slice_that_was_lost_under_a_kept_name_is_drift_and_comes_back_under_ours(switched: Fleet) -> None:
    for name in ("n1", "n2"):
        del switched.pods["team", f"web-{name}"]
    wave = keep()
    switched.partition("n1", [SEVEN, {"1g.10gb": 6}])
    assert drift(wave) == [
        f"config changed: n1: is not as declared under its own config '{STOCK}', expected '{DENSE.config_name}'",
        "slice missing: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb",
    ]
    ASSIGNMENT.update("id", wave, wave)
    VERIFICATION.update("id", wave, wave)
    assert switched.configs() == {"n1": DENSE.config_name, "n2": STOCK}
    assert switched.per_gpu["n1"] == [SEVEN, SEVEN]
    assert drift(wave) == []


def test_a_manager_that_reads_another_file_is_not_restarted_for_a_config_that_the_file_lacks(switched: Fleet) -> None:
    """An upgrade of the operator by its owner dropped our chart value."""
    for name in ("n1", "n2"):
        del switched.pods["team", f"web-{name}"]
    new = keep(layout=WIDE)
    ASSIGNMENT.update("id", keep(), new)
    VERIFICATION.update("id", keep(), new)
    switched.mount(THEIRS)
    switched.label("n1", labels.STATE, "failed")
    switched.clear_requests()
    with pytest.raises(VerificationFailed) as failed:
        VERIFICATION.update("id", new, new)
    assert f"reads ConfigMap {THEIRS}, which does not have config '{WIDE.config_name}'" in str(failed.value)
    assert switched.restarted_pods() == []
    assert not any("spec" in body for _, path, body in switched.requests if "/nodes/" in path), "no cordon"


def test_a_stack_that_stops_keeping_names_renames_the_nodes_and_touches_no_gpu(switched: Fleet) -> None:
    before, new = keep(), keep(config_name="generated")
    assert ASSIGNMENT.diff("id", before, new).changes
    inputs, failures = check(new, before)
    assert (inputs.get("podsLosingSlices"), failures) == (None, [])
    ASSIGNMENT.update("id", before, new)
    VERIFICATION.update("id", before, new)
    assert switched.configs() == {"n1": DENSE.config_name, "n2": DENSE.config_name}
    assert {("team", "web-n1"), ("team", "web-n2")} <= switched.pods.keys()
    assert not any("spec" in body for _, path, body in switched.requests if "/nodes/" in path), "no taint"


def test_a_failed_change_returns_to_the_kept_name(switched: Fleet) -> None:
    for name in ("n1", "n2"):
        del switched.pods["team", f"web-{name}"]
    switched.manager_outcomes["n1"] = [FAILS, FAILS, SUCCEEDS]
    old, new = keep(), keep(layout=WIDE, on_failure="rollback")
    ASSIGNMENT.update("id", old, new)
    with pytest.raises(VerificationFailed, match=f"rolled back to '{STOCK}' and verified"):
        VERIFICATION.update("id", old, new)
    assert switched.configs() == {"n1": STOCK, "n2": STOCK}
    assert switched.per_gpu["n2"] == [SEVEN, SEVEN]


@pytest.mark.parametrize("on_delete", ["retain", "restore"])
def test_a_node_that_is_released_keeps_its_name_and_loses_our_annotations(switched: Fleet, on_delete: str) -> None:
    ASSIGNMENT.delete("id", keep(on_delete=on_delete))
    assert switched.configs() == {"n1": STOCK, "n2": STOCK}
    assert switched.ownership_annotations("n1") == {}


def test_a_node_that_is_disabled_on_release_is_ours_under_its_kept_name(switched: Fleet) -> None:
    for name in ("n1", "n2"):
        del switched.pods["team", f"web-{name}"]
    ASSIGNMENT.delete("id", keep(on_delete="disable"))
    assert switched.configs() == {"n1": "all-disabled", "n2": "all-disabled"}


# MIG Manager reads another file

HOW = [
    "  Helm: `helm upgrade RELEASE nvidia/gpu-operator --version VERSION -n gpu-operator --reuse-values "
    "--set migManager.config.create=false --set migManager.config.name=mig-fleet-layouts`",
    "  kubectl, until the next Helm upgrade: `kubectl patch clusterpolicies.nvidia.com/cluster-policy --type merge "
    '-p \'{"spec":{"migManager":{"config":{"name":"mig-fleet-layouts"}}}}\'`',
    "  Argo CD, in the values of the operator's Application:",
    "    migManager:",
    "      config:",
    "        {create: false, name: mig-fleet-layouts}",
]


def test_a_preview_that_must_relabel_fails_at_once_if_mig_manager_reads_another_file(adopted: Fleet) -> None:
    write_layout_file(adopted)
    roll_out(keep())
    slept = adopted.clock.slept
    _, failures = check(keep(layout=WIDE), keep())
    assert failures[0].splitlines() == [
        "pool-wave-0: MIG Manager on n1 and 1 more node(s) reads ConfigMap default-mig-parted-config, which does not "
        f"have config '{WIDE.config_name}'; let it read mig-fleet-layouts first. That file has every config "
        "that nodes carry, so no GPU changes when MIG Manager restarts with it",
        *HOW,
    ]
    assert adopted.clock.slept == slept


RELEASED = {
    "metadata": {
        "name": "cluster-policy",
        "labels": {"helm.sh/chart": "gpu-operator-v26.7.0"},
        "annotations": {"meta.helm.sh/release-name": "nvidia-operator"},
    }
}


@pytest.mark.parametrize(
    ("metadata", "release", "version"),
    [
        (RELEASED["metadata"], "nvidia-operator", "v26.7.0"),
        ({"name": "it", "labels": {"helm.sh/chart": "another-1.0"}}, "RELEASE", "VERSION"),
        ({"name": "it", "annotations": {"meta.helm.sh/release-name": "$(x)"}}, "RELEASE", "VERSION"),
    ],
)
def test_the_helm_line_names_the_release_and_the_version_that_run(
    adopted: Fleet, metadata: dict[str, Any], release: str, version: str
) -> None:
    """Without a version Helm would upgrade the operator to the newest chart."""
    write_layout_file(adopted)
    adopted.cluster_policies = [{"metadata": metadata}]
    _, failures = check(keep(config_name="generated"), {})
    assert f"`helm upgrade {release} nvidia/gpu-operator --version {version} -n gpu-operator" in failures[0]


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", found.append)
    return found


def test_drift_that_must_relabel_stays_drift_with_a_warning_and_the_update_is_refused_with_the_same_text(
    adopted: Fleet, warnings: list[str]
) -> None:
    write_layout_file(adopted)
    wave = keep()
    roll_out(wave)
    for name in ("n1", "n2"):
        del adopted.pods["team", f"web-{name}"]
    adopted.partition("n1", [SEVEN, {"1g.10gb": 6}])
    inputs, failures = check(wave)
    assert failures == []
    assert ASSIGNMENT.diff("id", wave, inputs).changes, "it ends a preview with --expect-no-changes"
    assert drift(wave)[-1] == "slice missing: n1: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb"
    first, *how = warnings[0].splitlines()
    reason = (
        f"MIG Manager on n1 reads ConfigMap default-mig-parted-config, which does not have config "
        f"'{DENSE.config_name}'; let it read mig-fleet-layouts first. That file has every config that nodes carry, but "
        "MIG Manager changes GPUs when it restarts with it: n1: GPU 1 has 6x 1g.10gb and would get 7x 1g.10gb"
    )
    assert (first, how) == (f"pool-wave-0: an update that repairs the drift of n1 is refused: {reason}", HOW)
    adopted.clear_requests()
    slept = adopted.clock.slept
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.update("id", wave, inputs)
    lines = str(failed.value).splitlines()
    assert (lines[:2], lines[2:]) == (["nothing was changed:", f"  {reason}"], HOW)
    assert (adopted.writes(), adopted.clock.slept) == ([], slept)


def test_drift_beside_another_change_of_the_wave_does_not_fail_the_preview(adopted: Fleet, warnings: list[str]) -> None:
    write_layout_file(adopted)
    roll_out(keep())
    adopted.partition("n1", [SEVEN, {"1g.10gb": 6}])
    assert check(keep(on_user_pods="wait"), keep())[1] == []
    assert len(warnings) == 1


def test_a_node_that_joins_and_must_be_relabelled_is_a_planned_change(adopted: Fleet) -> None:
    write_layout_file(adopted)
    roll_out(keep("n1"))
    adopted.partition("n2", [SEVEN, {"1g.10gb": 6}])
    _, failures = check(keep(), keep("n1"))
    assert failures[0].splitlines()[1] == "  not as declared: n2: GPU 1: expected 7x 1g.10gb, found 6x 1g.10gb"


def test_a_node_that_cannot_be_adopted_is_named_with_both_numbers_and_with_what_would_work(adopted: Fleet) -> None:
    adopted.partition("n1", [SEVEN, {"1g.10gb": 6}])
    for name in ("n1", "n2"):
        adopted.remove_report(name)
    _, failures = check(keep(), {})
    first, second, third, *_ = failures[0].splitlines()
    assert first.endswith("but MIG Manager may change the GPUs of n1 when it restarts with it")
    assert second == "  not as declared: n1: nvidia.com/mig-1g.10gb: expected 14, the kubelet offers 13"
    assert third == (
        "  before that: ConfigMap mig-fleet-layouts does not exist yet; one `pulumi up` without n1 creates it and "
        "changes no node; or declare the slices that are there"
    )
    assert "configName: keep" not in failures[0]


def test_a_first_update_that_would_relabel_names_how_our_file_comes_into_the_cluster(adopted: Fleet) -> None:
    _, failures = check(keep(config_name="generated"), {})
    assert failures[0].splitlines()[1] == (
        "  before that: ConfigMap mig-fleet-layouts does not exist yet; one `pulumi up` with `configName: keep` in "
        "every pool, and the slices that the nodes have, creates it and changes no node (`mig-fleet import --cluster` "
        "writes such a stack file)"
    )


def test_once_the_cluster_policy_names_our_file_the_restart_of_mig_manager_is_awaited(adopted: Fleet) -> None:
    for name in ("n1", "n2"):
        del adopted.pods["team", f"web-{name}"]
    write_layout_file(adopted)
    policy = {"metadata": {"name": "theirs"}, "spec": {"migManager": {"config": {"name": "mig-fleet-layouts"}}}}
    adopted.cluster_policies = [policy]
    wave = keep(layout=WIDE)
    assert check(wave, keep())[1] == []
    isolated: list[str] = []

    def restart() -> None:
        isolated.extend(adopted.isolated())
        adopted.mount(labels.LAYOUTS_CONFIG_MAP)

    adopted.clock.after(30, restart)
    ASSIGNMENT.update("id", keep(), wave)
    assert isolated == [], "a node is isolated only once its MIG Manager reads our file"
    assert adopted.configs() == {"n1": WIDE.config_name, "n2": WIDE.config_name}


def test_an_operator_that_does_not_restart_mig_manager_is_named_before_a_node_is_isolated(adopted: Fleet) -> None:
    for name in ("n1", "n2"):
        del adopted.pods["team", f"web-{name}"]
    write_layout_file(adopted)
    adopted.cluster_policies = [
        {"metadata": {"name": "theirs"}, "spec": {"migManager": {"config": {"name": "mig-fleet-layouts"}}}}
    ]
    slept = adopted.clock.slept
    adopted.clear_requests()
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.update("id", keep(), keep(layout=WIDE))
    assert str(failed.value) == (
        "nothing was changed:\n  MIG Manager's pod on n1 and 1 more node(s) still mounts ConfigMap "
        "default-mig-parted-config, although the ClusterPolicy names mig-fleet-layouts: the operator has not restarted "
        "it in 61 s; look at what the operator made of the ClusterPolicy: `kubectl -n gpu-operator get daemonset "
        "nvidia-mig-manager -o yaml`"
    )
    assert adopted.writes() == []
    assert adopted.clock.slept - slept == pytest.approx(RESTART_S, abs=2)


def test_a_preview_notes_that_the_operator_has_yet_to_restart_mig_manager(
    adopted: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", notes.append)
    adopted.cluster_policies = [
        {"metadata": {"name": "theirs"}, "spec": {"migManager": {"config": {"name": "mig-fleet-layouts"}}}}
    ]
    LAYOUT_FILE.check({}, {**FILE, "file": parted.dump([DENSE])})
    assert notes == [
        "MIG Manager's pods still mount ConfigMap default-mig-parted-config, although the ClusterPolicy names "
        "mig-fleet-layouts: the operator restarts them, which is finished when `kubectl -n gpu-operator get daemonset "
        "nvidia-mig-manager -o yaml` names it and every pod is new"
    ]


def test_an_update_is_refused_at_once_if_mig_manager_reads_another_file(adopted: Fleet) -> None:
    write_layout_file(adopted)
    adopted.cluster_policies = [{"metadata": {"name": "theirs"}, "spec": {}}]
    slept = adopted.clock.slept
    for name in ("n1", "n2"):
        del adopted.pods["team", f"web-{name}"]
    with pytest.raises(AssignmentFailed) as failed:
        ASSIGNMENT.update("id", keep(), keep(layout=WIDE))
    text = str(failed.value)
    assert text.startswith("nothing was changed:\n  MIG Manager on n1 and 1 more node(s) reads ConfigMap default-mig-")
    assert "kubectl patch clusterpolicies.nvidia.com/theirs " in text
    assert adopted.clock.slept == slept
    assert adopted.isolated() == []


def test_a_manager_that_goes_back_to_another_file_during_the_wait_ends_it(switched: Fleet) -> None:
    for name in ("n1", "n2"):
        del switched.pods["team", f"web-{name}"]
    switched.synced_after_s |= {"n1": 1000.0, "n2": 1000.0}
    switched.before_request("PATCH", f"/pods/{MANAGER}--n1", lambda: switched.mount(THEIRS))
    slept = switched.clock.slept
    with pytest.raises(AssignmentFailed, match="no node was relabelled: MIG Manager on n1"):
        ASSIGNMENT.update("id", keep(), keep(layout=WIDE))
    assert switched.clock.slept - slept < 10
    assert switched.isolated() == []


def test_a_release_to_a_config_that_their_file_has_needs_no_other_file(adopted: Fleet) -> None:
    roll_out(keep())
    for name in ("n1", "n2"):
        del adopted.pods["team", f"web-{name}"]
    ASSIGNMENT.delete("id", keep(on_delete="disable"))
    assert adopted.configs() == {"n1": "all-disabled", "n2": "all-disabled"}


def test_an_operator_that_this_program_installs_is_not_asked(adopted: Fleet) -> None:
    """Its release sets the ConfigMap's name, perhaps in this update."""
    adopted.clear_requests()
    assert check(keep(config_name="generated", operator_managed=True), {})[1] == []
    assert not any("clusterpolicies" in path for _, path, _ in adopted.requests)


# The layout file


def test_the_first_layout_file_has_every_config_that_nodes_carry(adopted: Fleet) -> None:
    write_layout_file(adopted)
    found = sound_configs(adopted.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP])
    theirs = sound_configs(adopted.config_maps[OPERATOR, THEIRS])
    assert found[STOCK] == theirs[STOCK]
    assert found.keys() == {STOCK, "all-disabled", DENSE.config_name, WIDE.config_name}


def test_a_generated_file_of_a_node_is_a_source_and_is_only_about_its_gpus(adopted: Fleet) -> None:
    own = f"version: v1\nmig-configs: {{{STOCK}: [{{devices: all, mig-enabled: true, mig-devices: {{1g.10gb: 7}}}}]}}"
    for name in ("n1", "n2"):
        adopted.config_map(OPERATOR, f"{name}-mig-config", {labels.LAYOUTS_KEY: own})
        container = adopted.pods[adopted.operand(name, MANAGER)]["spec"]["containers"][0]
        container["env"] = [{"name": "DEFAULT_CONFIG_FILE", "value": "/mig-parted-config/config.yaml"}]
    write_layout_file(adopted)
    (entry,) = sound_configs(adopted.config_maps[OPERATOR, labels.LAYOUTS_CONFIG_MAP])[STOCK]
    assert "0x233010DE" in entry.device_filter


def test_a_kept_config_stays_until_the_update_after_the_last_node_left_it(switched: Fleet) -> None:
    for name in ("n1", "n2"):
        del switched.pods["team", f"web-{name}"]
    props = {**FILE, "file": parted.dump([DENSE, WIDE])}
    assert "prunedConfigs" not in LAYOUT_FILE.check(props, props).inputs
    for name in ("n1", "n2"):
        ours = {labels.VERIFIED_CONFIG: WIDE.config_name, labels.PREVIOUS_CONFIG: "all-disabled"}
        switched.patch(name, {"metadata": {"labels": {labels.CONFIG: WIDE.config_name}, "annotations": ours}})
    invalidate()
    assert LAYOUT_FILE.check(props, props).inputs["prunedConfigs"] == [STOCK]


def test_a_carried_config_that_was_deleted_from_the_file_is_drift_and_comes_back(switched: Fleet) -> None:
    switched.write_layout_file(DENSE, WIDE)
    props = {**FILE, "file": parted.dump([DENSE, WIDE])}
    invalidate()
    found = LAYOUT_FILE.check(props, props).inputs
    assert found["drift"] == [f"ConfigMap edited: config '{STOCK}', which nodes carry, is missing"]
    write_layout_file(switched)
    invalidate()
    assert "drift" not in LAYOUT_FILE.check(props, props).inputs


def test_a_preview_notes_what_mig_manager_reads_and_warns_of_a_name_without_a_definition(
    adopted: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", notes.append)
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    adopted.nodes["n2"]["metadata"]["labels"][labels.CONFIG] = "typo"
    invalidate()
    props = {**FILE, "file": parted.dump([DENSE])}
    found = dict(LAYOUT_FILE.check({}, props).inputs)
    assert parse_configs(found.pop("carried")).keys() == {STOCK} and found == props
    assert notes == [
        "MIG Manager reads ConfigMap default-mig-parted-config, not mig-fleet-layouts; nodes that keep their config "
        "name need nothing, and before the first change of a layout set the operator's chart value "
        "migManager.config.name to mig-fleet-layouts (docs/how-to/adopt.md)"
    ]
    assert [warning.split(":")[0] for warning in warnings] == ["config 'typo' of n2 is defined nowhere"]


def test_a_preview_reads_mig_managers_files_only_if_ours_lacks_a_config(switched: Fleet) -> None:
    props = {**FILE, "file": parted.dump([DENSE, WIDE]), "operatorManaged": True}
    switched.clear_requests()
    LAYOUT_FILE.check(props, props)
    assert not any(path.endswith("/pods") for _, path, _ in switched.requests)


@pytest.mark.parametrize(
    ("managed", "mounted", "stays"),
    [(False, labels.LAYOUTS_CONFIG_MAP, True), (False, THEIRS, False), (True, labels.LAYOUTS_CONFIG_MAP, False)],
)
def test_the_layout_file_stays_after_a_destroy_only_while_the_mig_manager_of_others_reads_it(
    adopted: Fleet, capfd: pytest.CaptureFixture[str], managed: bool, mounted: str, stays: bool
) -> None:
    adopted.write_layout_file(DENSE)
    if mounted == labels.LAYOUTS_CONFIG_MAP:
        adopted.config_maps[OPERATOR, mounted]["data"] = adopted.config_maps[OPERATOR, THEIRS]["data"]
    adopted.mount(mounted)
    LAYOUT_FILE.delete("id", {**FILE, "file": parted.dump([DENSE]), "operatorManaged": managed})
    assert ((OPERATOR, labels.LAYOUTS_CONFIG_MAP) in adopted.config_maps) is stays
    assert ("kubectl -n gpu-operator delete configmap mig-fleet-layouts" in capfd.readouterr().out) is stays


def test_the_layout_file_stays_while_the_cluster_policy_names_it(adopted: Fleet) -> None:
    """MIG Manager's next pod could not start without it."""
    adopted.write_layout_file(DENSE)
    adopted.cluster_policies = [{"spec": {"migManager": {"config": {"name": labels.LAYOUTS_CONFIG_MAP}}}}]
    LAYOUT_FILE.delete("id", {**FILE, "file": parted.dump([DENSE])})
    assert (OPERATOR, labels.LAYOUTS_CONFIG_MAP) in adopted.config_maps
