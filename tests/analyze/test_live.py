"""What can be seen while an analysis runs: folds beside the map, the report as it is written."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest
from analyst import Ask
from faultreplies import Call, Recipe, answer, cut, error, stalled
from study import Study, prose

BOTH: dict[str, Any] = {"tty": ("stdout", "stderr"), "env": {"TERM": "xterm", "LC_ALL": "C.UTF-8"}}
REPORT = ("-o", "report.md")


def is_report(ask: Ask) -> bool:
    return ask.kind == "report"


def halfway(study: Study, release: asyncio.Event, after: int = 12) -> None:
    """The report's answer stops in its middle until it is released."""

    def recipe(call: Call) -> Recipe:
        return stalled(release, after, text=study.model.say(Ask(call)))

    study.model.fail(is_report, recipe)


def on_screen(text: str) -> str:
    return text.replace("\r\n", "\n")


async def test_folds_begin_while_the_map_goes_on(study: Study) -> None:
    study.document()
    last = prose().rstrip().rpartition(". ")[2]
    study.model.hold(lambda ask: ask.kind == "map" and last in ask.text)
    async with study.reading(*REPORT) as job:
        await study.model.seen(lambda ask: ask.held)
        await study.model.seen(lambda ask: ask.kind == "merge")
        study.model.release()
        done = await job.ended()
    assert done.code == 0, done


async def test_on_a_terminal_the_report_is_read_while_it_is_written(study: Study) -> None:
    study.document()
    release = asyncio.Event()
    halfway(study, release)
    async with study.reading(**BOTH) as job:
        await job.heard("Report Z", on="stdout")
        seen = on_screen(job.stdout)
        assert seen.startswith("# Analysis of big.txt\n\nTask: ")
        assert "## Coverage" not in seen
        assert study.server.in_flight == 1
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    whole = on_screen(done.stdout)
    assert whole.startswith(seen), "what was shown is gone on with, and not said again"
    assert whole.count("# Analysis of big.txt") == 1
    assert "## Sources" in whole
    assert "(100 %) analysed" in whole
    study.model.mend()
    piped = await study.read()
    assert whole == piped.stdout


async def test_with_a_file_for_the_report_the_draft_is_shown_on_standard_error(
    study: Study,
) -> None:
    study.document()
    release = asyncio.Event()
    halfway(study, release)
    async with study.reading(*REPORT, **BOTH) as job:
        await job.heard("Report Z")
        assert not (study.folder / "report.md").exists()
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert done.stdout == ""
    assert (study.folder / "report.md").read_text().startswith("# Analysis of big.txt")


async def test_a_stream_that_breaks_in_the_report_is_asked_again_and_the_draft_is_void(
    study: Study,
) -> None:
    study.document()
    calm = await study.read()
    study.model.forget()
    (study.folder / "big.analysis.jsonl").unlink()
    broken: list[Call] = []

    def once(call: Call) -> Any:
        said = study.model.say(Ask(call))
        broken.append(call)
        return cut(12, text=said) if len(broken) == 1 else answer(said)

    study.model.fail(is_report, once)
    done = await study.read(**BOTH)
    assert done.code == 0, done
    assert len(broken) == 2
    shown = on_screen(done.stdout)
    draft, void, rest = shown.partition("(the answer broke off: what stands above is void")
    assert "Report Z" in draft
    assert void
    assert rest.partition("\n")[2] == calm.stdout


async def test_a_stream_that_breaks_gives_the_same_report_to_a_file(study: Study) -> None:
    study.document()
    calm = Study.beside(study)
    calm.document()
    assert (await calm.read(*REPORT)).code == 0
    seen: set[str] = set()

    def once(call: Call) -> Any:
        ask = Ask(call)
        said = study.model.say(ask)
        first = ask.digest not in seen
        seen.add(ask.digest)
        return cut(4, text=said) if first else answer(said)

    study.model.fail(lambda ask: True, once)
    done = await study.read(*REPORT)
    assert done.code == 0, done
    assert (study.folder / "report.md").read_bytes() == (calm.folder / "report.md").read_bytes()


async def test_without_a_terminal_nothing_is_written_before_the_end(study: Study) -> None:
    study.document()
    release = asyncio.Event()
    halfway(study, release)
    async with study.reading() as job:
        await study.model.seen(is_report)
        assert job.stdout == ""
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert "\r" not in done.stderr
    assert "Report Z" not in done.stderr
    assert done.stdout.startswith("# Analysis of big.txt")
    assert done.stdout.endswith("chunks\n") or done.stdout.endswith("document\n")


async def test_quiet_leaves_the_report_and_the_last_line(study: Study) -> None:
    study.document()
    loud = await study.read()
    done = await study.read("--quiet")
    assert (done.code, done.stdout) == (0, loud.stdout)
    assert done.stderr.splitlines() == [done.last]


async def test_the_bar_counts_chunks_above_the_report(study: Study) -> None:
    study.document()
    study.model.hold(is_report)
    async with study.reading(*REPORT, **BOTH) as job:
        await study.model.seen(lambda ask: ask.held)
        await job.heard("18 of 18 chunks")
        study.model.release()
        done = await job.ended()
    assert done.code == 0, done


async def test_control_characters_of_an_answer_do_nothing_to_the_terminal(study: Study) -> None:
    study.document()
    plain = study.model.say
    study.model.say = lambda ask: plain(ask) + "\n- evil \x1b]0;title\x07\x1b[2J text\n"
    done = await study.read(**BOTH)
    assert done.code == 0, done
    assert "\x1b]0;" not in done.stdout
    assert "\x1b[2J" not in done.stdout
    assert "evil" in done.stdout


async def test_a_message_of_the_server_does_nothing_to_the_terminal(study: Study) -> None:
    study.document()
    study.model.fail(lambda ask: True, error(400, "bad \x1b[2J\nllmbatch: all is well (exit 0)"))
    done = await study.read(*REPORT)
    assert done.code == 1, done
    assert "\x1b" not in done.stderr
    assert "\nllmbatch: all is well" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_run_that_is_stopped_in_its_draft_leaves_the_terminal_in_order(
    study: Study, number: int
) -> None:
    study.document()
    halfway(study, asyncio.Event())
    async with study.reading("--grace", "0", **BOTH) as job:
        await job.heard("Report Z", on="stdout")
        job.send(number)
        done = await job.ended()
    assert done.code == 128 + number
    assert "## Coverage" not in done.stdout
    assert done.stdout.endswith("\n")
    assert done.last.endswith(f"(exit {128 + number})")
    study.model.mend()
    assert (await study.read(*REPORT)).code == 0
