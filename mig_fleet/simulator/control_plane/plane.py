"""Starting and stopping the four programs of the control plane; ready when each health check succeeds."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import aiohttp

from mig_fleet.simulator.control_plane import certificates, commands
from mig_fleet.simulator.control_plane.process import Child
from mig_fleet.simulator.errors import MissingBinary, NotStarted
from mig_fleet.simulator.files import write_private
from mig_fleet.simulator.loopback import bound_socket

BINARIES: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
PORTS: Final = ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
READY_TIMEOUT_S: Final = 60
"""A laptop under load takes ten times the usual three seconds."""
LARGE: Final = {"GOGC": "400"}
"""Go's garbage collector runs at five times the live heap instead of twice (runtime package, GOGC)."""
ATTEMPTS: Final = 3
"""Another process can take a port between our check and its use."""


class ControlPlane:
    """A cluster with its data, keys and ports in one folder; another start in that folder resumes it."""

    def __init__(self, directory: Path, binaries: Path) -> None:
        self.directory, self.binaries = directory, binaries
        self.kubeconfig = directory / "kubeconfig"
        self._environment: Mapping[str, str] = {}
        self.children: dict[str, Child] = {}
        self.ports: dict[str, int] = {}

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports['kube-apiserver']}"

    async def start(self, progress: Callable[[str], None] = lambda _: None, large: bool = False) -> None:
        """Return when all four are healthy; raises :class:`MissingBinary` or :class:`NotStarted`.

        ``progress`` is called with the name of each step. A ``large`` control plane uses up to twice the memory and a
        quarter less CPU time.
        """
        self._environment = LARGE if large else {}
        missing = [name for name in BINARIES if not (self.binaries / name).exists()]
        if missing:
            raise MissingBinary(
                f"{', '.join(missing)} not found in {self.binaries}; "
                "`mig-fleet toolchain` installs the programs of the control plane"
            )
        for attempt in range(1, ATTEMPTS + 1):
            self.ports = _ports(self.directory / "ports.json", fresh=attempt > 1)
            self._write_keys()
            try:
                await self._start(progress)
                return
            except NotStarted:
                self.stop()
                if attempt == ATTEMPTS:
                    raise

    def stop(self) -> None:
        """Kill all four, etcd last."""
        for name in reversed(BINARIES):
            if name in self.children:
                self.children.pop(name).kill()

    def failed(self) -> str | None:
        """The program that ended since the start, with the last lines of its log; ``None`` while all run."""
        for child in self.children.values():
            if child.exit_code is not None:
                return f"{child.name} ended with exit code {child.exit_code}:\n{child.last_lines()}"
        return None

    async def _start(self, progress: Callable[[str], None]) -> None:
        here, ports = self.directory, self.ports
        timeout = aiohttp.ClientTimeout(total=2)
        admin = ssl.create_default_context(cafile=str(here / "pki/ca.crt"))
        admin.load_cert_chain(here / "pki/admin.crt", here / "pki/admin.key")
        async with aiohttp.ClientSession(timeout=timeout) as session:
            progress("etcd")
            self._run("etcd", commands.etcd(here, ports))
            await self._wait_healthy("etcd", session, f"http://127.0.0.1:{ports['etcd']}/health", True)
            progress("kube-apiserver")
            self._run("kube-apiserver", commands.apiserver(here, ports))
            await self._wait_healthy("kube-apiserver", session, f"{self.server}/readyz", admin)
            progress("kube-controller-manager, kube-scheduler")
            self._run("kube-controller-manager", commands.controller_manager(here, ports))
            self._run("kube-scheduler", commands.scheduler(here, ports))
            for name in ("kube-controller-manager", "kube-scheduler"):
                # No check of their self-signed certificates: the request only asks whether they are healthy.
                await self._wait_healthy(name, session, f"https://127.0.0.1:{ports[name]}/healthz", False)

    def _run(self, name: str, arguments: list[str]) -> None:
        logs = self.directory / "logs"
        logs.mkdir(exist_ok=True)
        self.children[name] = Child(
            name, [str(self.binaries / name), *arguments], logs / f"{name}.log", self._environment
        )

    async def _wait_healthy(
        self, name: str, session: aiohttp.ClientSession, url: str, tls: ssl.SSLContext | bool
    ) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        child = self.children[name]
        while child.exit_code is None and time.monotonic() < deadline:
            try:
                async with session.get(url, ssl=tls) as response:
                    if response.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
        ended = f"ended with exit code {child.exit_code}"
        problem = ended if child.exit_code is not None else f"was not healthy after {READY_TIMEOUT_S} s"
        raise NotStarted(f"{name} {problem}; its log {child.log} ends with\n{child.last_lines()}")

    def _write_keys(self) -> None:
        """Write certificates once per folder, and kubeconfigs at each start, because the port may have changed."""
        pki = self.directory / "pki"
        if not (pki / "complete").exists():
            pki.mkdir(parents=True, exist_ok=True, mode=0o700)
            authority = certificates.Authority()
            pairs: Mapping[str, certificates.Pair] = {
                "server": authority.server(),
                "admin": authority.client("simulator-admin", "system:masters"),
                "kube-controller-manager": authority.client("system:kube-controller-manager"),
                "kube-scheduler": authority.client("system:kube-scheduler"),
                "service-account": certificates.service_account_keys(),
            }
            write_private(pki / "ca.crt", authority.certificate)
            for name, pair in pairs.items():
                write_private(pki / f"{name}.crt", pair.certificate)
                write_private(pki / f"{name}.key", pair.key)
            (pki / "complete").touch()
        authority_pem = (pki / "ca.crt").read_bytes()
        for user, path in {
            "admin": self.kubeconfig,
            "kube-controller-manager": pki / "kube-controller-manager.kubeconfig",
            "kube-scheduler": pki / "kube-scheduler.kubeconfig",
        }.items():
            pair = certificates.Pair((pki / f"{user}.crt").read_bytes(), (pki / f"{user}.key").read_bytes())
            write_private(path, certificates.kubeconfig(self.server, authority_pem, pair))


def _ports(file: Path, fresh: bool) -> dict[str, int]:
    """The ports of the last start where they are still free, so that existing kubeconfigs keep working."""
    before: dict[str, int] = {}
    if not fresh and file.exists():
        before = json.loads(file.read_text())
    # All stay bound until all are known, so that no port is used twice.
    listeners = [bound_socket(before.get(name, 0)) for name in PORTS]
    ports = {name: int(each.getsockname()[1]) for name, each in zip(PORTS, listeners, strict=True)}
    for each in listeners:
        each.close()
    file.write_text(json.dumps(ports))
    return ports
