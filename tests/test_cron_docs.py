"""docs/cron-and-ci.md: what stands there is what is tried here."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import SCRIPT, Done, running
from desk import Desk
from faultreplies import answer, error

from faultserver import FaultServer
from llmbatch.cli.exits import Exit
from llmbatch.jobs.halts.rule import METRICS, Rule

PAGE = (Path(__file__).parent.parent / "docs" / "cron-and-ci.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
KEY = "sk-cron-do-not-print"


def block(kind: str, mark: str) -> str:
    """The one block of that kind in which the mark stands."""
    (found,) = [text for name, text in BLOCKS if name == kind and mark in text]
    return found


def workflow() -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(block("yaml", "runs-on"))
    return found


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, server: FaultServer) -> Desk:
    """The folder of the page, /srv/nightly, with a server of ours and a price for it."""
    desk = Desk(tmp_path, server)
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/llmbatch").symlink_to(SCRIPT)
    text = block("yaml", "llmbatch.yaml").replace("/srv/nightly", str(tmp_path))
    settings = yaml.safe_load(text)
    key = Path(settings["providers"]["openai"]["api_key_file"])
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    settings["providers"]["openai"]["base_url"] = server.url
    (tmp_path / "llmbatch.yaml").write_text(
        yaml.safe_dump(settings | {"price_in": 1.0, "price_out": 1.0})
    )
    return desk


# cron


def crontab() -> tuple[list[str], str]:
    """The five fields of the line, and its command as cron hands it to the shell."""
    lines = [line for line in block("crontab", "llmbatch").splitlines() if line[0] != "#"]
    (line,) = lines
    *fields, command = line.split(None, 5)
    assert not re.search(r"(?<!\\)%", command), "a line feed to cron"
    return fields, command.replace("\\%", "%")


async def cron(desk: Desk) -> Done:
    """The line's command as cron starts it: a few variables, no terminal, no input."""
    _, command = crontab()
    command = command.replace("/srv/nightly", str(desk.folder))
    variables = (f"HOME={desk.folder}", "LOGNAME=nightly", "SHELL=/bin/sh", "PATH=/usr/bin:/bin")
    program = ("/usr/bin/env", "-i", *variables, "/bin/sh", "-c", command)
    async with running(program=program, cwd=Path("/"), env={"PWD": "/"}) as job:
        return await job.ended()


def test_the_crontab_line_has_its_five_fields() -> None:
    fields, command = crontab()
    assert len(fields) == 5
    for field, most in zip(fields, (59, 23, 31, 12, 7), strict=True):
        assert field == "*" or 0 <= int(field) <= most
    assert command.startswith("cd /srv/nightly && venv/bin/llmbatch run ")


async def test_the_crontab_line_works_and_prints_nothing_where_all_is_well(desk: Desk) -> None:
    desk.prompts(40, "prompts.jsonl")
    done = await cron(desk)
    assert (done.code, done.stdout, done.stderr) == (0, "", ""), done
    assert len(desk.results("prompts.results.jsonl")) == 40
    assert desk.summary("last-run.json")["exit_code"] == 0
    log = (desk.folder / "nightly.log").read_text()
    records = [json.loads(line) for line in log.splitlines()]
    assert records[-1]["event"] == "summary"
    assert {call.headers["Authorization"] for call in desk.server.calls} == {f"Bearer {KEY}"}
    assert KEY not in log
    again = await cron(desk)
    assert again.stdout == ""
    assert len(desk.server.calls) == 40


async def test_the_crontab_line_mails_the_summary_where_something_is_wrong(desk: Desk) -> None:
    desk.prompts(40, "prompts.jsonl")
    desk.server.replies = error(400)
    done = await cron(desk)
    (line,) = done.stdout.splitlines()
    last = json.loads(line)
    assert (last["event"], last["exit_code"], last["stopped"]["cause"]) == ("summary", 4, "halt")
    assert len(desk.server.calls) < 40
    assert done.stderr == ""


def test_the_log_is_rotated_by_its_name() -> None:
    _, command = crontab()
    rotated = block("logrotate", "rotate")
    assert rotated.startswith("/srv/nightly/nightly.log {")
    assert "2>>nightly.log" in command
    assert "delaycompress" in rotated


# systemd


class Unit:
    """A unit file of the page, under its own name."""

    def __init__(self, suffix: str) -> None:
        text = block("ini", f"llmbatch-nightly.{suffix}\n")
        self.name = re.findall(r"^# /etc/systemd/system/(\S+)$", text, re.MULTILINE)[0]
        self.text = text
        self.parsed = configparser.ConfigParser(strict=True, interpolation=None)
        self.parsed.optionxform = str  # type: ignore[assignment,method-assign]
        self.parsed.read_string(text)


def test_the_units_belong_together() -> None:
    service, timer = Unit("service"), Unit("timer")
    assert service.name.removesuffix(".service") == timer.name.removesuffix(".timer")
    assert service.parsed["Service"]["Type"] == "oneshot"
    assert f"/run/credentials/{service.name}/openai" in PAGE
    assert service.parsed["Service"]["LoadCredential"].startswith("openai:")
    assert f"enable --now {timer.name}" in PAGE
    stop = service.parsed["Service"]
    assert float(stop["TimeoutStopSec"]) > 10.0, "more than the default of --grace"
    codes = {int(word) for word in stop["RestartPreventExitStatus"].split()}
    assert codes == {1, 2, 3, 5}
    assert stop["SuccessExitStatus"] == str(int(Exit.TERMINATED))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    places = []
    for suffix in ("service", "timer"):
        unit = Unit(suffix)
        text = unit.text.replace("/srv/nightly/venv/bin/llmbatch", str(SCRIPT))
        place = tmp_path / unit.name
        place.write_text(text.replace("/srv/nightly", str(tmp_path)))
        places.append(str(place))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *places], capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "llmbatch-nightly" in line]
    assert ours == []
    calendar = Unit("timer").parsed["Timer"]["OnCalendar"]
    subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


