"""Environment variable → PATH → cache → download → build: the first place that serves wins and the rest say why."""

import pytest

from mig_fleet import toolchain
from mig_fleet.toolchain import Place
from tests.toolchain.conftest import FOR_TESTS, SAYS, Computer, Publisher


def only(found: toolchain.Found) -> toolchain.Tool:
    (tool,) = found
    return tool


def test_an_explicit_variable_wins_over_everything_and_its_version_is_the_users_business(computer, etcd):
    computer.has("path", "etcd")
    computer.wants("etcd", computer.has("mine", "etcd", "etcd Version: 3.4.23"))
    tool = only(toolchain.ensure([etcd], around=computer.around))
    assert (tool.place, tool.note, tool.version) == (Place.ENVIRONMENT, "MIG_FLEET_ETCD", "3.4.23")


@pytest.mark.parametrize(
    ("flaw", "complaint"),
    [("absent", "no such file"), ("plain", "not executable"), ("other", "does not say its version")],
)
def test_an_explicit_variable_that_cannot_be_followed_is_refused_by_name(computer, etcd, flaw, complaint):
    file = computer.has("mine", "etcd", "hello" if flaw == "other" else None)
    if flaw == "plain":
        file.chmod(0o644)
    computer.wants("etcd", file if flaw != "absent" else file.with_name("etcd2"))
    with pytest.raises(toolchain.BadOverride, match=rf"MIG_FLEET_ETCD=.*{complaint}.*unset it"):
        toolchain.look([etcd], around=computer.around)


def test_envtests_variables_serve_when_the_version_fits(computer, etcd):
    computer.variables["KUBEBUILDER_ASSETS"] = str(computer.has("assets", "etcd").parent)
    tool = only(toolchain.look([etcd], around=computer.around))
    assert (tool.place, tool.note) == (Place.ENVIRONMENT, "KUBEBUILDER_ASSETS")


def test_envtests_folder_from_another_year_is_passed_over_with_the_reason(computer, etcd):
    computer.variables["KUBEBUILDER_ASSETS"] = str(computer.has("assets", "etcd", "etcd Version: 3.4.3").parent)
    computer.has("path", "etcd")
    tool = only(toolchain.look([etcd], around=computer.around))
    assert tool.place == Place.PATH
    assert "KUBEBUILDER_ASSETS" in tool.passed_over[0] and "is 3.4.3, needed is 3.5.13 or newer" in tool.passed_over[0]


def test_path_serves_with_a_version_that_fits(computer, etcd):
    file = computer.has("path", "etcd", "etcd Version: 3.6.1")
    tool = only(toolchain.look([etcd], around=computer.around))
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
def test_another_version_on_path_is_not_taken(computer, tool, says):
    computer.has("path", tool, says)
    family = next(family for family in toolchain.default() if tool in family.tools)
    found = {each.name: each for each in toolchain.look([family], around=computer.around)}
    assert found[tool].path is None
    assert f"PATH: {computer.root / 'path' / tool}" in found[tool].passed_over[0]


def test_a_newer_official_cli_on_path_is_welcome(computer):
    computer.has("path", "pulumi", "v3.272.0")
    assert only(toolchain.look([toolchain.family("engine")], around=computer.around)).version == "3.272.0"


def test_what_was_built_once_is_taken_from_the_cache_without_being_run(computer, etcd):
    computer.has_go()
    toolchain.ensure([etcd], around=computer.around)
    built = only(toolchain.look([etcd], around=computer.around)).path
    built.write_text("#!/bin/sh\nexit 1\n")  # would spoil any question for its version
    tool = only(toolchain.ensure([etcd], around=computer.around))
    assert (tool.place, tool.note, tool.version) == (Place.CACHE, "built here", "3.7.3")
    assert len(computer.builds) == 1


