"""Ways to ask and ways to fold: tasks, prompts of one's own, neighbours, quotes, concat, none."""

from __future__ import annotations

import re

from analyst import Ask
from faultreplies import answer
from study import RESULTS, Study, prose

REPORT = ("-o", "report.md")


async def test_a_report_goes_to_a_file_and_nothing_to_standard_output(study: Study) -> None:
    study.document()
    done = await study.read("-o", "report.md")
    assert (done.code, done.stdout) == (0, "")
    assert (study.folder / "report.md").read_text().startswith("# Analysis of big.txt")
    assert done.last.endswith("-> report.md (exit 0)")
    again = await study.read()
    assert again.stdout == (study.folder / "report.md").read_text()


async def test_a_task_from_a_file_is_asked_of_every_chunk_and_fold(study: Study) -> None:
    study.document()
    (study.folder / "task.txt").write_text("List every harbour.\nAnd its year.\n")
    done = await study.read("--task", "@task.txt")
    assert done.code == 0, done
    assert all("List every harbour.\nAnd its year." in ask.prompt for ask in study.model.asks)
    assert "Task: List every harbour. And its year." in done.stdout


async def test_prompts_of_ones_own_take_the_place_of_the_built_in_ones(study: Study) -> None:
    study.document()
    (study.folder / "map.txt").write_text("MAP {{task}} of {{title}}: <text>\n{{text}}\n</text>")
    (study.folder / "fold.txt").write_text("FOLD {{task}}: {{parts}}")
    done = await study.read(
        *("--task", "Count", "--map-prompt", "map.txt", "--fold-prompt", "fold.txt")
    )
    assert done.code == 0, done
    for ask in study.model.asks:
        start = "MAP Count of big.txt: <text>\n" if ask.kind == "map" else "FOLD Count: --- Part 1"
        assert ask.prompt.startswith(start)
    assert "(100 %) analysed" in done.stdout


async def test_with_context_a_chunk_is_shown_what_stands_before_it(study: Study) -> None:
    text = prose()
    study.document(text)
    done = await study.read("--context", "previous", "--overlap", "0", "--chunk-tokens", "300")
    assert done.code == 0, done
    for ask in (ask for ask in study.model.asks if ask.kind == "map"):
        before = re.search(r"<before>\n(.*?)\n</before>", ask.prompt, re.DOTALL)
        if text.startswith(ask.text):
            assert before is None
        else:
            assert before is not None
            assert before[1] + ask.text in text


async def test_sections_stand_one_after_the_other_as_the_model_wrote_them(study: Study) -> None:
    text = prose()
    study.document(text)
    done = await study.read("--fold", "concat")
    assert done.code == 0, done
    chunks = study.chunks()
    assert study.folds() == []
    for row in chunks:
        chunk = row["chunk"]
        place = f"Section {chunk['number']} of {len(chunks)}"
        span = f"chars {chunk['start']}-{chunk['end']}"
        assert f"--- {place} ({span}) ---\n\n{row['output']}\n\n" in done.stdout
    order = [int(n) for n in re.findall(r"^--- Section (\d+) of", done.stdout, re.M)]
    assert order == list(range(1, len(chunks) + 1))
    assert "(100 %) analysed" in done.stdout


async def test_without_a_fold_the_results_are_all_there_is(study: Study) -> None:
    study.document()
    done = await study.read("--fold", "none")
    assert (done.code, done.stdout) == (0, "")
    assert study.files() == {"big.txt", RESULTS}
    assert len(study.chunks()) == len(study.lines())
    study.model.forget()
    folded = await study.read()
    assert folded.code == 0
    assert "map" not in {ask.kind for ask in study.model.forget()}, "the map was paid for"
    kept = await study.read("--fold", "concat")
    assert kept.code == 0
    again = await study.read()
    assert (again.stdout, study.model.forget()) == (folded.stdout, []), "and so are the folds"


async def test_one_chunk_needs_no_fold(study: Study) -> None:
    study.document("A short letter about a harbour.\n")
    done = await study.read()
    assert done.code == 0, done
    (ask,) = study.model.asks
    assert ask.kind == "map"
    assert f"- {ask.digest} begins with A short letter about [1]" in done.stdout


