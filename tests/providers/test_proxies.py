"""Which proxy the environment names."""

from __future__ import annotations

import os

import pytest

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.providers.proxies import proxy_for

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in NAMES:
            monkeypatch.delenv(name)


def test_without_variables_there_is_none() -> None:
    assert proxy_for("https://api.example/v1") is None


def test_the_scheme_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://secure.example:8080")
    monkeypatch.setenv("http_proxy", "plain.example:8080")
    assert proxy_for("https://api.example/v1") == "http://secure.example:8080"
    assert proxy_for("http://api.example/v1") == "http://plain.example:8080"


def test_all_proxy_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://any.example:1")
    assert proxy_for("https://api.example/v1") == "http://any.example:1"


def test_no_proxy_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://p.example:1")
    monkeypatch.setenv("no_proxy", "api.example,.inner.example")
    assert proxy_for("https://api.example/v1") is None
    assert proxy_for("https://llm.inner.example/v1") is None
    assert proxy_for("https://other.example/v1") == "http://p.example:1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8", "a.localhost"])
def test_loopback_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("http_proxy", "http://p.example:1")
    assert proxy_for(f"http://{host}:8080/v1") is None


def test_a_proxy_that_is_not_http_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://user:hunter2@p.example:1")
    with pytest.raises(ConfigError, match="socks5") as caught:
        proxy_for("https://api.example/v1")
    assert "hunter2" not in str(caught.value)
