"""Who answers: from ``model``, ``base_url``, ``fallbacks`` and ``providers`` to routes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, structs

from ..config import Concurrency, JobConfig, ProviderConfig
from ..dialects import ANY_SERVER, APIS, KNOWN, Dialect
from ..errors import ConfigError
from ..keys import Key, KeySource, Kind, first_key, missing
from ..model import Endpoint

DEFAULT_MODEL = "local/smollm2"
EMBEDDED_CONCURRENCY = 4
"""The slots of the embedded server; "auto" means the same, since it can't grow beyond them."""
ANY_NAME = "openai-compatible"
"""The provider's name of a bare ``base_url``."""
OWN = ("local", "litellm")
"""Prefixes that are no server."""


_HINTS = (
    (re.compile(r"gpt-|chatgpt-|o\d|text-embedding-"), "openai"),
    (re.compile(r"smollm2$|.*\.gguf$"), "local"),
    (re.compile(r"deepseek-"), "deepseek"),
    (re.compile(r"grok-"), "xai"),
)


_LIKE_A_KEY = re.compile(r"([\w-]+/)?(sk-|gsk_|xai-|hf_|AIza)[A-Za-z0-9_-]{16,}")


class Route(Struct, frozen=True, kw_only=True):
    """One server and one model on it, ready to be asked.

    ``name`` is the provider as results show it; ``model`` is what the server calls it.
    ``base_url`` is None where ``embedded`` (a name or an absolute path of a GGUF file) is to be
    started, and may be for LiteLLM. ``rpm`` and ``tpm`` are a minute; ``concurrency`` is what may
    be in flight, or "auto". ``target`` is stable text for the fingerprint. ``foreign`` are the
    prefixes that can't be meant for this route.
    """

    name: str
    model: str
    base_url: str | None
    dialect: Dialect = ANY_SERVER
    key: Key | None = None
    headers: Mapping[str, str] = {}
    embedded: str | None = None
    rpm: float | None = None
    tpm: float | None = None
    concurrency: Concurrency = "auto"
    target: str
    foreign: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """As a person calls it: ``openai/gpt-4o-mini``."""
        return f"{self.name}/{self.model}"

    @property
    def endpoint(self) -> Endpoint:
        """What a row is sent to that says nothing else."""
        return "chat"

    def __repr__(self) -> str:
        return f"Route({self.target!r}, model={self.model!r})"  # headers may hold secrets


class Located(Struct, frozen=True, kw_only=True):
    """A route whose key has not been read; ``base_url_from`` names the setting of its address."""

    route: Route
    keys: Sequence[KeySource] = ()
    key_required: bool = False
    base_url_from: str = ""


