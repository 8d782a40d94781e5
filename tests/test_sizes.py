"""Chunks, answers and folds fit every model that may be asked, or it is said what does not fit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from llmbatch.jobs.config import AnalyzeConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.sizes import ASSUMED, SLACK, Plan, plan_sizes

PROMPTS = (120, 150)


class Way(Struct, frozen=True):
    name: str
    model: str
    embedded: str | None = None

    @property
    def label(self) -> str:
        return f"{self.name}/{self.model}"


LOCAL = Way("local", "smollm2", "smollm2")
LARGE = Way("openai", "gpt-4o-mini")
OLD = Way("openai", "gpt-4")
OTHER = Way("anthropic", "claude-sonnet-4-5")
UNKNOWN = Way("openai-compatible", "llama")
OLLAMA = Way("ollama", "llama3")
WAYS = (LOCAL, LARGE, OLD, OTHER, UNKNOWN, OLLAMA)
KNOWN = {LOCAL: 2048, LARGE: 128_000, OLD: 8192, OTHER: 200_000, OLLAMA: 4096}


def plan(*ways: Way, overhead: tuple[int, int] = PROMPTS, **settings: Any) -> Plan:
    return plan_sizes(AnalyzeConfig(**settings), ways, overhead)


def test_a_large_model_gets_chunks_that_it_reads_well() -> None:
    sizes = plan(LARGE)
    assert (sizes.cut.chunk, sizes.cut.overlap, sizes.cut.context) == (4000, 100, 0)
    assert (sizes.answer, sizes.context, sizes.assumed) == (8192, 128_000, ())
    assert sizes.fold >= 16_000


def test_the_embedded_model_gets_what_fits_its_slot() -> None:
    sizes = plan(LOCAL)
    assert sizes.answer == 256
    assert sizes.cut.chunk == int((2048 * 0.95 - 256) / SLACK) - 120
    assert sizes.fold == int((2048 * 0.95 - 256) / SLACK) - 150
    assert plan(LOCAL, model_context=100_000) == sizes
    assert plan(LOCAL, model_context=1500).context == 1500


def test_a_model_of_which_nothing_is_known_is_named() -> None:
    sizes = plan(LARGE, UNKNOWN)
    assert sizes.assumed == ("openai-compatible/llama",)
    assert sizes.context == ASSUMED
    assert plan(UNKNOWN, model_context=32_000).assumed == ()
    assert plan(UNKNOWN, model_context=32_000).context == 32_000


def test_the_users_context_takes_the_place_of_the_known_one() -> None:
    assert plan(OLLAMA).context == 4096
    assert plan(OLLAMA, model_context=64_000).context == 64_000


def test_the_smallest_of_all_routes_counts() -> None:
    assert plan(LARGE, LOCAL, OLD) == plan(LOCAL)
    assert plan(LARGE, OLD).answer == 1024


def test_an_old_models_answer_keeps_its_own_limit() -> None:
    assert plan(Way("openai", "gpt-4-turbo")).answer == 4096


@pytest.mark.parametrize(
    "params",
    [
        {"max_tokens": 300},
        {"max_completion_tokens": 300},
        {"extra_body": {"max_tokens": 300}, "max_tokens": 9},
    ],
)
def test_the_users_longest_answer_is_planned_with(params: dict[str, Any]) -> None:
    assert plan(LARGE, params=params).answer == 300


def test_neighbouring_text_has_a_quarter_of_a_chunk() -> None:
    assert plan(LARGE, context="previous").cut.context == 1000
    sizes = plan(LOCAL, context="previous").cut
    assert sizes.context == sizes.chunk // 4
    assert sizes.chunk + sizes.context <= plan(LOCAL).cut.chunk < sizes.chunk * 1.25 + 2


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(WAYS), min_size=1, max_size=3, unique=True),
    st.integers(0, 600),
    st.integers(0, 600),
    st.none() | st.integers(1, 20_000),
    st.none() | st.integers(1, 20_000),
    st.none() | st.integers(100, 300_000),
    st.sampled_from(["none", "previous"]),
)
def test_whatever_is_planned_fits_every_known_context(
    ways: list[Way],
    for_map: int,
    for_fold: int,
    chunk: int | None,
    answer: int | None,
    context: int | None,
    beside: str,
) -> None:
    params = {} if answer is None else {"max_tokens": answer}
    try:
        sizes = plan(
            *ways,
            overhead=(for_map, for_fold),
            chunk_tokens=chunk,
            params=params,
            model_context=context,
            context=beside,
        )
    except ConfigError:
        return
    for way in ways:
        own = context or KNOWN.get(way, ASSUMED)
        tokens = min(own, KNOWN[LOCAL]) if way is LOCAL else own
        slack = 1.0 if way in (LARGE, OLD) else SLACK
        sent = (sizes.cut.chunk + sizes.cut.context + for_map) * slack
        assert sent + sizes.answer <= tokens or (way is UNKNOWN and chunk and not context)
        assert (sizes.fold + for_fold) * slack + sizes.answer <= tokens
    assert sizes.fold >= 2 * sizes.answer
    assert 0 <= sizes.cut.overlap < sizes.cut.chunk
    assert chunk in (None, sizes.cut.chunk)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([LOCAL, OLD, OTHER, OLLAMA]), st.sampled_from(["none", "previous"]))
def test_a_chunk_too_large_for_a_known_context_is_told_the_largest(way: Way, beside: str) -> None:
    with pytest.raises(ConfigError, match=f"--chunk-tokens 999999 does not fit {way.label}") as e:
        plan(way, chunk_tokens=999_999, context=beside)
    largest = int(str(e.value).rpartition(" ")[2])
    assert plan(way, chunk_tokens=largest, context=beside).cut.chunk == largest
    with pytest.raises(ConfigError):
        plan(way, chunk_tokens=largest + 1, context=beside)


def test_a_chunk_too_large_for_an_assumed_context_is_the_users_affair() -> None:
    assert plan(UNKNOWN, chunk_tokens=20_000).cut.chunk == 20_000
    with pytest.raises(ConfigError, match="does not fit local/smollm2"):
        plan(UNKNOWN, LOCAL, chunk_tokens=20_000)


def test_a_chunk_smaller_than_the_prompt_is_refused() -> None:
    assert plan(LARGE, chunk_tokens=120).cut.chunk == 120
    with pytest.raises(ConfigError, match=r"--chunk-tokens 119 is less than the prompt .* 120"):
        plan(LARGE, chunk_tokens=119)


@pytest.mark.parametrize("overlap", [251, 500, 10**9])
def test_an_overlap_of_more_than_half_a_chunk_is_refused(overlap: int) -> None:
    with pytest.raises(ConfigError, match=f"--overlap {overlap} must be at most half .* 500"):
        plan(LARGE, chunk_tokens=500, overlap=overlap)
    assert plan(LARGE, chunk_tokens=500, overlap=250).cut.overlap == 250
    assert plan(LARGE, chunk_tokens=500, overlap=0).cut.overlap == 0
    assert plan(LARGE, chunk_tokens=500).cut.overlap == 50


def test_answers_too_long_for_a_fold_are_told_what_would_do() -> None:
    with pytest.raises(ConfigError, match=r"local/smollm2 \(2048 tokens\) can't take") as caught:
        plan(LOCAL, params={"max_tokens": 900})
    assert "--model-context" not in str(caught.value)  # it is fixed
    said = re.search(r"--max-tokens (\d+) would do", str(caught.value))
    assert said is not None
    fits = int(said[1])
    assert plan(LOCAL, params={"max_tokens": fits}).answer == fits
    with pytest.raises(ConfigError):
        plan(LOCAL, params={"max_tokens": fits + 1})


@pytest.mark.parametrize("kept", [{"fold": "concat"}, {"fold": "none"}, {"schema": "s.json"}])
def test_where_no_model_folds_long_answers_are_welcome(kept: dict[str, Any]) -> None:
    assert plan(LOCAL, params={"max_tokens": 900}, **kept).answer == 900


def test_a_prompt_that_leaves_no_room_is_refused_with_the_numbers() -> None:
    with pytest.raises(ConfigError, match=r"\(2048 tokens\) leaves nothing .* prompt \(1900"):
        plan(LOCAL, overhead=(1900, 10))
    with pytest.raises(ConfigError, match=r"taken for 8192 tokens, leaves 5. tokens") as caught:
        plan(UNKNOWN, overhead=(5350, 10))
    assert "--model-context" in str(caught.value)
