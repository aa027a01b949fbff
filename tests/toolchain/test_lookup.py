"""Environment variable → PATH → cache → download → build: the first place that has the tool is used."""

from pathlib import Path

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import Place
from tests.toolchain.conftest import FOR_TESTS, ON_DEMAND, VERSION_OUTPUT, Computer, Publisher


def only(found: toolchain.SearchResult) -> toolchain.Tool:
    (tool,) = found
    return tool


def test_an_explicit_variable_wins_over_every_place_whatever_the_version(
    computer: Computer, etcd: toolchain.Family
) -> None:
    computer.has("path", "etcd")
    computer.override("etcd", computer.has("mine", "etcd", "etcd Version: 3.4.23"))
    tool = only(toolchain.ensure([etcd], environment=computer.environment))
    assert (tool.place, tool.note, tool.version) == (Place.ENVIRONMENT, "MIG_FLEET_ETCD", "3.4.23")


@pytest.mark.parametrize(
    ("flaw", "complaint"),
    [("absent", "no such file"), ("plain", "not executable"), ("other", "does not print its version")],
)
def test_an_explicit_variable_with_an_unusable_file_is_refused_by_its_name(
    computer: Computer, etcd: toolchain.Family, flaw: str, complaint: str
) -> None:
    file = computer.has("mine", "etcd", "hello" if flaw == "other" else None)
    if flaw == "plain":
        file.chmod(0o644)
    computer.override("etcd", file if flaw != "absent" else file.with_name("etcd2"))
    with pytest.raises(toolchain.BadOverride, match=rf"MIG_FLEET_ETCD=.*{complaint}.*unset it"):
        toolchain.locate([etcd], environment=computer.environment)


def test_envtests_variables_are_used_if_the_version_is_supported(computer: Computer, etcd: toolchain.Family) -> None:
    computer.variables["KUBEBUILDER_ASSETS"] = str(computer.has("assets", "etcd").parent)
    tool = only(toolchain.locate([etcd], environment=computer.environment))
    assert (tool.place, tool.note) == (Place.ENVIRONMENT, "KUBEBUILDER_ASSETS")


def test_an_old_envtest_folder_is_skipped_with_the_reason(computer: Computer, etcd: toolchain.Family) -> None:
    computer.variables["KUBEBUILDER_ASSETS"] = str(computer.has("assets", "etcd", "etcd Version: 3.4.3").parent)
    computer.has("path", "etcd")
    tool = only(toolchain.locate([etcd], environment=computer.environment))
    assert tool.place == Place.PATH
    assert "KUBEBUILDER_ASSETS" in tool.skipped[0] and "is 3.4.3, required is 3.5.13 or newer" in tool.skipped[0]


def test_a_supported_version_on_path_is_used(computer: Computer, etcd: toolchain.Family) -> None:
    file = computer.has("path", "etcd", "etcd Version: 3.6.1")
    tool = only(toolchain.locate([etcd], environment=computer.environment))
    assert (tool.place, tool.path, tool.version) == (Place.PATH, file, "3.6.1")


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        ("pulumi", "v3.100.0"),  # older than the SDK
        ("pulumi", "v4.0.0"),
        ("kube-apiserver", "Kubernetes v1.36.9"),
        ("kube-apiserver", "Kubernetes v1.38.0"),  # newer than the controller manager beside it
        ("etcd", "etcd Version: 3.4.23"),
        ("etcd", "no version at all"),
    ],
)
def test_an_unsupported_version_on_path_is_not_used(computer: Computer, tool: str, says: str) -> None:
    computer.has("path", tool, says)
    family = next(family for family in toolchain.default() if tool in family.tools)
    found = {each.name: each for each in toolchain.locate([family], environment=computer.environment)}
    assert found[tool].path is None
    assert f"PATH: {computer.root / 'path' / tool}" in found[tool].skipped[0]


def test_a_newer_official_cli_on_path_is_used(computer: Computer) -> None:
    computer.has("path", "pulumi", "v3.272.0")
    assert only(toolchain.locate([toolchain.family("engine")], environment=computer.environment)).version == "3.272.0"


def test_a_tool_from_the_cache_is_used_without_running_it(computer: Computer, etcd: toolchain.Family) -> None:
    computer.has_go()
    toolchain.ensure([etcd], environment=computer.environment)
    built = only(toolchain.locate([etcd], environment=computer.environment)).path
    assert built is not None
    built.write_text("#!/bin/sh\nexit 1\n")  # prints no version
    tool = only(toolchain.ensure([etcd], environment=computer.environment))
    assert (tool.place, tool.note, tool.version) == (Place.CACHE, "built here", "3.7.3")
    assert len(computer.builds) == 1


