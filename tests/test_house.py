"""The house rules of imports: one way, and heavy libraries only where they belong."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BASE = {"model", "config", "errors"}
DATA = {"dialects", "takes"}
VALUES = (
    BASE
    | DATA
    | {
        "pulse",
        "fitting",
        "ports",
        "records",
        "retry",
        "events",
        "clock",
        "drain",
        "tokens",
        "compact",
    }
    | {"reuse"}
)
STAGES = {"engines", "call", "sources", "limits", "providers", "sinks", "embedded"}

# What a module or package of jobs/ may import from jobs/, beside itself.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "model": {"metrics"},
    "metrics": set(),
    "hearing": {"model", "ports"},
    "takes": {"model"},
    "dialects": {"model", "takes"},
    "config": {"dialects", "model"},
    "fitting": {"dialects", "errors", "model"},
    "compact": set(),
    "spans": {"compact"},
    "histogram": set(),
    "clock": set(),
    "looplag": {"histogram"},
    "drain": set(),
    "filelimit": {"errors"},
    "garbage": {"config"},
    "keys": {"errors"},
    "events": {"errors", "model"},
    "ports": {"errors", "events", "model", "pulse"},
    "records": {"bodies", "model"},
    "retry": {"errors"},
    "tokens": {"model"},
    "toolcalls": set(),
    "promptfile": {"errors"},
    "prompts": {"errors", "promptfile", "sources", "tokens"},
    "contexts": {"embedded"},
    "sizes": {"config", "contexts", "errors", "sources", "tokens"},
    "answer": {"model", "toolcalls"},
    "summary": {
        "bound",
        "budget",
        "coverage",
        "drain",
        "events",
        "histogram",
        "looplag",
        "model",
        "ports",
        "prices",
        "reuse",
        "traffic",
    },
    "pulse": set(),
    "outlook": {"model", "summary"},
    "bound": set(),
    "coverage": {"events", "model"},
    "emptyanswers": {"errors", "model", "ports"},
    "traffic": {"events"},
    "settings": BASE | DATA | {"halts"},
    "summaryfile": {"errors", "summary", "wholefile"},
    "wholefile": set(),
    "ownfiles": {"errors"},
    "results": {"errors", "model", "records"},
    "bodies": {"model"},
    "breaker": {"errors", "events", "ports"},
    "lane": {"breaker", "errors", "fitting", "model", "ports", "prices"},
    "progress": {"answer", "errors", "lane", "model", "prices"},
    "routes": {"breaker", "drain", "errors", "events", "lane", "ports"},
    "call": VALUES | {"answer", "breaker", "hearing", "lane", "progress", "routes", "budget"},
    "fold": VALUES | {"coverage"},
    "structured": VALUES,
    "prices": BASE,
    "budget": VALUES | {"contexts", "lane", "prices", "workers"},
    "cache": VALUES,
    "browsing": VALUES | {"manifest", "rereading", "sources"},
    "reuse": VALUES,
    "halts": VALUES,
    "manifest": VALUES | {"keys", "traffic", "wholefile"},
    **dict.fromkeys(STAGES - {"call"}, VALUES),
}
ALLOWED["watching"] = VALUES | {
    "histogram",
    "manifest",
    "outlook",
    "processes",
    "progress",
    "summary",
    "summaryfile",
    "workers",
}
ALLOWED["reporting"] = VALUES | {
    "compact", "histogram", "manifest", "metrics", "prices", "sources", "summary",
}  # fmt: skip
ALLOWED["providers"] = VALUES | {"keys"}
ALLOWED["workers"] = VALUES | {"looplag"}
ALLOWED["telemetry"] = VALUES | {"summary", "wholefile"}
ALLOWED["limits"] = VALUES | {"workers"}
ALLOWED["engines"] = VALUES | {"workers"}
ALLOWED["sinks"] = VALUES | {"manifest", "spans", "wholefile"}

ROOTS = {
    "job",
    "analysis",
    "analysisfiles",
    "analysisplan",
    "analysisreport",
    "answerform",
    "chronicle",
    "pipeline",
    "planning",
    "preparation",
    "processes",
    "crew",
    "worker",
    "rereading",
    "tableoutput",
    "reuseplan",
    "verification",
    "lanes",
    "talk",
    "__init__",
}
"""The composition root, in its parts, and what is exported: these know every room."""

HOMES = {
    "aiohttp": {"cli/web", "jobs/providers"},
    "aiolimiter": {"jobs/limits"},
    "jsonschema_rs": {"jobs/structured"},
    "litellm": {"jobs/providers"},
    "click": {"cli"},
    "tqdm": {"cli"},
    "xllamacpp": {"jobs/embedded"},
    "regex": {"jobs/sources/chunks"},
    "pypdfium2": {"jobs/sources"},
    "genai_prices": {"jobs/prices"},
    "google": {"jobs/telemetry"},
    "opentelemetry": {"jobs/telemetry"},
    "prometheus_client": {"jobs/telemetry"},
    "pyarrow": {"jobs/sources/tables", "jobs/sinks/tables"},
    "sqlite3": {"jobs/cache"},
    "toktok": {"jobs"},
    "yaml": {"jobs"},
    "prompt_toolkit": {"cli/conversation"},
    "rich": {"cli/conversation"},
}


def modules() -> list[Path]:
    return sorted(p for room in ("cli", "jobs") for p in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The absolute names of all that a file imports, inside functions too."""
    package = ["llmbatch", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(ROOT / "jobs").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    inside = {name.split(".")[2] for name in imports(path) if name.startswith("llmbatch.jobs.")}
    outside = [name for name in imports(path) if name.startswith("llmbatch.cli")]
    if path.is_relative_to(ROOT / "cli"):
        return
    assert not outside, f"{path} imports from the command line's room: {outside}"
    here = room(path)
    if here in ROOTS:
        return
    assert here in ALLOWED, f"say in this test what {here} may import"
    rooms = {p.stem for p in (ROOT / "jobs").iterdir()}
    assert (inside & rooms) - ALLOWED[here] - {here} == set()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    for name in imports(path):
        homes = HOMES.get(name.split(".")[0])
        if homes is not None:
            assert any(where.startswith(f"{home}/") for home in homes), f"{where} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_inside_a_package_are_relative(path: Path) -> None:
    own = "llmbatch." + path.relative_to(ROOT).parts[0]
    absolute = [
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and not node.level and node.module
    ]
    assert [name for name in absolute if name.startswith(own)] == []


def test_no_module_is_longer_than_300_lines() -> None:
    long = [str(p) for p in modules() if p.read_text().count("\n") > 300]
    assert long == []


def test_help_does_not_import_aiohttp() -> None:
    code = (
        "import sys\n"
        "from llmbatch.cli.main import main\n"
        "sys.argv = ['llmbatch', '--help']\n"
        "main()\n"
        "heavy = {'aiohttp', 'tqdm', 'asyncio', 'uvloop', 'yaml', 'toktok'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "run" in done.stdout


def test_no_package_named_plain_cli_or_jobs_is_installed() -> None:
    code = "import importlib.util as u; print(u.find_spec('jobs'), u.find_spec('cli'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.strip() == "None None"
