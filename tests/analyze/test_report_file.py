"""The report's file is written whole or not at all, and what can't work is said before the map."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import without_rights
from study import RESULTS, SMALL, Study

REFUSED = [
    (("-o", "folder"), "-o folder: is a folder"),
    (("-o", "no/report.md"), "-o no/report.md: the folder no does not exist"),
    (("-o", "big.txt"), "big.txt is a document too"),
    (("--results", "big.txt"), "big.txt is a document too"),
    (("-o", RESULTS), f"-o {RESULTS}: is the file of --results too"),
    (("-o", "r.md", "--results", "r.md"), "-o r.md: is the file of --results too"),
    (("-o", "r.md", "--summary", "r.md"), "--summary r.md: is the file of -o too"),
    (("--results", "-"), "--results -: must be a file"),
    (("--results", "folder"), "folder"),
    (("--results", "/dev/null"), "--results /dev/null: must be a file"),
    (("--summary", "big.txt"), "big.txt is a document too"),
    (("-o", "link.txt"), "link.txt is a document too"),
]


@pytest.mark.parametrize(("args", "message"), REFUSED, ids=lambda value: str(value)[:40])
async def test_what_can_not_be_written_to_is_refused_before_anything_is_sent(
    study: Study, args: tuple[str, ...], message: str
) -> None:
    document = study.document()
    text = document.read_bytes()
    (study.folder / "folder").mkdir()
    (study.folder / "link.txt").symlink_to("big.txt")
    done = await study.read(*args)
    assert done.code in (2, 6), done
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert study.model.asks == []
    assert document.read_bytes() == text
    assert study.files() <= {"big.txt", "folder", "link.txt", RESULTS}


async def test_a_folder_without_permission_is_refused_before_anything_is_sent(
    study: Study, tmp_path: Path
) -> None:
    study.document()
    (study.folder / "sub").mkdir()
    study.document(name="sub/big.txt")
    (study.folder / "sub").chmod(0o555)
    elsewhere = ("--results", tmp_path / "r.jsonl")
    done = await study.read("-o", "sub/report.md", *elsewhere, preexec_fn=without_rights)
    assert done.code == 2, done
    assert "-o sub/report.md: no permission to write into sub" in done.stderr
    done = await study.run("sub/big.txt", *SMALL, preexec_fn=without_rights)
    assert done.code == 6, done
    assert "sub/big.analysis.jsonl" in done.stderr
    assert "no permission" in done.stderr
    assert study.model.asks == []


async def test_a_file_that_is_no_results_file_is_left_alone(study: Study) -> None:
    study.document()
    (study.folder / RESULTS).write_text("Dear diary,\n")
    done = await study.read()
    assert done.code == 6, done
    assert f"{RESULTS}: exists, but no line of it is a result" in done.stderr
    assert "(--results)" in done.stderr
    assert (study.folder / RESULTS).read_text() == "Dear diary,\n"
    assert study.model.asks == []


async def test_where_the_results_can_not_be_written_nothing_is_sent(study: Study) -> None:
    study.document()
    done = await study.read("--results", "no/results.jsonl")
    assert done.code == 6, done
    assert "no/results.jsonl" in done.stderr
    assert study.model.asks == []


async def test_a_report_that_the_disk_has_no_room_for_leaves_the_older_one(
    study: Study, small_disk: Path
) -> None:
    study.document()
    report = small_disk / "report.md"
    report.write_text("older")
    (small_disk / "filler").write_bytes(bytes(48 * 1024))
    study.model.say = lambda ask: f"- {ask.digest} " + "words and more words " * 90
    done = await study.read("-o", report, "--fold", "concat")
    assert done.code == 6, done
    assert f"can't write the report to {report}: No space left on device" in done.stderr
    assert "every result is safe, and the same command writes it" in done.stderr
    assert report.read_text() == "older"
    assert {path.name for path in small_disk.iterdir()} == {"report.md", "filler"}
    assert len(study.chunks()) == len(study.model.forget())

    (small_disk / "filler").unlink()
    again = await study.read("-o", report, "--fold", "concat")
    assert again.code == 0, again
    assert study.model.forget() == []
    assert report.read_text().startswith("--- Section 1 of ")


async def test_results_that_the_disk_has_no_room_for_end_it_and_nothing_is_paid_twice(
    study: Study, small_disk: Path
) -> None:
    study.document()
    results = small_disk / "r.jsonl"
    (small_disk / "filler").write_bytes(bytes(56 * 1024))
    args = ("-o", "report.md", "--results", results, "--concurrency", "2")
    done = await study.read(*args)
    assert done.code == 6, done
    assert f"{results}: the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (study.folder / "report.md").exists()
    written = results.read_bytes().count(b"\n")
    asked = study.model.forget()
    assert 0 < written < len(asked) + 1
    (small_disk / "filler").unlink()
    again = await study.read(*args, "--fold", "none")
    assert again.code == 0, again
    chunks = len(study.chunks(str(results)))
    assert len(study.model.forget()) == chunks - written


async def test_a_report_to_a_pipe_that_nobody_reads_any_more_is_said(study: Study) -> None:
    study.document()
    read, write = os.pipe()
    os.close(read)
    try:
        done = await study.read(stdout=write)
    finally:
        os.close(write)
    assert done.code == 6, done
    assert "standard output was closed by its reader" in done.stderr
    study.model.forget()
    assert (await study.read()).code == 0
    assert study.model.forget() == []


async def test_an_older_report_keeps_its_rights_and_a_link_stays_one(study: Study) -> None:
    study.document()
    (study.folder / "there").mkdir()
    real = study.folder / "there" / "real.md"
    real.write_text("older")
    real.chmod(0o640)
    (study.folder / "report.md").symlink_to("there/real.md")
    done = await study.read("-o", "report.md")
    assert done.code == 0, done
    assert (study.folder / "report.md").is_symlink()
    assert real.read_text().startswith("# Analysis of big.txt")
    assert real.stat().st_mode & 0o777 == 0o640


async def test_a_second_run_on_the_same_results_is_refused_and_names_the_first(
    study: Study,
) -> None:
    study.document()
    study.model.hold(lambda ask: True)
    async with study.reading("-o", "one.md") as job:
        await study.model.seen(lambda ask: ask.held)
        second = await study.read("-o", "two.md")
        assert second.code == 6, second
        assert f"{RESULTS}: another run (process {job.pid}, since " in second.stderr
        assert "(--results)" in second.stderr
        study.model.release()
        done = await job.ended()
    assert done.code == 0, done
    assert set(study.model.counts().values()) == {1}
    assert (study.folder / "one.md").exists()
    assert not (study.folder / "two.md").exists()


async def test_starting_over_needs_force_and_pays_again(study: Study) -> None:
    study.document()
    assert (await study.read()).code == 0
    first = study.model.forget()
    refused = await study.read("--fresh")
    assert refused.code == 2, refused
    assert "--force" in refused.stderr
    assert study.model.forget() == []
    done = await study.read("--fresh", "--force")
    assert done.code == 0
    assert len(study.model.forget()) == len(first)


async def test_several_documents_need_a_name_for_their_results(study: Study) -> None:
    study.document(name="a.txt")
    study.document(name="b.txt")
    done = await study.run("a.txt", "b.txt", *SMALL)
    assert done.code == 2
    assert "--results FILE" in done.stderr
    assert study.model.asks == []
