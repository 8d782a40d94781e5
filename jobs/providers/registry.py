"""Who answers: from ``model``, ``base_url``, ``fallbacks`` and ``providers`` to routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, structs

from ..config import Concurrency, JobConfig, ProviderConfig
from ..dialects import ANY_SERVER, APIS, KNOWN, Dialect
from ..errors import ConfigError
from ..keys import Key, KeySource, Kind, first_key, missing
from ..model import Endpoint
from .addresses import address, check_base_url
from .names import refuse_key, unknown

DEFAULT_MODEL = "local/smollm2"
EMBEDDED_CONCURRENCY = 4
"""The slots of the embedded server; "auto" means the same, since it can't grow beyond them."""
ANY_NAME = "openai-compatible"
"""The provider's name of a bare ``base_url``."""
AZURE = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
"""Where Azure serves OpenAI's models."""
OWN = ("local",)
"""Prefixes that are no server."""


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
    def official(self) -> bool:
        """Whether this is the provider of that name, at its own address: its prices hold."""
        known, url = KNOWN.get(self.name), self.base_url
        if known is None or known.wire != self.dialect.wire:
            return False
        if self.name == "azure":  # everybody has an own address there
            return (urlsplit(url or "").hostname or "").endswith(AZURE)
        return url == known.base_url

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
    asked = {_identity(found[0].route)}
    for model in config.fallbacks:
        located = _locate(_for_fallback(config, model), model, environ)
        if _identity(located.route) in asked:
            raise ConfigError(f'fallback "{model}" is asked already: name each model once')
        asked.add(_identity(located.route))
        found.append(located)
    return tuple(found)


def switched(config: JobConfig, model: str) -> JobConfig:
    """The settings where another model is asked first; the fallbacks stay.

    ``base_url`` is that of the first model's provider, and of names without a provider.
    """
    own, _, _ = (config.model or DEFAULT_MODEL).partition("/")
    prefix, slash, _ = model.partition("/")
    elsewhere = slash and prefix != own and _is_named(config, prefix)
    return structs.replace(
        config,
        model=model,
        base_url=None if elsewhere else config.base_url,
        fallbacks=tuple(name for name in config.fallbacks if name != model),
    )


def _identity(route: Route) -> tuple[str, str]:
    return route.target, route.model


def _for_fallback(config: JobConfig, model: str) -> JobConfig:
    """The job's settings as they apply to a fallback.

    ``base_url`` is the first model's, and that of names without a provider; limits that the
    fallback's own provider has come before the job's.
    """
    prefix, slash, _ = model.partition("/")
    if not slash or not _is_named(config, prefix):
        return config
    if prefix == "local":  # how much it takes at once is a matter of this machine
        return structs.replace(config, base_url=None, concurrency=None)
    entry = config.providers.get(prefix) or ProviderConfig()
    return structs.replace(
        config,
        base_url=None,
        rpm=entry.rpm or config.rpm,
        tpm=entry.tpm or config.tpm,
        concurrency=entry.concurrency or config.concurrency,
    )


def _is_named(config: JobConfig, prefix: str) -> bool:
    return prefix in OWN or prefix in config.providers or prefix in KNOWN


def _locate(config: JobConfig, model: str, environ: Mapping[str, str]) -> Located:
    refuse_key(model)
    prefix, slash, name = model.partition("/")
    named = slash and _is_named(config, prefix)
    if named and not name:
        raise ConfigError(f'model "{model}": the name after {prefix}/ is missing')
    if named and prefix == "local":
        return _embedded(config, name)
    if named:
        return _named(config, prefix, name, environ)
    if config.base_url is not None:
        return _any_server(config, model)
    raise unknown(model, config.providers)


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
        dialect=structs.replace(ANY_SERVER, schemas=True),  # llama.cpp
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
    dialect = known if known and api in (None, name) else APIS[api or "openai"]
    url, source = address(config, name, dialect, environ)
    told = {key: environ.get(name, "").strip() for key, name in dialect.query_env.items()}
    query = {**dialect.query, **{key: value for key, value in told.items() if value}}
    dialect = structs.replace(dialect, query=query)
    keys = _keys(entry, name)
    carried = entry is not None and not entry.headers.keys().isdisjoint(
        ("authorization", dialect.header)
    )
    # Another server than the provider's own may well do without a key.
    required = bool(keys) and dialect.needs_key and source != "base_url" and not carried
    route = _route(config, name, model, url, dialect, entry)
    return Located(route=route, keys=keys, key_required=required, base_url_from=source)


def _keys(entry: ProviderConfig | None, name: str) -> tuple[KeySource, ...]:
    """Where the key of a named provider may be.

    Those of a known one are its own variables, unless its entry leads to another address.
    """
    known = KNOWN.get(name)
    if entry is None:
        return _variables(known.key_env if known else ())
    sources = _sources(entry, name)
    if not sources and known and (entry.base_url is None or known.base_url is None):
        return _variables(known.key_env)
    if known and known.key_env and entry.api_key_env == known.key_env[0]:
        sources = (sources[0], *_variables(known.key_env[1:]), *sources[1:])
    return sources


def _any_server(config: JobConfig, model: str) -> Located:
    assert config.base_url is not None  # noqa: S101 -- the caller looked
    url = check_base_url(config.base_url, "base_url", ANY_SERVER.tails)
    route = _route(config, ANY_NAME, model, url, ANY_SERVER)
    return Located(route=route, keys=_variables(("OPENAI_API_KEY",)), base_url_from="base_url")


def _route(
    config: JobConfig,
    name: str,
    model: str,
    url: str | None,
    dialect: Dialect,
    entry: ProviderConfig | None = None,
) -> Route:
    known = KNOWN.get(name)
    official = known and not known.slashes and known.base_url in (None, url)
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
        target=name if url is None else f"{name} {url}",
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