async def test_the_service_runs_with_its_credential(desk: Desk, tmp_path: Path) -> None:
    """The command of the unit in its folder, with the key where the page says that it is."""
    desk.prompts(3, "prompts.jsonl")
    service = Unit("service").parsed["Service"]
    command = service["ExecStart"].replace("/srv/nightly", str(tmp_path)).split()
    async with running(program=command, cwd=tmp_path, env={"CREDENTIALS_DIRECTORY": "x"}) as job:
        done = await job.ended()
    assert done.code == 0, done
    assert len(desk.results("prompts.results.jsonl")) == 3


# GitHub Actions


def steps() -> list[dict[str, Any]]:
    (job,) = workflow()["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def test_the_workflow_is_one() -> None:
    flow = workflow()
    assert set(flow) == {"name", True, "permissions", "jobs"}, "YAML 1.1 reads on as true"
    assert flow["permissions"] == {"contents": "read"}
    for step in steps():
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/b@v1"))
    (job,) = flow["jobs"].values()
    assert {"runs-on", "timeout-minutes", "steps"} == set(job)
    secrets = [step for step in steps() if "env" in step]
    assert [step["name"] for step in secrets] == ["Run the prompts"], "no other step has the key"


async def act(desk: Desk, *, code: int) -> Done:
    """The step that runs the prompts, as the runner starts it."""
    (step,) = [step for step in steps() if step.get("name") == "Run the prompts"]
    script = desk.folder / "step.sh"
    script.write_text(step["run"])
    env = {
        name: value.replace("${{ secrets.OPENAI_API_KEY }}", KEY)
        for name, value in step["env"].items()
    }
    env |= {
        "PATH": f"{SCRIPT.parent}:/usr/bin:/bin", "CI": "true", "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(desk.folder / "step.md"),
        "GITHUB_WORKSPACE": str(desk.folder), "LLMBATCH_BASE_URL": desk.server.url,
        "LLMBATCH_PRICE_IN": "1", "LLMBATCH_PRICE_OUT": "1",
    }  # fmt: skip
    program = ("bash", "--noprofile", "--norc", "-eo", "pipefail", script)
    async with running(program=program, cwd=desk.folder, env=env) as job:
        done = await job.ended()
    assert done.code == code, done
    return done


@pytest.fixture
def checkout(tmp_path: Path, server: FaultServer) -> Desk:
    (tmp_path / "prompts").mkdir()
    desk = Desk(tmp_path, server)
    desk.prompts(60, "prompts/smoke.jsonl")
    return desk


async def test_the_step_runs_and_leaves_what_the_next_one_keeps(checkout: Desk) -> None:
    done = await act(checkout, code=0)
    (keep,) = [step for step in steps() if "upload-artifact" in step.get("uses", "")]
    for name in keep["with"]["path"].split():
        assert (checkout.folder / name).stat().st_size
    assert "### llmbatch: all is well (exit 0)" in (checkout.folder / "step.md").read_text()
    assert ET.parse(checkout.folder / "report.xml").getroot().get("tests") == "60"
    assert not [line for line in done.stderr.splitlines() if line.startswith("::error")]
    assert KEY not in done.stderr


async def test_the_step_stops_at_its_canary_and_says_where(checkout: Desk) -> None:
    checkout.server.replies = lambda call: error(400) if call.prompt == "say 4" else answer()
    await act(checkout, code=1)
    checkout.server.replies = error(400)
    (checkout.folder / "results.jsonl").unlink()
    (checkout.folder / "results.jsonl.manifest.json").unlink()
    done = await act(checkout, code=4)
    assert "::error title=llmbatch stopped early::stopped early: the canary broke" in done.stderr
    assert "::error file=prompts/smoke.jsonl,line=" in done.stderr
    assert "stopped early (exit 4)" in (checkout.folder / "step.md").read_text()


async def test_without_its_secret_the_step_sends_nothing(checkout: Desk) -> None:
    (step,) = [step for step in steps() if step.get("name") == "Run the prompts"]
    assert "secrets" in step["env"]["OPENAI_API_KEY"]
    env = {"OPENAI_API_KEY": ""}
    script = checkout.folder / "step.sh"
    script.write_text(step["run"])
    path = {"PATH": f"{SCRIPT.parent}:/usr/bin:/bin"}
    program = ("bash", "-eo", "pipefail", script)
    async with running(program=program, cwd=checkout.folder, env={**env, **path}) as job:
        done = await job.ended()
    assert done.code == 2, done
    assert "openai/gpt-4o-mini needs a key" in done.stderr
    assert any(line.startswith("::error title=llmbatch::") for line in done.stderr.splitlines())


# What the page says


def test_every_exit_code_of_a_job_is_in_the_table() -> None:
    table = PAGE.split("| exit code |")[1].split("\n\n")[0]
    codes = {
        int(code)
        for cell in re.findall(r"^\| ([\d, ]+) \|", table, re.M)
        for code in cell.split(",")
    }
    assert codes == {int(code) for code in Exit} - {Exit.INTERNAL}


def test_every_metric_is_in_the_table_and_every_rule_is_one() -> None:
    table = PAGE.split("| a rule is about |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == list(METRICS)
    rules = re.findall(r"[`'\[ ](\w+>=?\d+(?:%|s|m)?)", PAGE)
    assert len(rules) >= 6
    for text in rules:
        Rule.parse(text)
