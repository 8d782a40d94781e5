"""Names that come from elsewhere, made fit to be labels: short, and encodable."""

from __future__ import annotations

import re

from .names import PROVIDERS

LONGEST = 120
"""Characters of a name that are kept."""

OTHER = "other"
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def label(text: str) -> str:
    """A name as a label; what is no UTF-8 stands as an escape."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


def word(text: str) -> str:
    """A provider's own word, such as a finish reason; :data:`OTHER` for what is no single word.

    A server may say anything there, parts of the prompt too.
    """
    return text if _WORD.fullmatch(text) else OTHER


def provider_name(name: str) -> str:
    """What the conventions call a provider."""
    return label(PROVIDERS.get(name, name))
