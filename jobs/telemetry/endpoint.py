"""Where OTLP goes: the setting, and the variables that all users of OpenTelemetry know.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/; times are seconds, as in the exporter
for Python.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Literal

from ..errors import ConfigError
from .sending import Target, below, check_headers, checked_url, opener_for

DEFAULT = "http://localhost:4318"
TIMEOUT = 10.0
"""Seconds."""

Signal = Literal["traces", "metrics"]

ON = frozenset({"auto", "on", "true", "yes", "1"})
"""Words that leave the address to the variables."""
OFF = frozenset({"off", "false", "no", "0", "none"})


def wanted(setting: str | None, environ: Mapping[str, str]) -> bool:
    """Whether OTLP is on at all; a variable alone turns it off, never on."""
    if setting is None or setting.strip().lower() in OFF:
        return False
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"


def otlp_target(setting: str, environ: Mapping[str, str], signal: Signal) -> Target | None:
    """Where a signal goes; None where its variable says that it goes nowhere.

    Raises ConfigError.
    """
    name = signal.upper()

    def variable(end: str) -> str:
        own = environ.get(f"OTEL_EXPORTER_OTLP_{name}_{end}", "").strip()
        return own or environ.get(f"OTEL_EXPORTER_OTLP_{end}", "").strip()

    if environ.get(f"OTEL_{name}_EXPORTER", "").strip().lower() == "none":
        return None
    url, auth = _url(setting.strip(), environ, signal, variable("PROTOCOL"))
    headers = _headers(variable("HEADERS"))
    check_headers(headers, "OTEL_EXPORTER_OTLP_HEADERS")
    return Target(
        url=url,
        headers={"Content-Type": "application/x-protobuf", **auth, **headers},
        timeout=number(variable("TIMEOUT"), TIMEOUT),
        compression=variable("COMPRESSION").lower() or "none",
        opener=opener_for(
            _tls(
                url, variable("CERTIFICATE"), variable("CLIENT_CERTIFICATE"), variable("CLIENT_KEY")
            )
        ),
    )


def number(text: str, default: float) -> float:
    """A positive number out of a variable; the default for anything else, as the SDK does."""
    try:
        value = float(text)
    except ValueError:
        return default
    return value if 0 < value < 1e9 else default


def _url(
    setting: str, environ: Mapping[str, str], signal: Signal, protocol: str
) -> tuple[str, dict[str, str]]:
    path = f"/v1/{signal}"
    if setting.lower() not in ON:
        url, auth = checked_url(setting, "--otlp")
        given, query, rest = url.partition("?")
        base = given.rstrip("/").removesuffix("/v1/traces").removesuffix("/v1/metrics")
        return below(base + query + rest, path), auth
    if protocol not in ("", "http/protobuf"):
        raise ConfigError(
            f"--otlp: OTEL_EXPORTER_OTLP_PROTOCOL is {protocol[:20]}, and http/protobuf alone is "
            "spoken here: name the collector's address for that, such as --otlp http://HOST:4318"
        )
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    if given := environ.get(own, "").strip():
        return checked_url(given, own)
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip() or DEFAULT
    url, auth = checked_url(base, "OTEL_EXPORTER_OTLP_ENDPOINT")
    return below(url, path), auth


def _headers(text: str) -> dict[str, str]:
    from opentelemetry.util.re import parse_env_headers

    return dict(parse_env_headers(text, liberal=True))


def _tls(url: str, trusted: str, certificate: str, key: str) -> ssl.SSLContext | None:
    """None where none is needed. Raises ConfigError."""
    if not url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=trusted or None)
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no certificate"
        raise ConfigError(f"OTEL_EXPORTER_OTLP_CERTIFICATE: can't be read: {reason}") from None
    return context