def resolve(config: JobConfig, environ: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes of a job, their keys included. Raises :class:`ConfigError`."""
    return tuple(_with_key(located, environ) for located in locate(config, environ))


def _with_key(located: Located, environ: Mapping[str, str]) -> Route:
    key = first_key(located.keys, environ)
    if key is None and located.key_required:
        raise missing(located.keys, located.route.label)
    return structs.replace(located.route, key=key)


def locate(config: JobConfig, environ: Mapping[str, str]) -> tuple[Located, ...]:
    """As :func:`resolve`, but no key is read, no file opened and no command run."""
    if config.model is None and config.base_url is not None:
        raise ConfigError(
            "base_url is set, but no model; say which one that server is to use with --model NAME"
        )
    found = [_locate(config, config.model or DEFAULT_MODEL, environ)]
    for model in config.fallbacks:
        located = _locate(_for_fallback(config, model), model, environ)
        if any(located.route.target == other.route.target for other in found) and any(
            located.route.label == other.route.label for other in found
        ):
            raise ConfigError(f'fallback "{model}" is asked already: name each model once')
        found.append(located)
    return tuple(found)


def _for_fallback(config: JobConfig, model: str) -> JobConfig:
    """The job's settings as they apply to a fallback: what is said of its provider comes first."""
    prefix = model.partition("/")[0]
    entry = config.providers.get(prefix)
    named = "/" in model and (prefix in OWN or prefix in KNOWN or entry is not None)
    return structs.replace(
        config,
        base_url=None if named else config.base_url,
        rpm=(entry.rpm if entry else None) or config.rpm,
        tpm=(entry.tpm if entry else None) or config.tpm,
        concurrency=(entry.concurrency if entry else None) or config.concurrency,
    )


def _locate(config: JobConfig, model: str, environ: Mapping[str, str]) -> Located:
    if _LIKE_A_KEY.fullmatch(model):
        raise ConfigError(
            "model holds what looks like a key, which is not shown here; a key comes from a "
            "variable, such as OPENAI_API_KEY, and --model names who answers, as PROVIDER/NAME"
        )
    prefix, slash, name = model.partition("/")
    known = slash and (prefix in OWN or prefix in config.providers or prefix in KNOWN)
    if known and not name:
        raise ConfigError(f'model "{model}": the name after {prefix}/ is missing')
    if known and prefix == "local":
        return _embedded(config, name)
    if known:
        return _named(config, prefix, name, environ)
    if config.base_url is not None:
        return _any_server(config, model)
    raise _unknown(model, config.providers)


def model_for_row(route: Route, model: str) -> str:
    """The name to send for a row that names its own model.

    Raises ValueError, with the text for the row, when the model is another provider's.
    """
    prefix, slash, name = model.partition("/")
    if slash and prefix == route.name:
        if route.embedded is not None and name not in (route.model, route.embedded):
            raise ValueError(f"model {model}: this job runs {route.target} alone")
        return route.model if route.embedded is not None else name
    if slash and prefix in route.foreign:
        raise ValueError(f"model {model} is not {route.name}'s, and this job asks {route.name}")
    if not model.strip():
        raise ValueError("model is empty")
    return model


def check_base_url(url: str, setting: str) -> str:
    """The address without its trailing slash. Raises :class:`ConfigError`."""
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
    for tail in ("/chat/completions", "/completions", "/embeddings", "/responses"):
        if url.endswith(tail):
            raise ConfigError(f"{shown}: leave {tail} out, it is added by itself")
    return url


def _embedded(config: JobConfig, name: str) -> Located:
    if config.base_url is not None:
        raise ConfigError(
            f"local/{name} runs on this machine, and base_url names a server; set one of the two "
            '(--base-url "" takes it out)'
        )
    path = name.endswith(".gguf") or "/" in name
    embedded = str(Path(name).expanduser().absolute()) if path else name
    route = Route(
        name="local",
        model=Path(name).stem if path else name,
        base_url=None,
        embedded=embedded,
        rpm=config.rpm,
        tpm=config.tpm,
        concurrency=EMBEDDED_CONCURRENCY
        if config.concurrency in (None, "auto")
        else config.concurrency,
        target=f"local/{embedded}",
        foreign=frozenset(KNOWN).union(config.providers, OWN) - {"local"},
    )
    return Located(route=route)


def _named(config: JobConfig, name: str, model: str, environ: Mapping[str, str]) -> Located:
    """A provider of the YAML, or one that is known by itself; an entry adds to the latter."""
    entry, known = config.providers.get(name), KNOWN.get(name)
    api = entry.api if entry else None
    dialect = APIS[api] if api else known or ANY_SERVER
    keys = _sources(entry, name) if entry else _variables(known.key_env if known else ())
    if config.base_url is not None:
        url, source = config.base_url, "base_url"
    elif entry and (known is None or entry.base_url != known.base_url):
        url, source = entry.base_url, f"providers.{name}.base_url"
    elif known and known.url_env and environ.get(known.url_env, "").strip():
        url, source = environ[known.url_env].strip(), known.url_env
    else:
        url, source = (known.base_url if known else None) or "", "built in"
    route = _route(config, name, model, check_base_url(url, source), dialect, entry)
    # Another server than the provider's own may well do without a key.
    required = bool(keys) and source != "base_url"
    return Located(route=route, keys=keys, key_required=required, base_url_from=source)


def _any_server(config: JobConfig, model: str) -> Located:
    assert config.base_url is not None  # noqa: S101 -- the caller looked
    url = check_base_url(config.base_url, "base_url")
    route = _route(config, ANY_NAME, model, url, ANY_SERVER)
    return Located(route=route, keys=_variables(("OPENAI_API_KEY",)), base_url_from="base_url")


def _route(
    config: JobConfig,
    name: str,
    model: str,
    url: str,
    dialect: Dialect,
    entry: ProviderConfig | None = None,
) -> Route:
    official = name in KNOWN and url == KNOWN[name].base_url and not KNOWN[name].slashes
    others = frozenset(KNOWN).union(config.providers, OWN) - {name}
    return Route(
        name=name,
        model=model,
        base_url=url,
        dialect=dialect,
        headers=entry.headers if entry else {},
        rpm=config.rpm or (entry.rpm if entry else None),
        tpm=config.tpm or (entry.tpm if entry else None),
        concurrency=config.concurrency or (entry.concurrency if entry else None) or "auto",
        target=f"{name} {url}",
        foreign=others if official else frozenset(),
    )


def _variables(names: Sequence[str]) -> tuple[KeySource, ...]:
    return tuple(KeySource(kind="env", name=name, setting=name) for name in names)


def _sources(entry: ProviderConfig, provider: str) -> tuple[KeySource, ...]:
    places: tuple[tuple[Kind, str | None], ...] = (
        ("env", entry.api_key_env),
        ("file", entry.api_key_file),
        ("cmd", entry.api_key_cmd),
    )
    return tuple(
        KeySource(kind=kind, name=name, setting=f"providers.{provider}.api_key_{kind}")
        for kind, name in places
        if name is not None
    )


def _unknown(model: str, providers: Mapping[str, ProviderConfig]) -> ConfigError:
    names = [*providers, *(name for name in KNOWN if name not in providers), "local"]
    listed = ", ".join(names)
    prefix, slash, rest = model.partition("/")
    if slash:
        near = difflib.get_close_matches(prefix, names, 1)
        hint = f"; did you mean {near[0]}/{rest}?" if near else "."
        return ConfigError(
            f'model "{model}": no provider is called {prefix}{hint} Known are {listed}; '
            "any other OpenAI-compatible server goes by --base-url URL"
        )
    owner = next((owner for pattern, owner in _HINTS if pattern.match(model)), None)
    hint = f"; did you mean {owner}/{model}?" if owner else "."
    return ConfigError(
        f'model "{model}" names no provider{hint} Write PROVIDER/NAME, with one of {listed}, '
        "or give --base-url URL of the server that knows it"
    )
