"""Settings in layers: defaults < llmbatch.yaml < its profile < LLMBATCH_* < flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from ..config import AnalyzeConfig, PriceConfig, ProviderConfig
from ..dialects import KNOWN
from ..errors import ConfigError
from .fields import near
from .items import MAX_BYTES, Item
from .layers import FileLayer, Leaf, Leaves, builtin_leaves, env_leaves, flag_leaves

__all__ = ["FILE", "Settings", "load"]

FILE = "llmbatch.yaml"
_FROM_FILE = ("system", "template", "task")
_PATHS = (
    "inputs", "output", "summary", "junit", "prometheus", "cache",
    "documents", "map_prompt", "fold_prompt", "schema", "report", "results",
)  # fmt: skip


class Settings(Struct, frozen=True):
    """What is in force, and where each setting came from.

    ``origins`` has an entry for each dotted key: ``default``, ``llmbatch.yaml:3``,
    ``llmbatch.yaml:12 (profile fast)``, ``LLMBATCH_RPM``, ``--rpm``, ... All commands share one
    file, so ``config`` has the settings of them all; each reads those that it knows.
    """

    config: AnalyzeConfig
    origins: Mapping[str, str]


def load(
    flags: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    config_file: str | None = None,
    profile: str | None = None,
) -> Settings:
    """Lay the layers over each other. ``params`` and ``providers`` merge key by key.

    ``flags`` holds those that were given, by field name, as text or as values. Paths are relative
    to ``cwd``. Raises :class:`ConfigError`, which names file and line, variable, or flag.
    """
    leaves = _file_leaves(environ, cwd, config_file, profile)
    leaves |= env_leaves(environ)
    leaves |= flag_leaves(flags)
    for name in _FROM_FILE:
        if (name,) in leaves:
            leaves[(name,)] = _text_or_file(leaves[(name,)], name, cwd)
    leaves |= builtin_leaves(leaves)
    return _build(leaves)


def _file_leaves(
    environ: Mapping[str, str], cwd: Path, config_file: str | None, profile: str | None
) -> Leaves:
    by_flag = "--profile" if profile else "LLMBATCH_PROFILE"
    profile = profile or environ.get("LLMBATCH_PROFILE") or None
    file, items = _read(environ, cwd, config_file)
    profiles = _profiles(file, items)
    leaves = FileLayer(file).leaves({k: v for k, v in items.items() if k != "profiles"})
    # Every profile is read, so that a mistake shows before the day on which it is needed.
    laid = {name: FileLayer(file, name).leaves(inner) for name, inner in profiles.items()}
    if profile is None:
        return leaves
    if profile not in laid:
        raise ConfigError(f"{by_flag}: {_no_profile(file, profile, list(laid))}")
    return leaves | laid[profile]


def _read(
    environ: Mapping[str, str], cwd: Path, config_file: str | None
) -> tuple[str, dict[str, Item]]:
    named = config_file or environ.get("LLMBATCH_CONFIG") or None
    setting = "--config" if config_file else "LLMBATCH_CONFIG"
    file = named or FILE
    try:
        with (cwd / file).expanduser().open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{setting}: there is no file {file}") from None
        if (cwd / "llmbatch.yml").exists():
            raise ConfigError(f"llmbatch.yml is not read; rename it to {FILE}") from None
        return "", {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{setting if named else FILE}: can't read {file}: {reason}") from None
    from .document import parse  # here: most jobs have no file, and all would wait for PyYAML

    return file, parse(data, file)


def _profiles(file: str, items: Mapping[str, Item]) -> dict[str, Mapping[str, Item]]:
    item = items.get("profiles")
    if item is None or item.value is None:
        return {}
    if not isinstance(item.value, dict):
        raise ConfigError(f"{file}:{item.line}: profiles: must be a mapping of names to settings")
    for name, inner in item.value.items():
        if not (inner.value is None or isinstance(inner.value, dict)):
            raise ConfigError(f"{file}:{inner.line}: profiles.{name}: must be a mapping")
    return {name: inner.value or {} for name, inner in item.value.items()}


def _no_profile(file: str, profile: str, names: list[str]) -> str:
    if not file:
        return f"there is no {FILE} in this folder to hold the profile {profile}"
    if not names:
        return f"{file} has no profiles, so none called {profile}"
    hint = near(profile, names) or ";"
    return f"{file} has no profile {profile}{hint} It has {', '.join(names)}"


def _text_or_file(leaf: Leaf, name: str, cwd: Path) -> Leaf:
    """``@path`` is the text of that file; ``@@`` stands for an @ that opens a text."""
    if leaf.value is None or not leaf.value.startswith("@"):
        return leaf
    if leaf.value.startswith("@@"):
        return Leaf(leaf.value[1:], leaf.origin)
    path = leaf.value[1:]
    where = leaf.origin if name in leaf.origin else f"{leaf.origin}: {name}"
    try:
        text = (cwd / path).expanduser().read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {path} is not UTF-8 (byte {error.start})") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{where}: can't read {path}: {reason}") from None
    return Leaf(text.rstrip("\r\n"), f"{leaf.origin}, file {path}")


def _build(leaves: Leaves) -> Settings:
    values = {path[0]: leaf.value for path, leaf in leaves.items() if len(path) == 1}
    params = {
        path[1]: leaf.value
        for path, leaf in leaves.items()
        if path[0] == "params" and leaf.value is not None
    }
    for name in values.keys() & set(_PATHS):
        values[name] = _at_home(values[name])
    config = AnalyzeConfig(
        **values, params=params, providers=_providers(leaves), prices=_prices(leaves)
    )
    origins = {field.name: "default" for field in structs.fields(AnalyzeConfig)}
    for path, leaf in leaves.items():
        if path[0] in ("params", "providers", "prices"):
            origins.pop(path[0], None)
        if path[:1] != ("providers",) or len(path) > 2:
            origins[".".join(path)] = leaf.origin
    return Settings(config, origins)


def _at_home(paths: Any) -> Any:
    """``~/`` at the front of a path: a shell leaves it alone in ``--output=~/x``, YAML always."""
    if isinstance(paths, tuple):
        return tuple(_at_home(path) for path in paths)
    return os.path.expanduser(paths) if paths and paths.startswith("~/") else paths  # noqa: PTH111 -- Path would drop a trailing slash and "./"


def _providers(leaves: Leaves) -> dict[str, ProviderConfig]:
    entries: dict[str, dict[str, Any]] = {}
    for path, leaf in leaves.items():
        if path[0] != "providers":
            continue
        entry = entries.setdefault(path[1], {})
        if len(path) == 3:
            entry[path[2]] = leaf.value
        elif len(path) == 4:
            entry.setdefault(path[2], {})[path[3]] = leaf.value
    for name, entry in entries.items():
        if not entry.get("base_url") and name not in KNOWN:
            where = leaves[("providers", name)].origin
            raise ConfigError(
                f"{where}: providers.{name}: base_url is missing; say where the server is"
            )
    return {name: ProviderConfig(**entry) for name, entry in entries.items()}


def _prices(leaves: Leaves) -> dict[str, PriceConfig]:
    entries: dict[str, dict[str, float]] = {}
    for path, leaf in leaves.items():
        if path[0] == "prices":
            entries.setdefault(path[1], {})[path[2]] = leaf.value
    return {name: PriceConfig(**entry) for name, entry in entries.items()}
