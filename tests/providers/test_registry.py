"""Which server answers for which model, and what is said when none does."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.config import JobConfig, ProviderConfig
from llmbatch.jobs.dialects import APIS, KNOWN
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.keys import Key
from llmbatch.jobs.providers.registry import Route, locate, model_for_row, resolve

SECRET = "sk-recognisable-0123456789"
OPENAI = {"OPENAI_API_KEY": SECRET}
LAB = ProviderConfig(base_url="http://lab:8000/v1/", rpm=10, tpm=20, concurrency=3)


def route(environ: dict[str, str] | None = None, **config: Any) -> Route:
    """The first route."""
    return resolve(JobConfig(**config), OPENAI if environ is None else environ)[0]


def routes(*fallbacks: str, **config: Any) -> tuple[Route, ...]:
    environ = {**OPENAI, "GROQ_API_KEY": "g", "ANTHROPIC_API_KEY": "a"}
    return resolve(JobConfig(fallbacks=fallbacks, **config), environ)


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
    assert (found.concurrency, found.rpm, found.tpm) == ("auto", None, None)
    assert found.target == "openai https://api.openai.com/v1"


def test_openai_needs_its_key() -> None:
    assert mistake({}, model="openai/gpt-4o-mini") == (
        "openai/gpt-4o-mini needs a key, and OPENAI_API_KEY is not set; "
        "export OPENAI_API_KEY=... with your key and run again"
    )


def test_the_sdks_variable_for_the_address_is_honoured() -> None:
    environ = {**OPENAI, "OPENAI_BASE_URL": "http://proxy:1/v1/"}
    assert route(environ, model="openai/m").base_url == "http://proxy:1/v1"
    (located,) = locate(JobConfig(model="openai/m"), environ)
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


def test_a_base_url_keeps_the_prefixs_header_path_and_words() -> None:
    for name in ("anthropic", "gemini", "azure", "mistral"):
        found = route({KNOWN[name].key_env[0]: "k"}, base_url="http://a/x", model=f"{name}/m")
        assert (found.base_url, found.dialect, found.key) == ("http://a/x", KNOWN[name], Key("k"))


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
    for model, owner in (
        ("claude-opus", "anthropic"),
        ("gemini-pro", "gemini"),
        ("mistral-large", "mistral"),
        ("open-mixtral-8x7b", "mistral"),
        ("grok-4", "xai"),
        ("deepseek-chat", "deepseek"),
    ):
        assert f"did you mean {owner}/{model}?" in mistake(model=model)


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
    known = KNOWN[name]
    address = {} if known.base_url or not known.url_env else {known.url_env: "https://me.example/"}
    for variable in known.key_env:
        found = route({variable: SECRET, **address}, model=f"{name}/m")
        assert (found.name, found.model, found.key) == (name, "m", Key(SECRET))
    if not known.needs_key:
        found = route({}, model=f"{name}/m")
        assert found.key is None
    assert found.base_url == (known.base_url or (address and "https://me.example") or None)
    assert found.dialect == known


def test_a_provider_with_two_variables_takes_the_first_that_is_set() -> None:
    both = {"GEMINI_API_KEY": "first", "GOOGLE_API_KEY": "second"}
    second = {"GOOGLE_API_KEY": "second", "GEMINI_API_KEY": " "}
    entries: list[dict[str, ProviderConfig]] = [
        {},
        {"gemini": ProviderConfig(rpm=5)},
        {"gemini": ProviderConfig(api_key_env="GEMINI_API_KEY")},
    ]
    for providers in entries:
        assert route(both, model="gemini/m", providers=providers).key == Key("first")
        assert route(second, model="gemini/m", providers=providers).key == Key("second")
    assert "GEMINI_API_KEY is not set" in mistake({}, model="gemini/m")


def test_azure_takes_what_its_sdk_takes() -> None:
    environ = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/"}
    found = route(environ, model="azure/my-deployment")
    assert (found.model, found.base_url) == ("my-deployment", "https://me.openai.azure.com")
    assert found.dialect.query == {"api-version": "2024-10-21"}
    newer = route({**environ, "OPENAI_API_VERSION": "2025-04-01-preview"}, model="azure/m")
    assert newer.dialect.query == {"api-version": "2025-04-01-preview"}
    assert newer.target == "azure https://me.openai.azure.com"
    entry = {"azure": ProviderConfig(base_url="https://other.example", rpm=7)}
    other = route(environ, model="azure/m", providers=entry)
    assert (other.base_url, other.rpm, other.key) == ("https://other.example", 7, Key("k"))
    limits = {"azure": ProviderConfig(rpm=7)}
    assert route(environ, model="azure/m", providers=limits).base_url == found.base_url
    assert mistake({"AZURE_OPENAI_API_KEY": "k"}, model="azure/m") == (
        "azure has no address: set AZURE_OPENAI_ENDPOINT, or say where its server is with "
        "--base-url URL or providers.azure.base_url"
    )


def test_a_key_that_stands_in_a_header_is_enough() -> None:
    entry = ProviderConfig(base_url="https://a", headers={"authorization": "Bearer token"})
    assert route({}, model="azure/m", providers={"azure": entry}).key is None


@pytest.mark.parametrize("api", APIS)
def test_an_own_server_speaks_the_api_that_its_entry_names(api: Any) -> None:
    entry = ProviderConfig(base_url="http://lab:1/x", api=api, api_key_env="LAB_KEY")
    found = route({"LAB_KEY": "k"}, model="lab/m", providers={"lab": entry})
    assert (found.name, found.base_url, found.key) == ("lab", "http://lab:1/x", Key("k"))
    assert found.dialect == APIS[api]
    assert model_for_row(found, "openai/gpt-oss") == "openai/gpt-oss"


def test_an_own_server_needs_an_address() -> None:
    message = mistake(model="lab/m", providers={"lab": ProviderConfig(rpm=5)})
    assert message == (
        "lab has no address: say where its server is with --base-url URL or providers.lab.base_url"
    )


def test_litellm_has_neither_an_address_nor_a_key_of_ours() -> None:
    found = route({}, model="litellm/bedrock/anthropic.claude")
    assert (found.name, found.model) == ("litellm", "bedrock/anthropic.claude")
    assert (found.base_url, found.key, found.target) == (None, None, "litellm")
    assert found.dialect.wire == "litellm"
    given = route({}, model="litellm/openai/m", base_url="http://a/v1")
    assert (given.base_url, given.target) == ("http://a/v1", "litellm http://a/v1")
    entry = {"litellm": ProviderConfig(rpm=5)}
    assert route({}, model="litellm/x", providers=entry).rpm == 5


# fallbacks


def test_fallbacks_follow_in_their_order() -> None:
    found = routes("groq/b", "local/smollm2", model="openai/a")
    assert [one.label for one in found] == ["openai/a", "groq/b", "local/smollm2"]
    assert found[1].key == Key("g")


def test_a_base_url_is_the_first_models_and_that_of_bare_names() -> None:
    found = routes("anthropic/b", "c", model="openai/a", base_url="http://a/v1")
    assert [one.base_url for one in found] == [
        "http://a/v1",
        "https://api.anthropic.com",
        "http://a/v1",
    ]
    assert [one.name for one in found] == ["openai", "anthropic", "openai-compatible"]
    assert routes("local/smollm2", model="a", base_url="http://a/v1")[1].embedded == "smollm2"


def test_a_fallbacks_own_limits_win_over_the_jobs() -> None:
    job: dict[str, Any] = {"rpm": 1, "tpm": 2, "concurrency": 9, "providers": {"lab": LAB}}
    first, own, others, local = routes("lab/b", "groq/c", "local/smollm2", model="openai/a", **job)
    assert (first.rpm, first.tpm, first.concurrency) == (1, 2, 9)
    assert (own.rpm, own.tpm, own.concurrency) == (10, 20, 3)
    assert (others.rpm, others.tpm, others.concurrency) == (1, 2, 9)
    assert local.concurrency == 4
    bare = routes("lab", model="a", base_url="http://a/v1", **job)[1]
    assert (bare.name, bare.rpm) == ("openai-compatible", 1)


def test_a_model_is_asked_once() -> None:
    for again in (["openai/a"], ["groq/b", "groq/b"]):
        with pytest.raises(ConfigError, match=f'fallback "{again[0]}" is asked already'):
            routes(*again, model="openai/a")
    assert len(routes("openai/b", "openai/a", model="openai/a", base_url="http://a/v1")) == 3


def test_a_fallback_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match='model "claude-x" names no provider; did you mean anthr'):
        routes("claude-x", model="openai/a")


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
    (located,) = locate(JobConfig(model="lab/m", providers={"lab": entry}), {})
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


@pytest.mark.parametrize(
    ("model", "url", "tail"),
    [
        ("anthropic/m", "http://a/v1", "/v1"),
        ("anthropic/m", "http://a/x/v1/messages/", "/v1/messages"),
        ("gemini/m", "http://a/v1beta", "/v1beta"),
        ("gemini/m", "http://a/v1beta/models", "/v1beta/models"),
        ("gemini/m", "http://a/v1beta/openai", "/v1beta/openai"),
        ("azure/m", "http://a/openai", "/openai"),
        ("azure/m", "http://a/openai/v1/", "/openai/v1"),
        ("openai-responses/m", "http://a/v1/responses", "/responses"),
        ("lab/m", "http://a/v1", "/v1"),
    ],
)
def test_an_address_that_is_not_what_the_sdk_takes_says_what_to_leave_out(
    model: str, url: str, tail: str
) -> None:
    lab = ProviderConfig(base_url="http://lab", api="anthropic")
    message = mistake(model=model, base_url=url, providers={"lab": lab})
    assert message.endswith(f'": leave {tail} out, it is added by itself')


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
    (found,) = resolve(config, {})
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
    azure = route(
        {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://a"}, model="azure/a"
    )
    with pytest.raises(ValueError, match="groq/b"):
        model_for_row(azure, "groq/b")
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
