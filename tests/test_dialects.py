"""Every provider is data that makes sense."""

from __future__ import annotations

import pytest

from llmbatch.jobs.dialects import ALL, APIS, KNOWN, Dialect

EVERY = {**{f"api {name}": dialect for name, dialect in APIS.items()}, **KNOWN}


@pytest.mark.parametrize("dialect", EVERY.values(), ids=EVERY)
def test_a_dialect_makes_sense(dialect: Dialect) -> None:
    assert "chat" in dialect.endpoints <= ALL
    assert dialect.takes.keys() <= dialect.endpoints
    assert dialect.header == dialect.header.lower()
    assert dialect.query_env.keys() <= dialect.query.keys()
    assert not (dialect.base_url or "").endswith(("/", *dialect.tails))
    known = frozenset().union(*dialect.takes.values())
    if dialect.takes:
        assert dialect.renames.keys() <= known
        assert set(dialect.renames.values()) <= known


@pytest.mark.parametrize("name", KNOWN)
def test_a_server_on_this_machine_needs_no_key_and_any_other_does(name: str) -> None:
    known = KNOWN[name]
    local = known.base_url is not None and known.base_url.startswith("http://localhost:")
    assert known.needs_key is not (local or name == "litellm")
    assert local or known.key_env or name == "litellm"
    assert local or (known.base_url or "https://").startswith("https://")


def test_each_api_speaks_as_the_provider_of_its_name() -> None:
    for name, dialect in APIS.items():
        known = KNOWN[name]
        assert (dialect.wire, dialect.header) == (known.wire, known.header)
        assert (dialect.path, dialect.headers) == (known.path, known.headers)
