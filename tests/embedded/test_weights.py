from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from llmbatch.jobs.embedded import weights
from llmbatch.jobs.embedded.weights import (
    CATALOGUE,
    SMOLLM2,
    entry,
    find,
    model_dir,
    require,
    shelf,
)
from llmbatch.jobs.errors import ConfigError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"LLMBATCH_MODELS": str(tmp_path)}


def whole(folder: Path) -> Path:
    """A file that has the right size and costs no disk."""
    path = folder / SMOLLM2.file
    with path.open("wb") as file:
        file.write(b"GGUF")
        file.truncate(SMOLLM2.size)
    return path


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"LLMBATCH_MODELS": "/m", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/m"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/llmbatch/models"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/llmbatch/models"),
        ({"LLMBATCH_MODELS": "", "HOME": "/h"}, "/h/.cache/llmbatch/models"),
    ],
)
def test_weights_live_in_the_cache_unless_a_folder_is_named(
    environ: dict[str, str], folder: str
) -> None:
    assert model_dir(environ) == Path(folder)


def test_a_tilde_means_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    assert model_dir({"LLMBATCH_MODELS": "~/weights"}) == Path("/h/weights")


def test_a_known_name_is_found_when_its_size_is_right(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    assert find("smollm2", environ) is None
    path = whole(tmp_path)
    assert find("smollm2", environ) == require("smollm2", environ) == path
    path.write_bytes(b"GGUF, but not all of it")
    assert find("smollm2", environ) is None


def test_a_path_is_found_anywhere(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "some" / "own.gguf"
    own.parent.mkdir()
    own.write_bytes(b"GGUF...")
    monkeypatch.chdir(own.parent)
    assert require(str(own), environ) == own
    assert require("own.gguf", environ) == own
    assert require("./own.gguf", environ) == own


def test_a_file_put_into_the_folder_is_found_by_its_name(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "own.gguf").write_bytes(b"GGUF...")
    whole(tmp_path)
    assert find("own", environ) == tmp_path / "own.gguf"
    assert shelf(environ) == [tmp_path / "own.gguf"]


def test_a_missing_folder_holds_nothing(tmp_path: Path) -> None:
    assert shelf({"LLMBATCH_MODELS": str(tmp_path / "no")}) == []


def test_missing_weights_say_how_to_get_them(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        require("smollm2", environ)
    assert str(caught.value) == (
        "the embedded model smollm2 is not here yet: run `llmbatch models pull smollm2` "
        "(98 MB, once), or name a model with --model"
    )


def test_what_runs_a_model_is_asked_for_before_its_weights(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"need llama\.cpp \(the extra `local`\): pip install xllamacpp"
    ):
        require("smollm2", environ)


def test_weights_that_are_not_whole_say_so(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / SMOLLM2.file).write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match="is not whole: run `llmbatch models pull smollm2`"):
        require("smollm2", environ)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{}/none.gguf", "/none.gguf: no such file"),
        ("{}/a.gguf", "a folder, not a GGUF file"),
        ("{}/text.gguf", "not a GGUF file (llama.cpp reads no other kind of model)"),
        ("{}/empty.gguf", "not a GGUF file"),
        ("smollm", "no embedded model is called 'smollm': did you mean 'smollm2'?"),
        ("phi", "no embedded model is called 'phi'; there is smollm2, text"),
    ],
)
def test_a_model_that_can_not_be_used_says_why(
    tmp_path: Path, environ: dict[str, str], name: str, said: str
) -> None:
    (tmp_path / "a.gguf").mkdir()
    (tmp_path / "text.gguf").write_text("hello")
    if "empty" in name:
        (tmp_path / "empty.gguf").touch()
    with pytest.raises(ConfigError) as caught:
        require(name.format(tmp_path), environ)
    assert said in str(caught.value)


def test_a_name_that_can_not_be_pulled_suggests_one_that_can() -> None:
    assert entry("smollm2") is SMOLLM2
    with pytest.raises(ConfigError, match=r"no model 'smolm2' to pull: did you mean 'smollm2'\?"):
        entry("smolm2")


@pytest.mark.model
def test_the_catalogue_describes_the_real_weights(smollm2: Path) -> None:
    with smollm2.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == CATALOGUE["smollm2"].sha256
    assert smollm2.stat().st_size == CATALOGUE["smollm2"].size
