"""The page's own files, which are in the wheel: by name, and none but those that are there."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
PAGE = "index.html"

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
"""What may be in the folder. A module is refused by browsers under any other type."""

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.[a-z0-9]+", re.ASCII)


def static(name: str) -> tuple[bytes, str] | None:
    """The bytes and the type of that file; None where there is none of that name."""
    kind = TYPES.get(name[name.rfind(".") :]) if _NAME.fullmatch(name) else None
    if kind is None:
        return None
    try:
        return (FOLDER / name).read_bytes(), kind
    except OSError:
        return None
