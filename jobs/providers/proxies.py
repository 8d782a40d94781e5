"""The proxy that the environment names for an address: read once, not for each request."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import ConfigError

TOLD = {"User-Agent": "llmbatch"}
"""All that a proxy is told, beside its own credentials, when it is asked for a tunnel."""


def proxy_for(url: str) -> str | None:
    """The proxy for ``url``, or None.

    ``https_proxy``, ``http_proxy``, ``all_proxy`` and ``no_proxy`` count as they do for curl, but
    loopback is never sent through a proxy. Raises :class:`ConfigError` for a proxy that is no
    HTTP one.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = "http://" + proxy
    scheme = urlsplit(proxy).scheme
    if scheme not in ("http", "https"):
        raise ConfigError(
            f"the environment's proxy for {host} is a {scheme} one; only http:// and https:// "
            f"proxies work (unset it, or add {host} to no_proxy)"
        )
    return proxy


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
