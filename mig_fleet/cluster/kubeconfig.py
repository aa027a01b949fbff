"""A kubeconfig as the client library reads it, with our own run of exec plugins and a check of each token.

Imported only where a session is opened: it imports the client library.
"""

import errno
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from kubernetes.config.kube_config import FileOrData, KubeConfigLoader, KubeConfigMerger

from mig_fleet.cluster.errors import ExposedPassword, NoCredentials, PluginHangs
from mig_fleet.cluster.exec_plugin import expiry, run_plugin
from mig_fleet.confidential import user_and_password

TOKEN_FILE_AGE = timedelta(minutes=6)
"""After one minute a token is read again from its file, as client-go does (transport/token_source.go)."""
METHODS = ("token", "tokenFile", "exec", "auth-provider", "username")
"""Keys of a user that the library reads a token from; without one it would send requests without credentials."""
CERTIFICATES = ("client-certificate", "client-certificate-data")
FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Keys of a cluster or a user that name a file."""
_PROXY = re.compile(
    r"(?:https?|socks5)://(?:[\w.~!$&'()*+,;=:-]|%[0-9a-f]{2})*@(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d+)?/?",
    re.ASCII | re.IGNORECASE,
)
"""A proxy with a user, as Go reads it. Of any other one, client-go prints the address with its password (client-go
v0.34, rest/config.go and tools/clientcmd/validation.go, ``parseProxyURL``)."""


class Kubeconfig(KubeConfigLoader):  # type: ignore[misc]  # the library has no types
    """One context of a kubeconfig; ``None`` is the current one.

    The library calls the overridden methods when it loads the credentials, and again when they expire.
    """

    token: str

    def __init__(self, source: str | TextIO, context: str | None) -> None:
        """``source`` is a path, or the open contents."""
        content = KubeConfigMerger(source).config
        if content is None:
            raise FileNotFoundError(errno.ENOENT, "there is no such file; correct the path, or write the file")
        super().__init__(content, context, config_base_path=None)
        self._cluster["server"]  # raises the library's error for a key that is missing
        self._refuse_exposed_passwords()

    def _refuse_exposed_passwords(self) -> None:
        """Raises :class:`ExposedPassword` for what Pulumi's Kubernetes provider would print."""
        if user_and_password(str(self._cluster["server"])):
            text = "the address of its key 'server' has a user or a password; give them to a user of the kubeconfig"
            raise ExposedPassword(text)
        proxy = str(self._cluster["proxy-url"]) if "proxy-url" in self._cluster else ""
        if "@" in proxy and not _PROXY.fullmatch(proxy):
            form = "such as http://10.0.0.1:3128; in a user or password, write other characters than letters as %40"
            raise ExposedPassword(f"the address of its key 'proxy-url' is not a URL {form}")

    @property
    def context(self) -> str:
        """The name of the context that is used."""
        return str(self.current_context["name"])

    def secrets(self, settings: Any) -> tuple[str, ...]:
        """What no message may quote: the token, and users and passwords of addresses."""
        token = getattr(self, "token", "").partition(" ")[2]
        return (token, user_and_password(settings.host), user_and_password(settings.proxy))

    def unreadable(self) -> str | None:
        """The key of a file that cannot be read. Its value is not shown: it may be a token instead of a path."""
        for node in filter(None, (self._cluster, self._user)):
            for key in (key for key in FILES if key in node and f"{key}-data" not in node):
                try:
                    Path(self._get_base_path(node.path), str(node[key])).open("rb").close()
                except (OSError, ValueError):
                    return key
        return None

    def _load_authentication(self) -> None:
        super()._load_authentication()
        if self._user and "tokenFile" in self._user and "token" not in self._user:
            # The kubelet replaces the token of a service account; the library renews one that expires in 5 minutes.
            self.expiry = now() + TOKEN_FILE_AGE
        if "token" in self.__dict__:
            self.token = _header(self.token)
        elif unusable := self._given_method():
            raise NoCredentials(f"the key '{unusable}' of its user gives none that can be sent")

    def _given_method(self) -> str | None:
        """The key of a user who has no certificate and should have a token; ``None`` for one without credentials."""
        if not self._user or "cert_file" in self.__dict__ or any(key in self._user for key in CERTIFICATES):
            return None
        return next((key for key in METHODS if key in self._user), None)

    def _load_from_exec_plugin(self) -> bool:
        if "exec" not in self._user:
            return False
        folder = self._get_base_path(self._cluster.path)
        try:
            status = run_plugin(self._user["exec"].value, self._cluster.value, folder)
        except PluginHangs:
            raise
        except NoCredentials:
            # The library renews a token five minutes before it expires.
            if (until := getattr(self, "expiry", None)) is None or until <= now():
                raise
            return True
        self.expiry = expiry(status) or datetime.max.replace(tzinfo=UTC)
        if "token" in status:
            self.token = f"Bearer {status['token']}"
        if "clientCertificateData" in status:
            self.cert_file, self.key_file = (
                FileOrData(status, None, key, base64_file_content=False).as_file()
                for key in ("clientCertificateData", "clientKeyData")
            )
        return True


def now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


def _header(header: str) -> str:
    """The header without white space around the token, as kubectl sends it; raises :class:`NoCredentials`."""
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if not token:
        raise NoCredentials("the token of its user is empty")
    if not (token.isascii() and token.isprintable()):
        place = next(at for at, each in enumerate(token, 1) if not (each.isascii() and each.isprintable()))
        raise NoCredentials(f"character {place} of its user's token is a control character or not ASCII")
    return f"{scheme} {token}"
