"""Kubeconfigs that cannot be used, with a credential in each place that may have one."""

import base64
import json
from typing import Any

import yaml

SECRET = "s3cr3tMARKER"
"""A credential; no other text has it."""
JWT = f"eyJhbGciOiJub25lIn0.eyJ{SECRET}.c2ln"
UNUSED = "https://127.0.0.1:1"
NOT_TLS = "https://127.0.0.1:PORT"
"""A server that answers, but not with TLS: what is read before the handshake is read."""
API = "client.authentication.k8s.io/v1"
Json = dict[str, Any]


def document(user: Json | None = None, **cluster: Any) -> Json:
    """A kubeconfig with one context."""
    return {
        "clusters": [{"name": "c", "cluster": {"server": NOT_TLS, **cluster}}],
        "users": [{"name": "u", "user": {"token": SECRET} if user is None else user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }


def shell(script: str, **more: Any) -> Json:
    """A user whose exec plugin is a shell script."""
    return {"exec": {"apiVersion": API, "command": "sh", "args": ["-c", script], **more}}


def prints(**status: Any) -> Json:
    """A user whose exec plugin prints this status."""
    return shell(f"printf %s '{json.dumps({'apiVersion': API, 'kind': 'ExecCredential', 'status': status})}'")


def oidc(**changes: Any) -> Json:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")
    config = {"idp-issuer-url": UNUSED, "client-id": "c", "client-secret": SECRET, "refresh-token": SECRET}
    return {"auth-provider": {"name": "oidc", "config": {**config, "id-token": f"e30.{claims}.{SECRET}", **changes}}}


ENVIRONMENT = [{"name": "PLUGIN_SECRET", "value": SECRET}]
IN_BASE64 = base64.b64encode(f"no certificate: {SECRET}".encode()).decode()
USERS: dict[str, Json] = {
    "a token of two lines": {"token": f"a\n{SECRET}"},
    "a token with a control character": {"token": f"{SECRET}\x1b[2K"},
    "a token that is not ASCII": {"token": f"{SECRET}é"},
    "a token outside Latin-1": {"token": f"{SECRET}€"},
    "a token that is a mapping": {"token": {SECRET: SECRET}},
    "a token instead of its file": {"tokenFile": SECRET},
    "a token with a zero byte instead of its file": {"tokenFile": f"{SECRET}\0"},
    "a password outside Latin-1": {"username": "u", "password": f"{SECRET}€"},
    "a password that is a number": {"username": SECRET, "password": 1},
    "a key that is not base64": {"client-certificate-data": IN_BASE64, "client-key-data": f"{SECRET}!"},
    "a key that is not ASCII": {"client-certificate-data": IN_BASE64, "client-key-data": f"{SECRET}é"},
    "a certificate that is none": {"client-certificate-data": IN_BASE64, "client-key-data": IN_BASE64},
    "a key instead of its file": {"client-certificate": SECRET, "client-key": SECRET},
    "a plugin that fails": shell(f"echo '{SECRET}'; echo 'Bearer {SECRET} {JWT}' >&2; exit 3"),
    "a plugin that repeats its variable": shell('echo "bad: $PLUGIN_SECRET" >&2; exit 1', env=ENVIRONMENT),
    "a plugin that repeats its options": shell(
        "", args=["-c", 'echo "$@" >&2; exit 1', "x", "--password", SECRET, f"--key={SECRET}"]
    ),
    "a plugin that ends itself": shell(f"echo '{SECRET}'; kill -9 $$"),
    "a plugin that does not exist": shell("", command="no-such-plugin", env=ENVIRONMENT),
    "a plugin with its options in its name": shell("", command=f"no-such-plugin --token {SECRET}"),
    "a plugin without the value of a variable": shell("true", env=[{"name": SECRET}]),
    "a plugin that is a text": {"exec": SECRET},
    "a plugin that prints no JSON": shell(f"echo '{SECRET}'"),
    "a plugin that prints a list": shell(f"echo '[\"{SECRET}\"]'"),
    "a plugin of another version": shell(f'echo \'{{"apiVersion": "{SECRET}", "status": {{"token": "t"}}}}\''),
    "a plugin that prints no credential": prints(password=SECRET),
    "a plugin with expired credentials": prints(token=SECRET, expirationTimestamp="2020-01-01T00:00:00Z"),
    "a plugin whose credentials expire at no time": prints(token=SECRET, expirationTimestamp=SECRET),
    "a plugin whose token has a control character": prints(token=f"{SECRET}\x07"),
    "a plugin whose certificate is none": prints(clientCertificateData=SECRET, clientKeyData=SECRET),
    "a plugin with half a certificate": prints(clientCertificateData=SECRET),
    "a token that cannot be renewed": oidc(),
    "an issuer with a password": oidc(**{"idp-issuer-url": f"https://u:{SECRET}@127.0.0.1:1"}),
    "an identity token that is none": oidc(**{"id-token": SECRET}),
    "an identity token of three parts": oidc(**{"id-token": f"a.{SECRET}.c"}),
    "a command of gcp that fails": {
        "auth-provider": {
            "name": "gcp",
            "config": {"cmd-path": "sh", "cmd-args": f"-c {SECRET}", "expiry": "2020-01-01"},
        }
    },
    "a provider that is not supported": {"auth-provider": {"name": "azure", "config": {"access-token": SECRET}}},
    "a password alone": {"username": SECRET},
}
ADDRESSES = {
    "a password": f"https://u:{SECRET}@127.0.0.1:1",
    "a password with a slash": f"https://u:a/{SECRET}@127.0.0.1:1",
    "a password with a space": f"https://u:a {SECRET}@127.0.0.1:1",
    "a password with an @": f"https://u:{SECRET}@x@127.0.0.1:1",
    "a password and no scheme": f"u:{SECRET}@127.0.0.1:1",
    "a password as the scheme": f"{SECRET}:u@127.0.0.1:1",
    "another scheme": f"gopher://u:{SECRET}@127.0.0.1:1",
    "a socks proxy": f"socks5://u:{SECRET}@127.0.0.1:1",
    "a port that is none": f"https://u:{SECRET}@127.0.0.1:port",
    "an open bracket": f"https://u:{SECRET}@[127.0.0.1:1",
    "a name that is too long": f"https://u:{SECRET}@{'x' * 70}.example",
}
TEXTS = {
    "a bracket that is never closed": f"users: [{{user: {{token: {SECRET}\n",
    "a tab": f"users:\n- user:\n\ttoken: {SECRET}\n",
    "two values in a line": f"token: a: {SECRET}\n",
    "an alias": f"token: *{SECRET}\n",
    "a tag": f"token: !{SECRET} x\n",
    "a quote that is never closed": f'token: "{SECRET}\n',
    "a control character": f"token: {SECRET}\x01\n",
    "a text": SECRET,
    "a list": f"[{SECRET}]",
    "a user who is a text": yaml.safe_dump({**document(), "users": [SECRET]}),
    "a user without the key user": yaml.safe_dump({**document(), "users": [{"name": "u", "token": SECRET}]}),
    "a user without a name": yaml.safe_dump({**document(), "users": [{"user": {"token": SECRET}}]}),
    "users in a mapping": yaml.safe_dump({**document(), "users": {"u": {"token": SECRET}}}),
    "no current context": yaml.safe_dump({key: value for key, value in document().items() if key != "current-context"}),
    "a context that does not exist": yaml.safe_dump({**document(), "current-context": "other"}),
    "a cluster that does not exist": yaml.safe_dump({**document(), "clusters": []}),
    "a cluster without a server": yaml.safe_dump({**document(), "clusters": [{"name": "c", "cluster": {"x": SECRET}}]}),
    "a cluster that is a text": yaml.safe_dump({**document(), "clusters": [{"name": "c", "cluster": SECRET}]}),
    "nothing": "",
}
