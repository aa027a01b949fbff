"""The methods of the ``LanguageRuntime`` protocol that an engine calls to run programs and policy packs."""
# ruff: noqa: ARG002 (the protocol defines names and arguments)

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import empty_pb2

from mig_fleet.language_host.children import Children, chunks, end
from mig_fleet.language_host.interpreter import Interpreter, NoInterpreter, virtualenv_of
from mig_fleet.language_host.program import ALREADY_REPORTED
from mig_fleet.language_host.protocol import language_pb2, language_pb2_grpc, plugin_pb2

_PROGRAM: Final = Path(__file__).with_name("program.py")


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """One host serves one engine process."""

    def __init__(self, engine: str, children: Children) -> None:
        self._engine = engine
        self._children = children

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._children.end()
        return empty_pb2.Empty()

    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        python = _interpreter(request.info, context)
        return language_pb2.AboutResponse(
            executable=str(python.python),
            version=python.installed("python"),
            metadata={"host": "mig-fleet's language host", "hostPython": platform.python_version()},
        )

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """The plugins that the program's installed packages require, each in the version of its package."""
        plugins = _interpreter(request.info, context).installed("plugins")
        packages = [plugin_pb2.PackageDependency(kind="resource", **plugin) for plugin in plugins]
        return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        installed = _interpreter(request.info, context).installed("distributions")
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=each["name"], version=each["version"])
                for each in installed
                if request.transitiveDependencies or each["direct"]
            ]
        )

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        """Runs a program to its end. Its output is this process's own, which the engine shows."""
        if request.attach_debugger:
            return language_pb2.RunResponse(error="debuggers can be attached with the official Pulumi CLI only")
        python = _interpreter(request.info, context)
        env = python.environment(os.environ) | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        command = [str(python.python), "-u", str(_PROGRAM), json.dumps(self._settings(request))]
        try:
            with self._children.started(command, Path(request.pwd), env) as child:
                context.add_callback(lambda: end(child))
                code = child.wait()
        except InterruptedError:
            return language_pb2.RunResponse(bail=True)
        if code == ALREADY_REPORTED or self._children.ended or not context.is_active():
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"program exited with non-zero exit code: {code}" if code else "")

    def _settings(self, request: language_pb2.RunRequest) -> dict[str, Any]:
        return {
            "program": str(Path(request.info.program_directory, request.info.entry_point)),
            "args": list(request.args),
            "project": request.project,
            "stack": request.stack,
            "monitor": request.monitor_address,
            "engine": self._engine,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization or "organization",
            "root_directory": request.info.root_directory,
        }

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Runs a policy pack, or a plugin that is a Python program, and streams its output.

        The engine reads a plugin's port from the first line of its stdout, and ends it by cancelling the call.
        """
        python = _interpreter(request.info, context)
        folder = Path(request.info.program_directory)
        if request.kind == "analyzer":
            program, cwd = ["-m", "pulumi.policy", *request.args, str(folder)], folder
        else:
            program, cwd = [str(folder / request.info.entry_point), *request.args], Path(request.pwd)
        given = dict(pair.split("=", 1) for pair in request.env if "=" in pair)
        env = python.environment(given or os.environ)
        for piece in self._output([str(python.python), "-u", *program], cwd, env, context):
            match piece:
                case ("stdout", bytes(chunk)):
                    yield language_pb2.RunPluginResponse(stdout=chunk)
                case ("stderr", bytes(chunk)):
                    yield language_pb2.RunPluginResponse(stderr=chunk)
                case int(code):
                    yield language_pb2.RunPluginResponse(exitcode=code)

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Creates the virtualenv that the project file names, and installs requirements.txt into it."""
        folder, virtualenv = Path(request.directory), virtualenv_of(request.info)
        commands = []
        if virtualenv is not None and not (virtualenv / "bin" / "python").exists():
            commands.append([sys.executable, "-m", "venv", str(virtualenv)])
        if (folder / "requirements.txt").exists():
            python = str(virtualenv / "bin" / "python") if virtualenv else sys.executable
            commands.append([python, "-m", "pip", "install", "-r", "requirements.txt"])
        for command in commands:
            for piece in self._output(command, folder, os.environ, context):
                if not isinstance(piece, int):
                    yield language_pb2.InstallDependenciesResponse(**{piece[0]: piece[1]})
                elif piece != 0:
                    context.abort(grpc.StatusCode.UNKNOWN, f"`{' '.join(command)}` ended with exit code {piece}")

    def _output(
        self, command: list[str], cwd: Path, env: Mapping[str, str], context: grpc.ServicerContext
    ) -> Iterator[tuple[str, bytes] | int]:
        """The output of a process as ``("stdout" | "stderr", bytes)``, and at the end its exit code."""
        with self._children.started(command, cwd, env, output=subprocess.PIPE) as child:
            context.add_callback(lambda: end(child))
            yield from chunks(child)
            yield child.wait()


def _interpreter(info: language_pb2.ProgramInfo, context: grpc.ServicerContext) -> Interpreter:
    try:
        return Interpreter.of(info)
    except NoInterpreter as problem:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(problem))
        raise  # not reached: abort raises
