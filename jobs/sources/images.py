"""Images that a row names by their file, read into the row: the answer depends on what they show.

A part ``{"type": "image_url", "image_url": {"url": "photos/cat.png"}}`` (``input_image`` in rows
for ``responses``) gets a data URL in the file's place. Addresses of the web, data URLs and those of
a provider's own store (``gs://``) stay.
"""

from __future__ import annotations

import os
import stat
from binascii import b2a_base64
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .invalid import Invalid, excerpt

LARGEST = 20_000_000
"""Bytes; what OpenAI, Anthropic and Gemini take of one image or one request is about that."""

_KEY = b"image_url"
"""It stands in every line with such a part."""

_HOLDERS = ("content", "output")
_PARTS = ("image_url", "input_image")
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def may_have(line: bytes) -> bool:
    """Whether a line may name images: a part stands in a list, which is found out sooner."""
    return b"[" in line and _KEY in line


def read_in(messages: Any, source: str, what: str = "messages") -> None:
    """Put data URLs in the place of files, within ``messages`` (or input items) themselves.

    A path is relative to the folder of ``source``, the input's path; ``-`` is the working folder.
    Raises :class:`Invalid` for what can't be read or is no image.
    """
    if type(messages) is not list:
        return
    for n, message in enumerate(messages):
        for key in _HOLDERS if type(message) is dict else ():
            content = message.get(key)
            if type(content) is not list:
                continue
            for m, part in enumerate(content):
                if type(part) is dict and part.get("type") in _PARTS:
                    _read_part(part, source, f"{what}[{n}].{key}[{m}]")


def _read_part(part: dict[str, Any], source: str, place: str) -> None:
    holder, key = part, "image_url"
    if type(part.get(key)) is dict:
        holder, key = part[key], "url"
    url = holder.get(key)
    if type(url) is not str or _is_address(url):
        return
    try:
        holder[key] = _data_url(_path(url, source))
    except _NoImage as error:
        raise Invalid(f"{place}: the image {excerpt(url)} {error}") from None


class _NoImage(Exception):
    """``str()`` goes on after the image's name."""


def _is_address(url: str) -> bool:
    scheme, colon, rest = url[:64].partition(":")
    if not colon or scheme.lower() == "file":
        return False
    return scheme.lower() == "data" or rest.startswith("//")


def _path(url: str, source: str) -> Path:
    if url[:5].lower() == "file:":
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _NoImage("is not a file URL") from None
        if parts.netloc not in ("", "localhost"):
            raise _NoImage("is on another machine")
        url = unquote(parts.path)
    if not url.strip():
        raise _NoImage("has no name")
    # A pipe that a shell made has no folder of its own.
    folder = Path() if source == "-" or source.startswith(("/dev/", "/proc/")) else Path(source)
    try:
        return folder.parent / Path(url).expanduser()
    except RuntimeError:
        raise _NoImage("can't be found: nobody's home is known by that name") from None


def _data_url(path: Path) -> str:
    try:
        data = _content(path)
    except OSError as error:
        raise _NoImage(f"can't be read: {error.strerror}") from None
    except ValueError:
        raise _NoImage("can't be read: that is no path") from None
    return f"data:{_kind(data)};base64,{b2a_base64(data, newline=False).decode()}"


def _content(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | _NO_WAITING)  # a pipe would be waited for
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _NoImage("is a folder" if stat.S_ISDIR(found.st_mode) else "is no file")
        if found.st_size > LARGEST:
            raise _NoImage(f"is larger than {LARGEST // 1_000_000} MB")
        with open(handle, "rb", closefd=False) as file:
            return file.read(LARGEST)
    finally:
        os.close(handle)


def _kind(data: bytes) -> str:
    """The media type by the first bytes, whatever the name says."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    raise _NoImage("is not a PNG, JPEG, GIF or WebP")
