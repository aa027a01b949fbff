"""Our Python language host as an engine uses it: a process, a port, calls over gRPC."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from tests.language_host.an_engine import Engine, serving
from tests.toolchain.conftest import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def serving_engine() -> Iterator[Engine]:
    with serving(Engine()) as served:
        yield served


@pytest.fixture
def engine(serving_engine: Engine) -> Engine:
    """An engine without log lines and outputs."""
    serving_engine.logged.clear()
    serving_engine.outputs = {}
    return serving_engine


@contextmanager
def a_process(engine: Engine) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-P", "-u", "-m", "mig_fleet.language_host", engine.address]
    host = subprocess.Popen(
        command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield host
    finally:
        host.kill()
        host.communicate()


@contextmanager
def connected(process: "subprocess.Popen[str]") -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    assert process.stdout is not None
    with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
        yield language_pb2_grpc.LanguageRuntimeStub(channel)


@pytest.fixture(scope="module")
def host(serving_engine: Engine) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    """One host for all tests that do not end it."""
    with a_process(serving_engine) as process, connected(process) as stub:
        yield stub


def a_project(folder: Path, program: str = "", **options: str) -> language_pb2.ProgramInfo:
    (folder / "__main__.py").write_text(program)
    info = language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")
    info.options.CopyFrom(json_format.ParseDict(options, struct_pb2.Struct()))
    return info


def run(
    host: language_pb2_grpc.LanguageRuntimeStub, engine: Engine, info: language_pb2.ProgramInfo, **changes: Any
) -> language_pb2.RunResponse:
    given: dict[str, Any] = {"project": "demo", "stack": "dev", "organization": "acme", "parallel": 4}
    request = language_pb2.RunRequest(
        pwd=info.program_directory, monitor_address=engine.address, info=info, loader_target="", **{**given, **changes}
    )
    response: language_pb2.RunResponse = host.Run(request, timeout=60)
    return response


def test_it_reports_the_version_of_pulumi(host: language_pb2_grpc.LanguageRuntimeStub) -> None:
    assert host.GetPluginInfo(empty_pb2.Empty()).version == "3.259.0"


def test_about_names_the_programs_python(host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path) -> None:
    about = host.About(language_pb2.AboutRequest(info=a_project(tmp_path, virtualenv=str(ROOT / ".venv"))))
    assert about.executable == str(ROOT / ".venv" / "bin" / "python")
    assert about.version == ".".join(map(str, sys.version_info[:3]))


def test_required_packages_are_those_of_the_installed_sdks(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    answer = host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=a_project(tmp_path)))
    assert [(each.name, each.kind, each.version) for each in answer.packages] == [("kubernetes", "resource", "4.25.0")]


def test_dependencies_are_the_installed_distributions(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    info = a_project(tmp_path)

    def names(transitive: bool) -> set[str]:
        request = language_pb2.GetProgramDependenciesRequest(info=info, transitiveDependencies=transitive)
        return {each.name for each in host.GetProgramDependencies(request).dependencies}

    assert {"pulumi", "grpcio"} <= names(transitive=True)
    assert "grpcio" not in names(transitive=False), "pulumi files it"


def test_a_missing_virtualenv_is_named(host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        host.About(language_pb2.AboutRequest(info=a_project(tmp_path, virtualenv="nowhere")))
    assert f"names {tmp_path / 'nowhere'}, which has no bin/python" in refused.value.details()


def test_a_program_sees_its_settings_its_config_and_its_own_modules(
    host: language_pb2_grpc.LanguageRuntimeStub, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("def late(text): import later; return text + later.WORD")
    (tmp_path / "later.py").write_text("WORD = '!'")
    program = """
