"""How the double's own tests ask it: one request, redirects not followed."""

import http.client
import json
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import Any

VARIANT = "build/torch27-cxx11-cpu-x86_64-linux"
SMALL = b"import torch\n"
LARGE = bytes(range(256)) * 1000


@dataclass
class Reply:
    """What came; `headers` are found whatever the case of their letters."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def connect(url: str, ca_file: str | None = None) -> http.client.HTTPConnection:
    """A connection to the host of a URL; it waits long, but not for ever."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_file)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=60, context=context)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)


def ask(url: str, method: str = "GET", body: bytes | None = None, ca_file: str | None = None, **headers: str) -> Reply:
    """One request on a connection of its own. headers: `_` for `-`."""
    connection = connect(url, ca_file)
    try:
        target = url.partition("://")[2].partition("/")[2]
        connection.request(method, "/" + target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def post(url: str, **values: Any) -> Reply:
    """A request of the control interface."""
    return ask(url, "POST", json.dumps(values).encode())


def files() -> dict[str, bytes]:
    """Those of a small kernel."""
    return {
        "README.md": b"# fake-relu\n",
        f"{VARIANT}/__init__.py": SMALL,
        f"{VARIANT}/_x.abi3.so": LARGE,
        f"{VARIANT}/empty.py": b"",
        f"{VARIANT}/fake_relu/__init__.py": b"from .. import *\n",
        f"{VARIANT}/metadata.json": b'{"name": "fake-relu"}',
    }
