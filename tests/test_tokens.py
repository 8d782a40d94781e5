"""Counting the input of a request."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toktok import batch_count

from llmbatch.jobs.model import Request
from llmbatch.jobs.tokens import (
    IMAGE,
    IMAGE_LOW,
    TextCounter,
    TokenCounter,
    encoding_of,
    estimate_tokens,
)


def request(model: str = "gpt-4o", endpoint: str = "chat", **fields: Any) -> Request:
    return Request(
        id="q", line=1, path="-", endpoint=endpoint, model=model, fingerprint="", **fields
    )


def count(**fields: Any) -> int:
    return TokenCounter().count(request(**fields))


def exact(text: str, encoding: str = "o200k_base") -> int:
    return batch_count([text], encoding, threads=1)[0]


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-4.5-preview", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("o3", "o200k_base"),
        ("ft:gpt-4o-mini:me::x", "o200k_base"),
        ("openai/gpt-oss-20b", "o200k_harmony"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("ft:gpt-3.5-turbo:me::x", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("Qwen/Qwen3.5-9B", "qwen3.5"),
        ("qwen3.5-plus", "qwen3.5"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("mistral-small", "cl100k_base"),
        ("olmo-2", "cl100k_base"),
        ("", "cl100k_base"),
    ],
)
def test_the_vocabulary_follows_the_models_name(model: str, encoding: str) -> None:
    assert encoding_of(model) == encoding
    text = "naïve 日本語 café <|endoftext|> 12345"
    assert TokenCounter().text(text, model) == exact(text, encoding)


def test_a_chat_costs_its_texts_and_the_documented_overhead() -> None:
    # The example of OpenAI's cookbook; its API reported 129 prompt tokens for gpt-4, 124 for 4o.
    def said(name: str, text: str) -> dict[str, str]:
        return {"role": "system", "name": name, "content": text}

    messages = [
        {
            "role": "system",
            "content": "You are a helpful, pattern-following assistant that translates corporate "
            "jargon into plain English.",
        },
        said("example_user", "New synergies will help drive top-line growth."),
        said("example_assistant", "Things working well together will increase revenue."),
        said(
            "example_user",
            "Let's circle back when we have more bandwidth to touch base on opportunities for "
            "increased leverage.",
        ),
        said(
            "example_assistant",
            "Let's talk later when we're less busy about how to do better.",
        ),
        {
            "role": "user",
            "content": "This late pivot means we don't have time to boil the ocean for the client "
            "deliverable.",
        },
    ]
    assert count(model="gpt-4", messages=messages) == 129
    assert count(model="gpt-4o", messages=messages) == 124


def test_parts_of_text_count_as_text_and_others_at_a_flat_figure() -> None:
    text = {"type": "text", "text": "What is this?"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    low = {"type": "image_url", "image_url": {"url": "https://example.org/a", "detail": "low"}}
    plain = count(messages=[{"role": "user", "content": "What is this?"}])
    for extra, tokens in (([], 0), ([image], IMAGE), ([low], IMAGE_LOW), ([image, low], 850)):
        seen = count(messages=[{"role": "user", "content": [text, *extra]}])
        assert seen == plain + tokens


def test_tools_and_their_calls_are_counted() -> None:
    messages = [{"role": "user", "content": "Hello"}]
    plain = count(messages=messages)
    tools = [{"type": "function", "function": {"name": "ferry_times", "parameters": {}}}]
    assert plain + 10 < count(messages=messages, params={"tools": tools}) < plain + 40
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": tools[0]}]}
    assert count(messages=[*messages, call]) > plain + 10


@pytest.mark.parametrize("endpoint", ["completions", "embeddings", "responses"])
def test_other_endpoints_count_their_input(endpoint: str) -> None:
    text = "The ferry leaves at seven."
    assert count(endpoint=endpoint, input=text) == exact(text)
    assert count(endpoint=endpoint, input=[text, text]) == 2 * exact(text)
    assert count(endpoint=endpoint, input=[1, 2, 3]) == 3
    assert count(endpoint=endpoint, input=[[1, 2, 3], [4]]) == 4
    assert count(endpoint=endpoint) == 0


def test_items_of_responses_and_instructions_are_counted() -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "Hello there"}]}
    said = count(endpoint="responses", input=[item], params={"instructions": "Be brief."})
    assert said == 4 + exact("Hello there") + exact("Be brief.")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(JSON, JSON)
def test_whatever_a_row_holds_there_is_a_count(content: Any, name: Any) -> None:
    assert count(messages=[{"role": "user", "content": content, "name": name}]) >= 0
    assert count(endpoint="responses", input=content) >= 0


def test_deep_nesting_and_lone_surrogates_are_no_error() -> None:
    deep: Any = ["x"]
    for _ in range(400):
        deep = [deep]
    assert count(endpoint="embeddings", input=deep) > 0
    assert count(messages=[{"role": "user", "content": "a\ud800b"}]) >= 9


TEXTS = {
    "English": "The ferry leaves the harbour at seven in the morning, and whoever arrives late has "
    "to wait until the evening tide.",
    "German": "Die Fähre verlässt den Hafen um sieben Uhr morgens, und wer zu spät kommt, muss bis "
    "zur Abendflut warten.",
    "French": "Le ferry quitte le port à sept heures du matin, et celui qui arrive en retard doit "
    "attendre la marée du soir.",
    "Vietnamese": "Chuyến phà rời bến lúc bảy giờ sáng, ai đến muộn phải đợi đến tối khi nước lên.",
    "Russian": "Паром отходит из порта в семь часов утра, а опоздавшим приходится ждать вечера.",
    "Greek": "Το πλοίο φεύγει από το λιμάνι στις επτά το πρωί και όποιος αργήσει περιμένει.",
    "Arabic": "تغادر العبارة الميناء في السابعة صباحا ومن يتأخر عليه أن ينتظر حتى المساء.",
    "Hebrew": "המעבורת יוצאת מהנמל בשבע בבוקר, ומי שמאחר צריך לחכות עד הערב.",
    "Hindi": "नौका सुबह सात बजे बंदरगाह से निकलती है और देर से आने वालों को इंतजार करना पड़ता है।",
    "Thai": "เรือเฟอร์รี่ออกจากท่าเรือตอนเจ็ดโมงเช้า ใครมาสายต้องรอจนถึงเย็น",
    "Chinese": "渡轮早上七点离开港口，迟到的人只能等到傍晚涨潮的时候。",
    "Japanese": "フェリーは朝七時に港を出ます。遅れた人は夕方の満ち潮まで待たなければなりません。",
    "Korean": "여객선은 아침 일곱 시에 항구를 떠나며 늦은 사람은 저녁 밀물까지 기다려야 합니다.",
}
OTHER = {
    "code": "def area(width: float, height: float) -> float:\n    return width * height\n",
    "JSON": '{"id": 17, "name": "ferry", "at": [7, 30], "late": false}',
    "digits": "3141592653589793238462643383279502884197",
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_estimate_of_prose_is_within_its_bounds_in_every_script(name: str) -> None:
    assert 0.6 <= estimate_tokens(TEXTS[name]) / exact(TEXTS[name]) <= 2


@pytest.mark.parametrize("name", OTHER)
def test_the_estimate_of_code_and_numbers_is_within_its_bounds(name: str) -> None:
    assert 0.5 <= estimate_tokens(OTHER[name]) / exact(OTHER[name]) <= 1.2


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_the_estimate_grows_with_the_text_and_adds_up(first: str, second: str) -> None:
    both = estimate_tokens(first + second)
    assert estimate_tokens(first) <= both <= estimate_tokens(first) + estimate_tokens(second)
    assert len(first) / 4 <= estimate_tokens(first) <= len(first)


def test_where_toktok_cannot_be_imported_the_estimate_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "toktok", None)
    text = TEXTS["Japanese"]
    assert count(endpoint="completions", input=text) == estimate_tokens(text)


@pytest.mark.parametrize("hostile", ["a", " ", "\n", "ab ", "é", "日", "!", "👩\u200d"])
def test_a_megabyte_of_one_thing_is_counted_like_its_parts(hostile: str) -> None:
    """A quadratic tokenizer would take hours here."""
    text = hostile * (1_000_000 // len(hostile))
    assert TokenCounter().text(text, "gpt-4o") >= len(text) / 130
    assert estimate_tokens(text) >= len(text) / 4 - 1


MODELS = ["gpt-4o", "gpt-4", "gpt-oss-20b", "qwen3.5-9b"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", TEXTS)
def test_the_first_tokens_of_a_text_are_measured_in_its_own_characters(
    model: str, name: str
) -> None:
    counter = TextCounter(model)
    for text in (TEXTS[name], unicodedata.normalize("NFD", TEXTS[name])):
        whole = counter.count(text)
        assert whole == exact(text, encoding_of(model))
        for tokens in (1, whole // 3, whole - 1):
            characters, seen = counter.prefix(text, tokens)
            assert seen == whole
            assert counter.count(text[:characters]) <= tokens
            assert counter.count(text[: characters + 8]) > tokens
        assert counter.prefix(text, whole) == (len(text), whole)
        assert counter.prefix(text, 0) == (0, whole)


@pytest.mark.parametrize("model", MODELS)
def test_a_lone_surrogate_is_measured_as_the_replacement_character(model: str) -> None:
    counter = TextCounter(model)
    text = "ferry \udcff\ud83d\ude00 leaves"
    replaced = "ferry \ufffd\ufffd\ufffd leaves"
    assert counter.count(text) == counter.count(replaced)
    for tokens in range(counter.count(text) + 1):
        assert counter.prefix(text, tokens) == counter.prefix(replaced, tokens)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.integers(0, 40))
def test_a_prefix_is_part_of_the_text_in_every_vocabulary(text: str, tokens: int) -> None:
    for model in ("gpt-4o", "qwen3.5-9b"):
        characters, whole = TextCounter(model).prefix(text, tokens)
        assert whole == TextCounter(model).count(text)
        assert 0 <= characters <= len(text)
        assert (characters == len(text)) == (whole <= tokens)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200), tokens=st.integers(0, 60))
def test_without_toktok_prefixes_are_estimated_too(text: str, tokens: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "toktok", None)
        characters, whole = TextCounter("gpt-4o").prefix(text, tokens)
    assert whole == estimate_tokens(text)
    assert estimate_tokens(text[:characters]) <= tokens
    assert characters == len(text) or estimate_tokens(text[: characters + 1]) > tokens
