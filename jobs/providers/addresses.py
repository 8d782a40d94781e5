"""Where a provider is: its base URL, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..config import JobConfig
from ..dialects import KNOWN, Dialect
from ..errors import ConfigError


def address(
    config: JobConfig, name: str, dialect: Dialect, environ: Mapping[str, str]
) -> tuple[str | None, str]:
    """The base URL of a named provider, checked, and the setting that it comes from.

    None where the provider needs none. Raises :class:`ConfigError`.
    """
    entry, known = config.providers.get(name), KNOWN.get(name)
    own = entry.base_url if entry else None
    if config.base_url is not None:
        found, setting = config.base_url, "base_url"
    elif own and (known is None or own != known.base_url):
        found, setting = own, f"providers.{name}.base_url"
    elif dialect.url_env and known and environ.get(dialect.url_env, "").strip():
        found, setting = environ[dialect.url_env].strip(), dialect.url_env
    elif known and known.base_url:
        found, setting = known.base_url, "built in"
    elif dialect.wire == "litellm":
        return None, "LiteLLM"
    else:
        variable = f"set {dialect.url_env}, or " if known and dialect.url_env else ""
        raise ConfigError(
            f"{name} has no address: {variable}say where its server is with --base-url URL or "
            f"providers.{name}.base_url"
        )
    return check_base_url(found, setting, dialect.tails), setting


def check_base_url(url: str, setting: str, tails: tuple[str, ...]) -> str:
    """The address without its trailing slash. Raises :class:`ConfigError`.

    ``tails`` are ends that do not belong there, because each request brings them.
    """
    # Never shown where it may hold a password, a key, or be one.
    safe = "@" not in url and re.search(r"[:/.]", url) is not None
    shown = f'{setting} "{re.split("[?#]", url)[0]}"' if safe else setting
    if not url.isprintable() or " " in url:
        raise ConfigError(f"{setting} is not a URL: it holds a space or a control character")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{shown} is not a URL: its host or port is wrong") from None
    if parts.scheme not in ("http", "https"):
        raise ConfigError(f"{shown} is not a URL: it must begin with http:// or https://")
    if not host:
        raise ConfigError(f"{shown} is not a URL: it names no host")
    if "@" in parts.netloc:
        raise ConfigError(f"{setting}: a user or password in the address would be seen; remove it")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ConfigError(f"{shown}: remove what follows the path (? or #)")
    url = url.rstrip("/")
    for tail in tails:
        if url.endswith(tail):
            raise ConfigError(f"{shown}: leave {tail} out, it is added by itself")
    return url
