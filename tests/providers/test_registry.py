"""Which server answers for which model, and what is said when none does."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.config import KNOWN, JobConfig, ProviderConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.keys import Key
from llmbatch.jobs.providers.registry import Route, locate, model_for_row, resolve

SECRET = "sk-recognisable-0123456789"
OPENAI = {"OPENAI_API_KEY": SECRET}
LAB = ProviderConfig(base_url="http://lab:8000/v1/", rpm=10, tpm=20, concurrency=3)


def route(environ: dict[str, str] | None = None, **config: Any) -> Route:
    return resolve(JobConfig(**config), OPENAI if environ is None else environ)


def mistake(environ: dict[str, str] | None = None, **config: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        route(environ, **config)
    return str(caught.value)


def test_nothing_configured_is_the_embedded_model() -> None:
    found = route({})
    assert (found.name, found.model, found.embedded) == ("local", "smollm2", "smollm2")
    assert (found.base_url, found.key, found.concurrency) == (None, None, 4)
    assert found.target == "local/smollm2"


def test_a_file_of_weights_is_a_model(tmp_path: Path) -> None:
    found = route({}, model=f"local/{tmp_path}/tiny.q4.gguf")
    assert found.embedded == f"{tmp_path}/tiny.q4.gguf"
    assert (found.model, found.target) == ("tiny.q4", f"local/{tmp_path}/tiny.q4.gguf")


def test_a_relative_file_of_weights_is_told_apart_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert route({}, model="local/m.gguf").target == f"local/{tmp_path}/m.gguf"


def test_openai_is_its_own_server_with_its_own_key() -> None:
    found = route(model="openai/gpt-4o-mini")
    assert (found.name, found.model) == ("openai", "gpt-4o-mini")
    assert found.base_url == "https://api.openai.com/v1"
    assert found.key == Key(SECRET)
    assert (found.concurrency, found.rpm, found.tpm) == (16, None, None)
    assert found.target == "openai https://api.openai.com/v1"


def test_openai_needs_its_key() -> None:
    assert mistake({}, model="openai/gpt-4o-mini") == (
        "openai/gpt-4o-mini needs a key, and OPENAI_API_KEY is not set; "
        "export OPENAI_API_KEY=... with your key and run again"
    )


def test_the_sdks_variable_for_the_address_is_honoured() -> None:
    environ = {**OPENAI, "OPENAI_BASE_URL": "http://proxy:1/v1/"}
    assert route(environ, model="openai/m").base_url == "http://proxy:1/v1"
    located = locate(JobConfig(model="openai/m"), environ)
    assert located.base_url_from == "OPENAI_BASE_URL"
    given = route(environ, model="openai/m", base_url="http://other:1/v1")
    assert given.base_url == "http://other:1/v1"


def test_a_base_url_with_a_bare_name_is_any_compatible_server() -> None:
    found = route({}, base_url="http://localhost:8000/v1/", model="meta-llama/Llama-3-8B")
    assert (found.name, found.model) == ("openai-compatible", "meta-llama/Llama-3-8B")
    assert (found.base_url, found.key) == ("http://localhost:8000/v1", None)
    assert route(base_url="http://a/v1", model="m").key == Key(SECRET)


def test_a_base_url_keeps_the_prefixs_wire_format_and_needs_no_key() -> None:
    found = route({}, base_url="http://a/v1", model="openai/m")
    assert (found.name, found.model, found.base_url) == ("openai", "m", "http://a/v1")


def test_a_base_url_needs_a_model() -> None:
    assert "--model NAME" in mistake(base_url="http://a/v1")


def test_a_base_url_does_not_go_with_the_embedded_model() -> None:
    message = mistake(base_url="http://a/v1", model="local/smollm2")
    assert "runs on this machine" in message
    assert '--base-url ""' in message


def test_a_bare_name_without_a_server_is_refused_with_what_to_write() -> None:
    message = mistake(model="gpt-4o")
    assert message.startswith('model "gpt-4o" names no provider; did you mean openai/gpt-4o?')
    assert all(name in message for name in (*KNOWN, "local", "--base-url"))
    assert "did you mean local/smollm2?" in mistake(model="smollm2")
    assert "did you mean" not in mistake(model="zzz")


@pytest.mark.parametrize("base_url", [None, "http://localhost:8000/v1"])
@pytest.mark.parametrize("prefix", ["", "openai/"])
def test_a_key_in_the_place_of_a_model_is_refused_and_not_repeated(
    base_url: str | None, prefix: str
) -> None:
    key = "sk-proj-" + "a1B2" * 8
    message = mistake(model=prefix + key, base_url=base_url)
    assert "looks like a key" in message
    assert key not in message


def test_an_unknown_provider_is_refused_with_the_near_one() -> None:
    message = mistake(model="opnai/gpt-4o", providers={"lab": LAB})
    assert message.startswith(
        'model "opnai/gpt-4o": no provider is called opnai; did you mean openai/gpt-4o? '
    )


@pytest.mark.parametrize("model", ["openai/", "local/"])
def test_a_prefix_alone_is_no_model(model: str) -> None:
    assert mistake(model=model).endswith("is missing")


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_provider_is_ready(name: str) -> None:
    variable = KNOWN[name].key_env
    found = route({variable: SECRET} if variable else {}, model=f"{name}/m")
    assert (found.name, found.model, found.base_url) == (name, "m", KNOWN[name].base_url)
    assert (found.key is None) == (variable is None)


def test_a_provider_of_the_yaml_brings_its_limits() -> None:
    found = route({}, model="lab/org/m", providers={"lab": LAB})
    assert (found.name, found.model, found.base_url) == ("lab", "org/m", "http://lab:8000/v1")
    assert (found.rpm, found.tpm, found.concurrency) == (10, 20, 3)
    assert found.key is None


def test_the_jobs_limits_win_over_the_providers() -> None:
    found = route({}, model="lab/m", providers={"lab": LAB}, rpm=1, tpm=2, concurrency=9)
    assert (found.rpm, found.tpm, found.concurrency) == (1, 2, 9)


def test_a_provider_of_the_yaml_has_its_own_key_and_no_other() -> None:
    keyed = ProviderConfig(base_url="http://lab/v1", api_key_env="LAB_KEY")
    assert route({"LAB_KEY": "abc", **OPENAI}, model="lab/m", providers={"lab": keyed}).key == Key(
        "abc"
    )
    assert mistake(OPENAI, model="lab/m", providers={"lab": keyed}).startswith(
        "providers.lab.api_key_env: lab/m needs a key, and LAB_KEY is not set"
    )


def test_an_entry_for_openai_adds_limits_and_keeps_the_rest() -> None:
    entry = ProviderConfig(
        base_url=KNOWN["openai"].base_url, api_key_env="OPENAI_API_KEY", rpm=5, headers={"a": "b"}
    )
    found = route(
        {**OPENAI, "OPENAI_BASE_URL": "http://p/v1"}, model="openai/m", providers={"openai": entry}
    )
    assert (found.base_url, found.rpm, found.headers) == ("http://p/v1", 5, {"a": "b"})


def test_locating_reads_no_key() -> None:
    entry = ProviderConfig(base_url="http://lab/v1", api_key_cmd="false")
    located = locate(JobConfig(model="lab/m", providers={"lab": entry}), {})
    assert located.key_required
    assert located.route.key is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("htp:/x", 'base_url "htp:/x" is not a URL: it must begin with http:// or https://'),
        ("localhost:8000", 'base_url "localhost:8000" is not a URL: it must begin with http'),
        ("http://", 'base_url "http://" is not a URL: it names no host'),
        ("http://:80/v1", 'base_url "http://:80/v1" is not a URL: it names no host'),
        ("http://a:b/v1", 'base_url "http://a:b/v1" is not a URL: its host or port is wrong'),
        ("http://a:99999/", 'base_url "http://a:99999/" is not a URL: its host or port is wrong'),
        ("http://[::1/v1", 'base_url "http://[::1/v1" is not a URL: its host or port is wrong'),
        ("http://a b/v1", "base_url is not a URL: it holds a space"),
        ("http://a/v1\n", "base_url is not a URL: it holds a space or a control character"),
        (f"http://u:{SECRET}@a/v1", "base_url: a user or password in the address would be seen"),
        (f"http://u:x/{SECRET}@a/v1", "base_url is not a URL: its host or port is wrong"),
        (f"http://a/v1?key={SECRET}", 'base_url "http://a/v1": remove what follows the path'),
        (f"http://a/v1#{SECRET}", 'base_url "http://a/v1": remove what follows the path'),
        ("http://a/v1?", 'base_url "http://a/v1": remove what follows the path'),
        (SECRET, "base_url is not a URL: it must begin with"),
        ("http://a/v1/chat/completions", 'base_url "http://a/v1/chat/completions": leave /chat'),
        ("http://a/v1/embeddings/", 'base_url "http://a/v1/embeddings/": leave /embeddings out'),
    ],
)
def test_what_is_no_base_url_is_named_without_secrets(url: str, message: str) -> None:
    said = mistake(base_url=url, model="m")
    assert said.startswith(message)
    assert SECRET not in said


def test_a_wrong_address_names_its_setting() -> None:
    entry = ProviderConfig(base_url="x.y")
    assert mistake(model="lab/m", providers={"lab": entry}).startswith(
        'providers.lab.base_url "x.y" is not a URL'
    )
    environ = {**OPENAI, "OPENAI_BASE_URL": "x.y"}
    assert mistake(environ, model="openai/m").startswith('OPENAI_BASE_URL "x.y" is not a URL')


@pytest.mark.parametrize("url", ["http://a", "https://[::1]:8/v1", "http://10.0.0.1:1/x/@y/v1"])
def test_unusual_addresses_are_taken(url: str) -> None:
    assert route(base_url=url, model="m").base_url == url


def test_neither_route_nor_configuration_show_a_secret() -> None:
    entry = ProviderConfig(
        base_url="http://lab/v1",
        headers={"x-api-key": SECRET},
        api_key_cmd=f"echo {SECRET}",
    )
    config = JobConfig(model="lab/m", providers={"lab": entry})
    found = resolve(config, {})
    assert found.key == Key(SECRET)
    assert SECRET not in f"{config!r} {found!r} {found.target} {locate(config, {})!r}"


def test_a_row_may_name_another_model_of_the_same_provider() -> None:
    openai = route(model="openai/a")
    assert model_for_row(openai, "b") == "b"
    assert model_for_row(openai, "openai/b") == "b"
    assert model_for_row(openai, "ft:org/x") == "ft:org/x"


def test_a_row_can_not_ask_another_provider() -> None:
    with pytest.raises(ValueError, match="model groq/b is not openai's, and this job asks openai"):
        model_for_row(route(model="openai/a"), "groq/b")
    with pytest.raises(ValueError, match="lab/b"):
        model_for_row(route(model="openai/a", providers={"lab": LAB}), "lab/b")
    with pytest.raises(ValueError, match="empty"):
        model_for_row(route(model="openai/a"), " ")


def test_names_with_slashes_pass_where_the_server_has_such_names() -> None:
    custom = route(base_url="http://a/v1", model="m")
    assert model_for_row(custom, "openai/gpt-oss-20b") == "openai/gpt-oss-20b"
    groq = route({"GROQ_API_KEY": "k"}, model="groq/a")
    assert model_for_row(groq, "openai/gpt-oss-20b") == "openai/gpt-oss-20b"
    assert model_for_row(groq, "groq/b") == "b"


def test_the_embedded_model_answers_for_bare_names_alone() -> None:
    local = route({})
    assert model_for_row(local, "gpt-4o-mini") == "gpt-4o-mini"
    assert model_for_row(local, "local/smollm2") == "smollm2"
    for other in ("local/other", "openai/gpt-4o"):
        with pytest.raises(ValueError, match=other):
            model_for_row(local, other)