async def test_a_document_in_which_nothing_is_found_says_so(study: Study) -> None:
    study.document()
    study.model.say = lambda ask: "NOTHING"
    done = await study.read()
    assert done.code == 0, done
    assert "Nothing was found" in done.stdout
    assert {ask.kind for ask in study.model.asks} == {"map"}


def quoting(ask: Ask) -> str:
    """One quote each as it stands there, in other case and spaces, and made up."""
    if ask.kind != "map":
        findings = re.findall(r"^- .*\[\d+\]\n(?:> .*\n?)+", ask.prompt, re.M)
        return "\n".join(dict.fromkeys(finding.strip("\n") for finding in findings[:3]))
    first = re.findall(r"In year \d+ the \w+ met", ask.text)
    exact, folded = first[0], first[-1].upper().replace(" ", "  ")
    return (
        f"- Somebody met\n> {exact}\n- Somebody else met\n> {folded}\n"
        f"- Nobody came\n> In year 4000 nobody met {ask.digest}\n"
    )


async def test_every_quote_is_looked_up_and_marked_where_it_is_not_there(study: Study) -> None:
    text = prose()
    study.document(text)
    study.model.say = quoting
    done = await study.read("--quotes", "--fold", "concat")
    assert done.code == 0, done
    chunks = study.chunks()
    for row in chunks:
        exact, folded, made_up = row["quotes"]
        assert exact["found"] == "exact"
        assert text[exact["start"] : exact["end"]] == exact["text"]
        assert folded["found"] == "folded"
        there = text[folded["start"] : folded["end"]]
        assert there.upper().split() == folded["text"].split()
        assert (made_up["found"], made_up.get("start")) == ("missing", None)
        chunk = row["chunk"]
        assert chunk["start"] - chunk.get("overlap", 0) <= exact["start"] < chunk["end"]
    many = len(chunks)
    assert f"{many} exact, {many} folded, {many} not found" in done.stderr
    assert f"{3 * many} quotes looked up: {many} exact" in done.stdout


async def test_quotes_hold_through_the_folds_to_the_list_of_sources(study: Study) -> None:
    text = prose()
    study.document(text)
    study.model.say = quoting
    done = await study.read("--quotes")
    assert done.code == 0, done
    body, _, tail = done.stdout.partition("## Sources")
    quoted = re.findall(r'^\s+[->]+ "(.*?)".* characters ([\d,]+)-([\d,]+)', tail, re.M)
    assert quoted
    for words, start, end in quoted:
        there = text[int(start.replace(",", "")) : int(end.replace(",", ""))]
        assert there.casefold().split() == words.casefold().split()
    assert "(not found in the document)" in body
    for line in body.splitlines():
        if line.startswith("> ") and "year 4000" in line:
            assert "(not found in the document)" in line
    assert "In year 4000 nobody met" not in tail


async def test_an_answer_that_the_limit_cut_is_used_and_said(study: Study) -> None:
    study.document()
    study.model.fail(
        lambda ask: "In year 1000 " in ask.text and ask.kind == "map",
        answer("- The harbour was", finish="length"),
    )
    done = await study.read()
    assert done.code == 0, done
    assert "1 answer was cut by the token limit" in done.stdout
    assert "1 truncated" in done.last


async def test_sizes_fitted_to_the_model_need_no_flag(study: Study) -> None:
    text = prose(150)
    study.document(text)
    done = await study.run("big.txt")
    assert done.code == 0, done
    assert len(study.chunks()) > 1
    assert max(row["chunk"]["tokens"] for row in study.chunks()) <= 4000


async def test_a_folder_of_settings_is_as_good_as_flags(study: Study) -> None:
    study.document()
    sizes = {"chunk_tokens": 300, "model_context": 900, "params": {"max_tokens": 64}}
    study.settings(documents=["big.txt"], task="Count", **sizes)
    done = await study.run()
    assert done.code == 0, done
    assert "Task: Count" in done.stdout
    same = await study.read("--task", "Count")
    assert (same.stdout, same.last[:24]) == (done.stdout, "llmbatch: nothing left t")
