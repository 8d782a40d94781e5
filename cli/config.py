"""``llmbatch config show``: the settings in force, and where each one came from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .joboptions import job_options
from .options import JobCommand, JobOption, settings_from
from .terminal import printable, put

if TYPE_CHECKING:
    from llmbatch.jobs.prices.book import PriceBook
    from llmbatch.jobs.prices.price import Price
    from llmbatch.jobs.providers.registry import Located
    from llmbatch.jobs.settings import Settings

_WIDEST = 60


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command(cls=JobCommand)
@job_options
@click.option(
    "--json", "as_json", cls=JobOption, section="Output", is_flag=True, help="Print JSON."
)
@click.pass_context
def show(ctx: click.Context, /, *, as_json: bool, **_: Any) -> None:
    """Show every setting in force, its value and where it came from.

    Takes the options of `llmbatch run` and shows what they would do. Keys are never shown, only
    whether they are there.
    """
    from llmbatch.jobs.errors import ConfigError
    from llmbatch.jobs.prices.book import PriceBook
    from llmbatch.jobs.providers.registry import locate

    settings = settings_from(ctx)
    located: Sequence[Located] = ()
    routes: Sequence[Mapping[str, Any]] = ()
    problem = None
    try:
        located = locate(settings.config, os.environ)
        book = PriceBook(settings.config, [each.route for each in located])
        routes = [_route(each, book) for each in located]
    except ConfigError as error:
        problem = error
    rows = list(_rows(settings))
    put(_json(rows, routes, problem) if as_json else _table(rows) + "".join(map(_block, routes)))
    if problem is not None:
        raise problem


def _rows(settings: Settings) -> Iterator[tuple[str, Any, str]]:
    from llmbatch.jobs.manifest.masks import masked

    for key, origin in settings.origins.items():
        yield key, masked(key, _value(settings, key)), origin


def _value(settings: Settings, key: str) -> Any:
    """Provider and parameter names may hold dots, so the key is matched, not split."""
    first, _, rest = key.partition(".")
    value = getattr(settings.config, first)
    if first == "params" and rest:
        return value.get(rest)
    if first == "prices" and rest:
        name, _, field = rest.rpartition(".")
        return getattr(value[name], field)
    if first == "providers" and rest:
        for name, entry in value.items():
            field, _, header = rest.removeprefix(f"{name}.").partition(".")
            if rest.startswith(f"{name}.") and hasattr(entry, field):
                found = getattr(entry, field)
                return found[header] if header else found
    return value


def _route(located: Located, book: PriceBook) -> dict[str, Any]:
    route = located.route
    shown = {
        "provider": route.name,
        "model": route.model,
        "base_url": route.base_url,
        "base_url_from": located.base_url_from,
        "key": _key(located),
        "rpm": route.rpm,
        "tpm": route.tpm,
        "concurrency": route.concurrency,
        "price": _price(book.of(route.name, route.model)),
    }
    if route.dialect.wire == "litellm" and route.base_url is None:
        shown |= {"base_url": "known to LiteLLM", "key": "LiteLLM's own variables"}
    if route.embedded is not None:
        shown |= {"base_url": "started on demand on this machine", "key": "none needed"}
    return shown


def _price(price: Price | None) -> dict[str, Any] | None:
    """USD for a million tokens, and who says so; None where nobody knows it."""
    if price is None:
        return None
    rates = price.rates
    return {
        "input": rates.input,
        "output": rates.output,
        "cached": rates.from_cache,
        "cache_write": rates.to_cache,
        "tiers": [above for above, _ in price.tiers],
        "from": price.source,
    }


def _key(located: Located) -> str:
    if not located.keys:
        return "none"
    places = ", else ".join(source.describe(os.environ) for source in located.keys)
    return places if located.key_required else f"{places}, optional"


def _json(
    rows: list[tuple[str, Any, str]], routes: Sequence[Mapping[str, Any]], problem: Any
) -> str:
    document = {
        "settings": {key: {"value": value, "from": origin} for key, value, origin in rows},
        "route": routes[0] if routes else None,
        "fallbacks": routes[1:],
        "problem": None if problem is None else str(problem),
    }
    return json.dumps(document, indent=2) + "\n"


def _table(rows: list[tuple[str, Any, str]]) -> str:
    cells = [(printable(key), _cell(value), printable(origin)) for key, value, origin in rows]
    cells.insert(0, ("SETTING", "VALUE", "FROM"))
    first, second = (max(len(row[column]) for row in cells) for column in (0, 1))
    return "".join(f"{a:{first}}  {b:{second}}  {c}".rstrip() + "\n" for a, b, c in cells)


def _cell(value: Any) -> str:
    if value is None or value in ((), [], {}):
        text = "-"
    elif isinstance(value, float):
        text = f"{value:.12g}"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


def _block(route: Mapping[str, Any]) -> str:
    source = route["base_url_from"]
    address = f"{route['base_url']} ({source})" if source else route["base_url"]
    lines = {
        "route": f"{route['provider']}, model {route['model']}",
        "server": address,
        "key": route["key"],
        "limits": f"rpm {_limit(route['rpm'])}, tpm {_limit(route['tpm'])}, "
        f"concurrency {route['concurrency']}",
        "price": _priced(route["price"]),
    }
    return "\n" + "".join(f"{name:7} {printable(str(text))}\n" for name, text in lines.items())


def _priced(price: Mapping[str, Any] | None) -> str:
    if price is None:
        return "unknown"
    more = f", more above {price['tiers'][0]:,} tokens of input" if price["tiers"] else ""
    kinds = (("input", "in"), ("cached", "cached"), ("output", "out"))
    rates = ", ".join(f"${price[kind]:g} {word}" for kind, word in kinds)
    return f"{rates} for a million tokens{more} (by {price['from']})"


def _limit(value: float | None) -> str:
    return "as the server says" if value is None else f"{value:g}"
