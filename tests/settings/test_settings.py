"""The layers of settings, and what a mistake in one of them says."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.config import AnalyzeConfig, ProviderConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings import Settings, load

Load = Callable[..., Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def call(
        yaml: str | None = None,
        flags: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        **named: Any,
    ) -> Settings:
        if yaml is not None:
            (tmp_path / "llmbatch.yaml").write_text(yaml)
        return load(flags or {}, environ=environ or {}, cwd=tmp_path, **named)

    return call


@pytest.fixture
def mistake(loaded: Load) -> Callable[..., str]:
    def call(*args: Any, **named: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            loaded(*args, **named)
        return str(caught.value)

    return call


Mistake = Callable[..., str]


def test_nothing_configured_is_the_defaults(loaded: Load) -> None:
    settings = loaded()
    assert settings.config == AnalyzeConfig()
    assert set(settings.origins.values()) == {"default"}
    assert settings.origins["rpm"] == "default"


def test_each_layer_wins_over_the_one_below(loaded: Load) -> None:
    yaml = "rpm: 1\ntpm: 1\nretries: 1\nmax_wait: 1\nprofiles:\n  p: {rpm: 2, tpm: 2, retries: 2}\n"
    settings = loaded(yaml, {"rpm": "4"}, {"LLMBATCH_RPM": "3", "LLMBATCH_TPM": "3"}, profile="p")
    config = settings.config
    assert (config.rpm, config.tpm, config.retries, config.max_wait) == (4, 3, 2, 1)
    assert settings.origins["rpm"] == "--rpm"
    assert settings.origins["tpm"] == "LLMBATCH_TPM"
    assert settings.origins["retries"] == "llmbatch.yaml:6 (profile p)"
    assert settings.origins["max_wait"] == "llmbatch.yaml:4"
    assert settings.origins["grace"] == "default"


def test_params_merge_key_by_key(loaded: Load) -> None:
    yaml = (
        "params: {top_p: 0.5, seed: 1, stop: [x]}\nprofiles: {p: {params: {seed: 2, stop: null}}}"
    )
    settings = loaded(yaml, {"params": {"max_tokens": "9"}}, profile="p")
    assert settings.config.params == {"top_p": 0.5, "seed": 2, "max_tokens": 9}
    assert settings.origins["params.top_p"] == "llmbatch.yaml:1"
    assert settings.origins["params.seed"] == "llmbatch.yaml:2 (profile p)"
    assert settings.origins["params.max_tokens"] == "--max-tokens"


def test_providers_merge_field_by_field(loaded: Load) -> None:
    yaml = (
        "providers:\n  lab: {base_url: http://a/v1, rpm: 5, headers: {X-A: '1'}}\n"
        "profiles:\n  p:\n    providers:\n      lab: {rpm: 9, headers: {X-B: '2'}}\n"
    )
    settings = loaded(yaml, profile="p")
    assert settings.config.providers == {
        "lab": ProviderConfig(base_url="http://a/v1", rpm=9, headers={"x-a": "1", "x-b": "2"})
    }
    assert settings.origins["providers.lab.rpm"] == "llmbatch.yaml:6 (profile p)"


def test_an_entry_of_a_known_provider_needs_no_address(loaded: Load) -> None:
    provider = loaded("providers: {openai: {rpm: 7}}").config.providers["openai"]
    assert provider.base_url == "https://api.openai.com/v1"
    assert (provider.api_key_env, provider.rpm) == ("OPENAI_API_KEY", 7)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("a: 1", "llmbatch.yaml:1: a: unknown key"),
        ("model: x\n\nrpms: 3", "llmbatch.yaml:3: rpms: unknown key; did you mean rpm?"),
        ("max-wait: 3", "llmbatch.yaml:1: max-wait: unknown key; did you mean max_wait?"),
        (
            "temperature: 1",
            "llmbatch.yaml:1: temperature: unknown key; a request parameter stands under params:",
        ),
        ("rpm: fast", 'llmbatch.yaml:1: rpm: must be a number, got "fast"'),
        ("rpm: [1]", "llmbatch.yaml:1: rpm: must be a number, got a list"),
        ("rpm: true", "llmbatch.yaml:1: rpm: must be a number, got true"),
        ("rpm: .nan", "llmbatch.yaml:1: rpm: must be a number, got nan"),
        ("rpm: .inf", "llmbatch.yaml:1: rpm: must be a number, got inf"),
        ("rpm: -5", "llmbatch.yaml:1: rpm: must be above 0, got -5"),
        ("rpm: 0", "llmbatch.yaml:1: rpm: must be above 0, got 0"),
        ("concurrency: 1.5", "llmbatch.yaml:1: concurrency: must be a whole number, got 1.5"),
        ("concurrency: 0", "llmbatch.yaml:1: concurrency: must be 1 or more, got 0"),
        ("retries:", "llmbatch.yaml:1: retries: must be a number, got nothing"),
        ("stream: maybe", 'llmbatch.yaml:1: stream: must be true or false, got "maybe"'),
        ("model: 4", "llmbatch.yaml:1: model: must be text, got 4; put it in quotes"),
        ("model: {a: 1}", "llmbatch.yaml:1: model: must be text, got a mapping"),
        (
            "format: jsonlx",
            "llmbatch.yaml:1: format: must be csv, jsonl, openai-batch, parquet or tsv, got "
            '"jsonlx"; did you mean jsonl?',
        ),
        (
            "timeout: soon",
            'llmbatch.yaml:1: timeout: must be a time such as 30, 30s or 2m, got "soon"',
        ),
        (
            "max_failed: lots",
            "llmbatch.yaml:1: max_failed: must be a count such as 3 or a share such as 5%, "
            'got "lots"',
        ),
        ("inputs: 3", "llmbatch.yaml:1: inputs: must be a path or a list of paths, got 3"),
        (
            "params: 3",
            "llmbatch.yaml:1: params: must be a mapping, with name: value lines below",
        ),
        (
            "params:\n  temperature: hot",
            'llmbatch.yaml:2: params.temperature: must be a number, got "hot"',
        ),
        ("params: {max_tokens: 0}", "llmbatch.yaml:1: params.max_tokens: must be 1 or more, got 0"),
        ("params: {n: 2}", "llmbatch.yaml:1: params.n: must be 1: one row is one answer"),
        (
            "params: {model: x}",
            "llmbatch.yaml:1: params.model: can't be set here; set model itself",
        ),
        (
            "params: {x: {y: [.nan]}}",
            "llmbatch.yaml:1: params.x: must hold no NaN or infinity: JSON has none",
        ),
        (
            "providers:\n  lab:\n    rpm: 3",
            "llmbatch.yaml:2: providers.lab: base_url is missing; say where the server is",
        ),
        (
            "providers:\n  lab:\n    base_urll: x",
            "llmbatch.yaml:3: providers.lab.base_urll: unknown key; did you mean base_url?",
        ),
        (
            "providers: {lab: {base_url: http://a, headers: {X-N: 5}}}",
            "llmbatch.yaml:1: providers.lab.headers.X-N: must be text; put it in quotes",
        ),
        (
            "providers: {lab: {base_url: http://a, headers: {'X N': a}}}",
            "llmbatch.yaml:1: providers.lab.headers.X N: is not a header's name",
        ),
        (
            'providers: {lab: {base_url: http://a, headers: {X: "a\\r\\nb: c"}}}',
            "llmbatch.yaml:1: providers.lab.headers.X: holds a character that no header can carry",
        ),
        (
            "providers: {a/b: {base_url: http://a}}",
            "llmbatch.yaml:1: providers.a/b: a name has letters, digits, . _ and - alone",
        ),
        ("profiles: [a]", "llmbatch.yaml:1: profiles: must be a mapping of names to settings"),
        ("profiles:\n  p: 3", "llmbatch.yaml:2: profiles.p: must be a mapping"),
        (
            "profiles:\n  p:\n    rpms: 3",
            "llmbatch.yaml:3: profiles.p.rpms: unknown key; did you mean rpm?",
        ),
        (
            "profiles: {p: {profiles: {}}}",
            "llmbatch.yaml:1: profiles.p.profiles: a profile holds no profiles",
        ),
    ],
)
def test_a_mistake_names_file_line_and_key(mistake: Mistake, yaml: str, message: str) -> None:
    assert mistake(yaml) == message


def test_a_provider_called_local_is_refused(mistake: Mistake) -> None:
    assert mistake("providers: {local: {base_url: http://a}}").startswith(
        "llmbatch.yaml:1: providers.local: is the model on this machine"
    )


@pytest.mark.parametrize("yaml", ["api_key: sk-1", "providers: {lab: {api_key: sk-1}}"])
def test_a_key_in_the_file_is_refused_with_the_right_way(mistake: Mistake, yaml: str) -> None:
    message = mistake(yaml)
    assert "api_key_env" in message
    assert "sk-1" not in message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("1.5", 1.5),
        ("30s", 30),
        ("2m", 120),
        ("1h", 3600),
        ("250ms", 0.25),
        ("2 M", 120),
    ],
)
def test_times_may_have_a_unit(loaded: Load, text: str, seconds: float) -> None:
    assert loaded(flags={"timeout": text}).config.timeout == seconds
    assert loaded(f"timeout: {text}").config.timeout == seconds


def test_no_grace_at_all_is_allowed(loaded: Load) -> None:
    assert loaded(flags={"grace": "0"}).config.grace == 0


@pytest.mark.parametrize(("yaml", "value"), [("3", "3"), ("5%", "5%"), ("2.5%", "2.5%")])
def test_max_failed_may_be_a_number_in_yaml(loaded: Load, yaml: str, value: str) -> None:
    assert loaded(f"max_failed: {yaml}").config.max_failed == value


def test_a_flag_that_turns_off_is_named_so(loaded: Load) -> None:
    settings = loaded(flags={"stream": False})
    assert settings.config.stream is False
    assert settings.origins["stream"] == "--no-stream"


def test_an_empty_flag_takes_a_setting_out(loaded: Load) -> None:
    settings = loaded("base_url: http://a/v1\nrpm: 3", {"base_url": "", "rpm": ""})
    assert (settings.config.base_url, settings.config.rpm) == (None, None)


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("LLMBATCH_MODEL", "openai/x", "model", "openai/x"),
        ("LLMBATCH_QUIET", "1", "quiet", True),
        ("LLMBATCH_STREAM", "off", "stream", False),
        ("LLMBATCH_CONCURRENCY", "8", "concurrency", 8),
        ("LLMBATCH_MAX_WAIT", "2m", "max_wait", 120),
        ("LLMBATCH_MAX_FAILED", "5%", "max_failed", "5%"),
        ("LLMBATCH_MAX_TOKENS", "5", "params", {"max_tokens": 5}),
        ("LLMBATCH_RPM", "", "rpm", None),
    ],
)
def test_variables_set_scalars(
    loaded: Load, variable: str, value: str, field: str, expected: object
) -> None:
    assert getattr(loaded(environ={variable: value}).config, field) == expected


def test_every_scalar_field_has_its_variable(loaded: Load) -> None:
    texts = {"endpoint": "embeddings", "format": "openai-batch", "order": "input"}
    texts |= {"context": "previous", "fold": "concat", "report_format": "csv"}
    texts |= {"log_format": "json", "input_format": "csv", "halt_on": "failed>5%"}
    texts |= {"processes": "2"}
    defaults = AnalyzeConfig()
    for name in AnalyzeConfig.__struct_fields__:
        if name not in ("inputs", "documents", "params", "providers", "prices", "select"):
            variable = f"LLMBATCH_{name.upper()}"
            value = "0" if getattr(defaults, name) is True else texts.get(name, "1")
            settings = loaded(environ={variable: value})
            assert settings.origins[name] == variable
            assert getattr(settings.config, name) != getattr(defaults, name)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LLMBATCH_RPM", "fast", 'LLMBATCH_RPM: must be a number, got "fast"'),
        ("LLMBATCH_QUIET", "2", 'LLMBATCH_QUIET: must be true or false, got "2"'),
        (
            "LLMBATCH_CONCURENCY",
            "2",
            "LLMBATCH_CONCURENCY: unknown variable; did you mean LLMBATCH_CONCURRENCY? "
            "Unset it if not",
        ),
        (
            "LLMBATCH_RPMS",
            "2",
            "LLMBATCH_RPMS: unknown variable; did you mean LLMBATCH_RPM? Unset it if not",
        ),
    ],
)
def test_a_wrong_variable_is_named(
    mistake: Mistake, variable: str, value: str, message: str
) -> None:
    assert mistake(environ={variable: value}) == message


@pytest.mark.parametrize("variable", ["LLMBATCH_IMAGE", "LLMBATCH_MODELS", "LLMBATCH_DEBUG"])
def test_variables_of_others_are_left_alone(loaded: Load, variable: str) -> None:
    assert loaded(environ={variable: "x"}).config == AnalyzeConfig()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"rpm": "fast"}, '--rpm: must be a number, got "fast"'),
        ({"stall_timeout": "0"}, '--stall-timeout: must be above 0, got "0"'),
        ({"params": {"max_tokens": "x"}}, '--max-tokens: must be a number, got "x"'),
        ({"params": {"top_p": "x"}}, '--param top_p: must be a number, got "x"'),
        ({"max_cost": ""}, "--max-cost: is empty; leave it out to go without"),
        ({"schema": ""}, "--schema: is empty; leave it out to go without"),
    ],
)
def test_a_wrong_flag_is_named(mistake: Mistake, flags: dict[str, Any], message: str) -> None:
    assert mistake(flags=flags) == message


def test_the_configuration_file_is_named_by_flag_or_variable(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rpm: 1")
    (tmp_path / "b.yaml").write_text("rpm: 2")
    assert loaded("rpm: 3", config_file="a.yaml").origins["rpm"] == "a.yaml:1"
    assert loaded(environ={"LLMBATCH_CONFIG": "b.yaml"}).config.rpm == 2
    both = loaded(environ={"LLMBATCH_CONFIG": "b.yaml"}, config_file="a.yaml")
    assert both.config.rpm == 1


def test_a_named_file_must_be_there(mistake: Mistake) -> None:
    assert mistake(config_file="x.yaml") == "--config: there is no file x.yaml"
    assert mistake(environ={"LLMBATCH_CONFIG": "x.yaml"}) == (
        "LLMBATCH_CONFIG: there is no file x.yaml"
    )


def test_a_folder_is_no_configuration_file(mistake: Mistake, tmp_path: Path) -> None:
    (tmp_path / "llmbatch.yaml").mkdir()
    assert mistake() == "llmbatch.yaml: can't read llmbatch.yaml: Is a directory"


def test_the_other_suffix_is_not_passed_over_in_silence(mistake: Mistake, tmp_path: Path) -> None:
    (tmp_path / "llmbatch.yml").write_text("rpm: 1")
    assert mistake() == "llmbatch.yml is not read; rename it to llmbatch.yaml"


def test_a_profile_comes_from_flag_or_variable(loaded: Load) -> None:
    yaml = "profiles: {a: {rpm: 1}, b: {rpm: 2}}"
    assert loaded(yaml, environ={"LLMBATCH_PROFILE": "a"}).config.rpm == 1
    assert loaded(yaml, environ={"LLMBATCH_PROFILE": "a"}, profile="b").config.rpm == 2


def test_a_missing_profile_names_those_there_are(mistake: Mistake) -> None:
    yaml = "profiles: {fast: {rpm: 1}, slow: }"
    assert mistake(yaml, profile="fasst") == (
        "--profile: llmbatch.yaml has no profile fasst; did you mean fast? It has fast, slow"
    )
    assert mistake(yaml, environ={"LLMBATCH_PROFILE": "zzz"}) == (
        "LLMBATCH_PROFILE: llmbatch.yaml has no profile zzz; It has fast, slow"
    )


def test_a_profile_needs_a_file(mistake: Mistake) -> None:
    assert mistake(profile="fast") == (
        "--profile: there is no llmbatch.yaml in this folder to hold the profile fast"
    )


def test_system_and_template_may_be_files(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("Be kind.\n")
    (tmp_path / "t.txt").write_text("{{text}}\n\nEnd\n")
    settings = loaded("system: '@s.txt'", {"template": "@t.txt"})
    assert settings.config.system == "Be kind."
    assert settings.config.template == "{{text}}\n\nEnd"
    assert settings.origins["system"] == "llmbatch.yaml:1, file s.txt"
    assert loaded(flags={"system": "@@home"}).config.system == "@home"


def test_a_text_file_that_is_missing_or_binary_is_named(mistake: Mistake, tmp_path: Path) -> None:
    assert mistake(flags={"system": "@no.txt"}) == (
        "--system: can't read no.txt: No such file or directory"
    )
    (tmp_path / "bin").write_bytes(b"ab\xff")
    assert mistake("template: '@bin'") == ("llmbatch.yaml:1: template: bin is not UTF-8 (byte 2)")


def test_inputs_may_be_one_path_or_several(loaded: Load) -> None:
    assert loaded("inputs: a.jsonl").config.inputs == ("a.jsonl",)
    settings = loaded("inputs: [a, b]", {"inputs": ("c",)})
    assert settings.config.inputs == ("c",)
    assert settings.origins["inputs"] == "command line"


def test_a_tilde_is_the_home_folder(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    yaml = 'inputs: ["~/a.jsonl", "b~/~.jsonl", "-"]\nsummary: ~/s.json'
    config = loaded(yaml, {"output": "~/o"}).config
    assert config.inputs == ("/home/ada/a.jsonl", "b~/~.jsonl", "-")
    assert (config.summary, config.output) == ("/home/ada/s.json", "/home/ada/o")


def test_the_sample_loads_with_each_of_its_profiles(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "samples" / "llmbatch.yaml"
    named = {"environ": {}, "cwd": tmp_path, "config_file": str(sample)}
    settings = load({}, **named)
    assert settings.config.model == "local/smollm2"
    assert settings.config.timeout == 300
    quick = load({}, profile="quick", **named).config
    assert (quick.limit, quick.params) == (5, {"max_tokens": 32, "temperature": 0.2})
    nightly = load({}, profile="nightly", **named).config
    assert (nightly.strict, nightly.max_wait, nightly.max_failed) == (True, 600, "0")


def test_concurrency_is_a_number_or_the_word_auto(loaded: Load, mistake: Mistake) -> None:
    assert loaded(flags={"concurrency": "auto"}).config.concurrency == "auto"
    assert loaded("concurrency: Auto\n").config.concurrency == "auto"
    assert loaded("", {"concurrency": "12"}).config.concurrency == 12
    assert (
        loaded("providers:\n  x: {base_url: http://x/v1, concurrency: auto}\n")
        .config.providers["x"]
        .concurrency
        == "auto"
    )
    assert mistake("", {"concurrency": "many"}) == (
        '--concurrency: must be a number or auto, got "many"'
    )
    assert mistake("concurrency: 0\n") == ("llmbatch.yaml:1: concurrency: must be 1 or more, got 0")


def test_fallbacks_are_one_model_or_several(loaded: Load, mistake: Mistake) -> None:
    assert loaded("fallbacks: openai/a\n").config.fallbacks == ("openai/a",)
    assert loaded("fallbacks: [openai/a, local/b]\n").config.fallbacks == ("openai/a", "local/b")
    settings = loaded("fallbacks: [openai/a]\n", {"fallbacks": ("gemini/c",)})
    assert settings.config.fallbacks == ("gemini/c",)
    assert settings.origins["fallbacks"] == "--fallback"
    assert loaded("fallbacks:\n").config.fallbacks == ()
    assert mistake("fallbacks: {a: 1}\n") == (
        "llmbatch.yaml:1: fallbacks: must be a model or a list of models, got a mapping"
    )


def test_a_shared_limit_is_named_like_a_file(loaded: Load, mistake: Mistake) -> None:
    assert loaded(flags={"shared_limit": "team-a.1"}).config.shared_limit == "team-a.1"
    assert mistake("", {"shared_limit": "../x"}) == (
        '--shared-limit: must be a name of letters, digits, . _ and - alone, got "../x"'
    )


def test_an_outage_is_a_time_like_any_other(loaded: Load) -> None:
    assert loaded(flags={"max_outage": "10m"}).config.max_outage == 600


def test_a_servers_wire_format_is_one_of_those_that_are_spoken(
    loaded: Load, mistake: Mistake
) -> None:
    yaml = "providers:\n  x:\n    base_url: http://x\n    api: {}\n"
    assert loaded(yaml.format("anthropic")).config.providers["x"].api == "anthropic"
    assert mistake(yaml.format("antropic")).startswith("llmbatch.yaml:4: providers.x.api: must be ")
    assert "did you mean anthropic?" in mistake(yaml.format("antropic"))
