"""Keys: where one comes from, and a value that does not show itself."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from .errors import ConfigError

COMMAND_TIMEOUT = 10.0
"""Seconds that ``api_key_cmd`` may take."""

_MAX_BYTES = 64 * 1024
_MASK = "***"
_LIKE_A_KEY = re.compile(r"(?=[A-Za-z_=+-]*[0-9])(?=[0-9_=+-]*[A-Za-z])[A-Za-z0-9_=+-]{20,}")
"""Letters and digits in one long word."""

_seen: set[str] = set()

Kind = Literal["env", "file", "cmd"]


class Key:
    """A secret. It prints as ``***`` everywhere; :meth:`reveal` is for the header alone."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= 8:  # a placeholder such as "none" would blot out ordinary words
            _seen.add(value)

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Key({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def redact(text: str) -> str:
    """The text with every key of this process masked: the last net under error messages."""
    for value in sorted(_seen, key=len, reverse=True):
        text = text.replace(value, _MASK)
    return text


class KeySource(Struct, frozen=True, kw_only=True):
    """Where a key is to be found.

    ``name`` is a variable, a path or a command; ``setting`` is what a message calls it.
    """

    kind: Kind
    name: str
    setting: str

    def __repr__(self) -> str:
        return f"KeySource({self.setting!r})"  # the name may be a command with a secret in it

    def read(self, environ: Mapping[str, str]) -> Key | None:
        """The key; None for a variable that is not set. Raises :class:`ConfigError`."""
        if self.kind == "env":
            text = environ.get(self.name, "")
            return self._key(text) if text.strip() else None
        return self._key(_read_file(self) if self.kind == "file" else _run(self))

    def describe(self, environ: Mapping[str, str]) -> str:
        """For people: the place, and whether a key is there; a command is not run."""
        if self.kind == "env":
            state = "set" if environ.get(self.name, "").strip() else "not set"
            return f"{safe_variable(self.name)} ({state})"
        if self.kind == "file":
            return f"file {safe_path(self.name)} ({_file_state(self.name)})"
        return f"command {safe_program(self.name)} (not run)"

    def _key(self, text: str) -> Key:
        value = text.strip()
        if not value:
            raise ConfigError(f"{self.setting}: the key is empty")
        if not all(char.isprintable() and char != " " and ord(char) < 256 for char in value):
            raise ConfigError(
                f"{self.setting}: the key holds a space, a control character or a letter that no "
                "HTTP header can carry; check how it was copied"
            )
        return Key(value)


def first_key(sources: Sequence[KeySource], environ: Mapping[str, str]) -> Key | None:
    """The key of the first source that has one; None when all of them are unset variables."""
    for source in sources:
        key = source.read(environ)
        if key is not None:
            return key
    return None


def missing(sources: Sequence[KeySource], model: str) -> ConfigError:
    """What to do about a key that is nowhere."""
    source = sources[0]
    variable = safe_variable(source.name)
    where = "" if source.setting == source.name else f"{source.setting}: "
    return ConfigError(
        f"{where}{model} needs a key, and {variable} is not set; "
        f"export {variable}=... with your key and run again"
    )


def _read_file(source: KeySource) -> str:
    path = safe_path(source.name)
    try:
        with Path(source.name).expanduser().open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        raise ConfigError(f"{source.setting}: can't read {path}: {reason}") from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{source.setting}: {path} is too large to be a key")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{source.setting}: {path} is not text") from None


def _run(source: KeySource) -> str:
    program = safe_program(source.name)
    try:
        # No shell: the setting is split as a shell would, and run as it stands.
        done = subprocess.run(  # noqa: S603 -- the user's own command is the point
            shlex.split(source.name),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        seconds = f"{COMMAND_TIMEOUT:g}"
        raise ConfigError(
            f"{source.setting}: {program} gave no key within {seconds} s; "
            "it must not ask for anything"
        ) from None
    except OSError as error:
        raise ConfigError(f"{source.setting}: can't run {program}: {error.strerror}") from None
    except (ValueError, IndexError):
        raise ConfigError(f"{source.setting}: not a command; check its quotes") from None
    printed = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        said = _said(done.stderr, printed)
        raise ConfigError(f"{source.setting}: {program} failed (exit {done.returncode}){said}")
    if not printed.strip():
        raise ConfigError(f"{source.setting}: {program} printed nothing")
    return printed


def _said(stderr: bytes, printed: str) -> str:
    """The end of what a command complained, on one line, without what is or may be a secret."""
    text = stderr.decode("utf-8", "replace")
    for secret in sorted(printed.split(), key=len, reverse=True):
        text = text.replace(secret, _MASK)
    text = _LIKE_A_KEY.sub(_MASK, text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f": {redact(text[-200:])}" if text else ""


def safe_variable(name: str) -> str:
    """A variable's name, unless it looks as if the key itself stood in its place."""
    return name if re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name) else "the variable it names"


def safe_path(path: str) -> str:
    """A path, unless it looks as if the key itself stood in its place."""
    return path if "/" in path or "." in path or len(path) < 16 else "the file it names"


def safe_program(command: str) -> str:
    """The program alone: arguments may hold secrets."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    return safe_path(words[0]) if words else "the command"


def _file_state(path: str) -> str:
    try:
        mode = Path(path).expanduser().stat().st_mode
    except (OSError, ValueError, RuntimeError):
        return "missing"
    return "there, but readable by everyone" if mode & 0o004 else "there"
