from __future__ import annotations
import pytest, signal
from study import Study
from faultreplies import answer, cut
LONG = "## T\n\n" + "\n".join(f"- 会社 {'x'*50} \u0645\u0631\u062d {n} 👩‍👩‍👧 e\u0301 \x1b[31m [1]" for n in range(60))
@pytest.mark.parametrize("env", [{}, {"NO_COLOR":"1"}, {"TERM":"dumb"}, {"COLUMNS":"20","LINES":"8"}])
async def test_x(study: Study, env) -> None:
    study.document()
    n = [0]
    def which(ask):
        return ask.kind == "report"
    study.model.fail(which, answer(LONG))
    async with study.reading(tty=("stdout","stderr"), env=env) as job:
        done = await job.ended()
    out = done.stdout.replace("\r\n","\n")
    print(repr(out[:300])); print(repr(out[-600:])); print(repr(done.stderr[-400:]))
    print("ESC" , out.count("\x1b"), out.count("void"), out.count("draft"), out.count("## T"), done.code)
    assert 0
async def test_broken(study: Study) -> None:
    study.document()
    study.model.fail(lambda ask: ask.kind == "report", cut(2, text=LONG))
    async with study.reading(tty=("stdout",)) as job:
        done = await job.ended()
    out = done.stdout.replace("\r\n","\n")
    print(repr(out[:200]), out.count("void"), out.count("## T"), repr(out[-300:]), done.stderr[-600:], done.code)
    assert 0
