"""``--pushgateway URL``: figures for Prometheus's Pushgateway.

https://github.com/prometheus/pushgateway#put-method: a push replaces the group of its address.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import structs

from ..errors import ConfigError
from .exposition import CONTENT_TYPE, exposition
from .names import PUSHGATEWAY_AUTH
from .reading import Reading
from .sending import Target, basic_auth, below, check_headers, checked_url, opener_for, send
from .textfile import EVERY, output_of

JOB = "llmbatch"


def gateway_target(url: str, environ: Mapping[str, str]) -> Target:
    """Where to push, without the group where the address names none. Raises ConfigError."""
    bare, auth = checked_url(url, "--pushgateway")
    if user := environ.get(PUSHGATEWAY_AUTH, "").strip():
        if ":" not in user:
            raise ConfigError(f"{PUSHGATEWAY_AUTH}: write it as USER:PASSWORD")
        auth = basic_auth(user)
    check_headers(auth, PUSHGATEWAY_AUTH)
    tls = ssl.create_default_context() if bare.startswith("https:") else None
    headers = {"Content-Type": CONTENT_TYPE, **auth}
    return Target(url=bare, headers=headers, opener=opener_for(tls))


class Pushgateway:
    """Pushes each reading to the group of its job: this host and the output.

    An address that names a group itself (``.../metrics/job/...``) is taken as it is.
    """

    every = EVERY

    def __init__(self, target: Target, host: str, version: str) -> None:
        self._target = target
        self._host = host
        self._version = version

    def take(self, reading: Reading, timeout: float) -> None:
        output = output_of(reading)
        target = structs.replace(self._target, url=self._group(output))
        send(target, exposition(reading, self._version, output), method="PUT", timeout=timeout)

    def _group(self, output: str) -> str:
        url = self._target.url
        if "/metrics/job" in urlsplit(url).path:
            return url
        labels = {"job": JOB, "instance": self._host, "output": output}
        return below(url, "/metrics" + "".join(_part(*pair) for pair in labels.items()))

    def __str__(self) -> str:
        return f"the Pushgateway {self._target.shown}"


def _part(name: str, value: str) -> str:
    """A label of a group in the address: always as base64, which has room for any value."""
    if value.isascii() and value.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return f"/{name}/{value}"
    coded = base64.urlsafe_b64encode(value.encode("utf-8", "backslashreplace")).decode()
    return f"/{name}@base64/{coded.rstrip('=') or '='}"