def test_a_changed_go_sum_asks_for_a_new_build(computer, etcd, monkeypatch, tmp_path):
    computer.has_go()
    toolchain.ensure([etcd], around=computer.around)
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_text("changed")
    recipe = type(etcd.recipe)(tmp_path, etcd.recipe.packages, etcd.recipe.flags, 0.5)
    changed = type(etcd)(**{name: getattr(etcd, name) for name in etcd.__slots__} | {"recipe": recipe})
    assert only(toolchain.look([changed], around=computer.around)).path is None


def test_a_download_comes_before_a_build(computer: Computer, publisher: Publisher, etcd):
    computer.has_go()
    publisher.publishes(etcd)
    tool = only(toolchain.ensure([etcd], around=computer.around))
    assert (tool.place, computer.builds) == (Place.DOWNLOAD, [])
    assert tool.passed_over == ("not on PATH", "not in the cache")
    assert only(toolchain.look([etcd], around=computer.around)).note == "downloaded"


def test_one_tool_of_a_family_may_come_from_path_and_the_others_from_a_build(computer):
    computer.has("path", "kube-apiserver")
    computer.has_go()
    found = toolchain.ensure([toolchain.family("kube")], around=computer.around)
    assert [tool.place for tool in found] == [Place.PATH, Place.BUILD, Place.BUILD]


def test_the_build_uses_the_committed_sums_and_no_other_go(computer):
    computer.has_go()
    toolchain.ensure([toolchain.family("kube")], around=computer.around)
    flags, go_toolchain, cgo, folder, command = computer.builds[0].split("|")
    assert (flags, go_toolchain, cgo) == ("-mod=readonly -buildvcs=false", "local", "0")
    assert folder.endswith("toolchain/kube")
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.2" in command, "a chart's kubeVersion would refuse v0.0.0"
    assert "-X k8s.io/client-go/pkg/version.gitMinor=37" in command


def test_every_default_tool_can_be_built(computer):
    computer.has_go()
    found = toolchain.ensure(around=computer.around)
    assert [tool.name for tool in found] == [name for name in SAYS if name not in FOR_TESTS]
    assert not found.missing and len(computer.builds) == 4


def test_tools_for_tests_are_only_built_when_asked_for(computer):
    computer.has_go()
    found = toolchain.ensure([toolchain.family("mig-parted")], around=computer.around)
    assert [(tool.name, tool.place) for tool in found] == [(name, Place.BUILD) for name in FOR_TESTS]
    assert computer.builds[0].split("|")[2] == "1", "go-nvml needs C"


def test_without_go_download_or_binaries_one_message_names_both_ways(computer):
    with pytest.raises(toolchain.ToolsMissing) as raised:
        toolchain.ensure(around=computer.around)
    message = str(raised.value)
    assert "6 tool(s) are missing" in message
    assert "etcd: not on PATH; not in the cache; download is switched off; build: no Go on PATH" in message
    assert "downloaded" in message and "install Go 1.26.0 or newer" in message


def test_a_go_that_is_too_old_is_named_with_what_is_needed(computer, etcd):
    old = computer.has_go("go1.19.8")
    with pytest.raises(toolchain.ToolsMissing, match=rf"{old} is go1.19.8, the modules need Go 1.26.0"):
        toolchain.ensure([etcd], around=computer.around)


def test_gos_errors_are_shown_by_their_last_lines_and_the_log_is_named(computer, etcd):
    computer.has_go(fails="missing go.sum entry")
    with pytest.raises(toolchain.BuildFailed, match=r"missing go\.sum entry") as raised:
        toolchain.ensure([etcd], around=computer.around)
    assert str(raised.value.log) in str(raised.value) and raised.value.log.exists()
    assert computer.unfinished() == []


def test_an_unknown_family_gets_a_suggestion():
    with pytest.raises(toolchain.UnknownFamily, match=r"unknown tool family 'enigne'; did you mean 'engine'\?"):
        toolchain.family("enigne")