def test_a_changed_go_sum_requires_a_new_build(
    computer: Computer, etcd: toolchain.Family, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    computer.has_go()
    toolchain.ensure([etcd], environment=computer.environment)
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_text("changed")
    recipe = type(etcd.recipe)(tmp_path, etcd.recipe.packages, etcd.recipe.flags, 0.5)
    changed = type(etcd)(**{name: getattr(etcd, name) for name in etcd.__slots__} | {"recipe": recipe})
    assert only(toolchain.locate([changed], environment=computer.environment)).path is None


def test_a_download_comes_before_a_build(computer: Computer, publisher: Publisher, etcd: toolchain.Family) -> None:
    computer.has_go()
    publisher.publishes(etcd)
    tool = only(toolchain.ensure([etcd], environment=computer.environment))
    assert (tool.place, computer.builds) == (Place.DOWNLOAD, [])
    assert tool.skipped == ("not on PATH", "not in the cache")
    assert only(toolchain.locate([etcd], environment=computer.environment)).note == "downloaded"


def test_one_tool_of_a_family_may_come_from_path_and_the_others_from_a_build(computer: Computer) -> None:
    computer.has("path", "kube-apiserver")
    computer.has_go()
    found = toolchain.ensure([toolchain.family("kube")], environment=computer.environment)
    assert [tool.place for tool in found] == [Place.PATH, Place.BUILD, Place.BUILD]


def test_the_build_uses_the_committed_sums_and_no_other_go(computer: Computer) -> None:
    computer.has_go()
    toolchain.ensure([toolchain.family("kube")], environment=computer.environment)
    flags, go_toolchain, cgo, collects, folder, command = computer.builds[-1].split("|")
    assert (flags, go_toolchain, cgo) == ("-mod=readonly -buildvcs=false", "local", "0")
    assert collects == "400", "the compiler's own garbage collection is a fifth of its time"
    assert folder.endswith("toolchain/kube")
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.2" in command, "a chart's kubeVersion would refuse v0.0.0"
    assert "-X k8s.io/client-go/pkg/version.gitMinor=37" in command


def test_every_default_tool_can_be_built(computer: Computer) -> None:
    computer.has_go()
    found = toolchain.ensure(environment=computer.environment)
    assert [tool.name for tool in found] == [name for name in VERSION_OUTPUT if name not in ON_DEMAND]
    assert not found.missing and len(computer.builds) == 4


def test_tools_for_tests_are_built_on_demand_only(computer: Computer) -> None:
    computer.has_go()
    families = [toolchain.family(name) for name in ("yaml", "sdk-generator", "mig-parted")]
    found = toolchain.ensure(families, environment=computer.environment)
    assert [(tool.name, tool.place) for tool in found] == [(name, Place.BUILD) for name in FOR_TESTS]
    assert computer.builds[-1].split("|")[2] == "1", "go-nvml needs C"


def test_without_go_download_or_binaries_one_message_names_both_ways(computer: Computer) -> None:
    with pytest.raises(toolchain.ToolsMissing) as raised:
        toolchain.ensure(environment=computer.environment)
    message = str(raised.value)
    assert "6 tool(s) are missing" in message
    assert "etcd: not on PATH; not in the cache; downloads are disabled; build: no Go on PATH" in message
    assert "1. Download: " in message and "2. Build: install Go 1.26.0 or newer" in message


def test_a_go_that_is_too_old_is_named_with_what_is_needed(computer: Computer, etcd: toolchain.Family) -> None:
    old = computer.has_go("go1.19.8")
    with pytest.raises(toolchain.ToolsMissing, match=rf"{old} is go1.19.8, the modules need Go 1.26.0"):
        toolchain.ensure([etcd], environment=computer.environment)


def test_gos_errors_are_shown_by_their_last_lines_and_the_log_is_named(
    computer: Computer, etcd: toolchain.Family
) -> None:
    computer.has_go(fails="missing go.sum entry")
    with pytest.raises(toolchain.BuildFailed, match=r"missing go\.sum entry") as raised:
        toolchain.ensure([etcd], environment=computer.environment)
    assert str(raised.value.log) in str(raised.value) and raised.value.log.exists()
    assert computer.unfinished() == []


def test_an_unknown_family_gets_a_suggestion() -> None:
    with pytest.raises(toolchain.UnknownFamily, match=r"unknown tool family 'enigne'; did you mean 'engine'\?"):
        toolchain.family("enigne")