import os, pulumi, beside
config = pulumi.Config()
pulumi.export("seen", [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization(), config.require("size")])
pulumi.export("dry", pulumi.runtime.is_dry_run())
pulumi.export("secret", config.get_secret("token").is_secret())
pulumi.export("late", pulumi.Output.from_input("imported in time").apply(beside.late))
pulumi.export("where", os.getcwd())
"""
    response = run(
        host,
        engine,
        a_project(tmp_path, program),
        dryRun=True,
        config={"demo:size": "7", "demo:token": "hush"},
        configSecretKeys=["demo:token"],
    )
    assert (response.error, response.bail, engine.logged) == ("", False, [])
    assert engine.outputs == {
        "seen": ["demo", "dev", "acme", "7"],
        "dry": True,
        "secret": True,
        "late": "imported in time!",
        "where": str(tmp_path),
    }


@pytest.mark.parametrize(
    ("program", "error", "bail", "logged"),
    [
        ("import sys; sys.exit(3)", "program exited with non-zero exit code: 3", False, []),
        ("import sys, pulumi; pulumi.log.error('reported'); sys.exit(32)", "", True, ["reported"]),
        ("import pulumi; raise pulumi.RunError('one clean line')", "", True, ["one clean line"]),
        ("import sys; sys.exit(0)", "", False, []),
    ],
)
def test_the_engine_gets_the_exit_status_of_the_program(
    host: language_pb2_grpc.LanguageRuntimeStub,
    engine: Engine,
    tmp_path: Path,
    program: str,
    error: str,
    bail: bool,
    logged: list[str],
) -> None:
    response = run(host, engine, a_project(tmp_path, program))
    assert (response.error, response.bail, engine.logged) == (error, bail, logged)


def test_an_unhandled_exception_shows_the_programs_frames_and_not_the_hosts(
    host: language_pb2_grpc.LanguageRuntimeStub, engine: Engine, tmp_path: Path
) -> None:
    response = run(host, engine, a_project(tmp_path, "def f():\n    raise ValueError('boom')\nf()\n"))
    assert response.bail
    (message,) = engine.logged
    assert "ValueError: boom" in message and str(tmp_path) in message
    assert "language_host" not in message and "run_in_stack" not in message


def test_a_policy_pack_is_run_in_its_folder_and_its_output_streams(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    pack = (
        "import os, sys; print('4711', os.getcwd(), os.environ['GIVEN']); print('oops', file=sys.stderr); sys.exit(5)"
    )
    info = a_project(tmp_path, pack)
    request = language_pb2.RunPluginRequest(
        pwd="/", info=info, kind="analyzer", args=["127.0.0.1:1"], env=[f"PATH={os.defpath}", "GIVEN=a=b"]
    )
    answers = list(host.RunPlugin(request, timeout=60))
    assert b"".join(each.stdout for each in answers).decode().split() == ["4711", str(tmp_path), "a=b"]
    assert b"oops" in b"".join(each.stderr for each in answers)
    assert answers[-1].exitcode == 5


def test_a_plugin_ends_when_the_engine_cancels_the_call(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    marker = tmp_path / "ended"
    pack = f"""
import signal, sys, time, pathlib
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(marker)!r}).touch(), sys.exit()))
print("ready", flush=True)
time.sleep(60)
"""
    request = language_pb2.RunPluginRequest(pwd="/", info=a_project(tmp_path, pack), kind="analyzer", args=["x"])
    call = host.RunPlugin(request)
    assert next(call).stdout.startswith(b"ready"), "it streams while the plugin runs"
    call.cancel()
    until(marker.exists, "the plugin is terminated")


def test_without_requirements_nothing_is_installed(host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path) -> None:
    request = language_pb2.InstallDependenciesRequest(directory=str(tmp_path), info=a_project(tmp_path))
    assert list(host.InstallDependencies(request)) == []


def test_a_failed_installation_streams_the_output_of_pip(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("./not-here\n")
    request = language_pb2.InstallDependenciesRequest(directory=str(tmp_path), info=a_project(tmp_path))
    output = b""
    with pytest.raises(grpc.RpcError, match=r"pip install -r requirements\.txt` ended with exit code 1"):
        for answer in host.InstallDependencies(request, timeout=60):
            output += answer.stdout + answer.stderr
    assert b"not-here" in output


@pytest.mark.parametrize("how", ["Cancel", "signal"])
def test_an_interrupted_program_and_its_host_end_without_output(engine: Engine, tmp_path: Path, how: str) -> None:
    program = "import time, pathlib; pathlib.Path('started').touch(); time.sleep(60)"
    with a_process(engine) as process, connected(process) as host, futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, host, engine, a_project(tmp_path, program))
        until((tmp_path / "started").exists, "the program runs")
        if how == "Cancel":
            host.Cancel(empty_pb2.Empty())
            assert running.result(timeout=20).bail, "the error has been printed"
        os.killpg(process.pid, signal.SIGINT)  # as the engine does, to the whole group
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
        assert running.exception(timeout=20) is None or how == "signal"


def test_a_host_does_not_outlive_its_engine(engine: Engine) -> None:
    """Not even an engine that was killed: the host notices that its parent has changed."""
    command = f"{sys.executable} -P -u -m mig_fleet.language_host {engine.address} & echo $!; read line"
    parent = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    host = int(parent.stdout.readline())
    assert parent.stdout.readline().strip().isdigit(), "the host serves"
    parent.kill()
    parent.communicate()
    until(lambda: not Path(f"/proc/{host}").exists(), "the host ends")
