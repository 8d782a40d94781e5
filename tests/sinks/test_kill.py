"""kill -9 at any moment: whole lines stay, and one whole file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

from sampleresults import request, sample

from llmbatch.jobs.records import encode, read
from llmbatch.jobs.sinks.opening import open_output

Spawn = Callable[[str, str], "Popen[str]"]

WRITE_FOR_EVER = """
async def main():
    sink = open_output(output)
    print("writing", flush=True)
    number = 0
    while True:
        await sink.write(sample(f"q{number}", output="x" * 3000))
        number += 1
asyncio.run(main())
"""

FINISH_AND_DIE = """
import os, signal
step = 10**9
def dying(call):
    def instead(*args, **rest):
        global step
        step -= 1
        if step < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **rest)
    return instead
async def run(path, dies_at):
    global step
    sink = open_output(path)
    for name in "abc":
        await sink.expect(request(name))
    await sink.write(sample("b"))
    step = dies_at
    await sink.finish()
    step = 10**9
    await sink.aclose()
data = Path(output).read_bytes()
ended, number = -1, 0
while ended != 0:
    path = f"{output}.{number}"
    Path(path).write_bytes(data)
    child = os.fork()
    if child == 0:
        for name in "open", "write", "fsync", "fchmod", "close", "replace", "pread", "unlink":
            setattr(os, name, dying(getattr(os, name)))
        asyncio.run(run(path, number))
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL), ended
    number += 1
print(number)
"""


async def test_a_killed_run_leaves_at_most_one_torn_line(tmp_path: Path, spawn: Spawn) -> None:
    path = tmp_path / "out.jsonl"
    child = spawn(WRITE_FOR_EVER, str(path))
    assert child.stdout is not None
    child.stdout.readline()
    while path.stat().st_size < 1_000_000:
        assert child.poll() is None
    child.kill()
    child.wait()
    whole, _, _tail = path.read_bytes().rpartition(b"\n")
    lines = whole.split(b"\n")
    for number, line in enumerate(lines):
        stored = read(line)
        assert stored is not None
        assert stored.id == f"q{number}"
    sink = open_output(str(path))
    assert await sink.expect(request(f"q{len(lines) - 1}")) == "ok"
    await sink.aclose()


async def test_a_run_killed_at_any_step_of_its_tidying_leaves_one_whole_file(
    tmp_path: Path, spawn: Spawn
) -> None:
    path = tmp_path / "out.jsonl"
    old = [encode(sample("a")), encode(sample("b", "error")), encode(sample("c"))]
    before = b"".join([*old, encode(sample("b"))])
    after = b"".join([old[0], old[2], encode(sample("b"))])
    path.write_bytes(b"".join(old))
    out, err = spawn(FINISH_AND_DIE, str(path)).communicate()
    assert err == ""
    left = [tmp_path / f"out.jsonl.{step}" for step in range(int(out))]
    assert {file.read_bytes() for file in left} == {before, after}
    assert left[-1].read_bytes() == after
    for file in left:
        sink = open_output(str(file))
        for name in "abc":
            assert await sink.expect(request(name)) == "ok"
        await sink.finish()
        await sink.aclose()
        assert file.read_bytes() == after
    assert sorted(tmp_path.iterdir()) == sorted([path, *left])
