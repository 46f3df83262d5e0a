"""What a cold start costs: import and index of the package that is deployed, beside an empty app; then the first request on each store.

Bytecode is cached, and the bare interpreter is taken off. `docs/cold-start.md` has the figures and what they mean.
"""

from __future__ import annotations

import compileall
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import package
from bench.processes import ROOT
from bench.table import Row, middle, ms

if TYPE_CHECKING:
    from bench.run import Run

ROUNDS = 15
MOST = 2.0  # times the empty app
LARGEST = 400_000  # bytes of the zip of our own files
PEERS = ROOT / "bench" / "peers"
OURS = ("function_app", "functions", "shared")
RUNNER = ("bench", "devhost")  # what takes the platform's part here, and is not deployed
# Everything of others that may be loaded before the first request. A name stands for what lies below it too.
ALLOWED = {
    "azure.functions": "the programming model",
    "azure_functions_runtime": "the worker itself",
    "werkzeug": "headers of azure.functions' requests",
    "markupsafe": "werkzeug needs it",
    "orjson": "JSON",
    "pydantic": "the models of the catalogue, which the functions are made from",
    "pydantic_core": "pydantic needs it",
    "annotated_types": "pydantic needs it",
    "typing_extensions": "pydantic needs it",
    "typing_inspection": "pydantic needs it",
}
# A destination on this machine that is not there: what is loaded for it is what matters here.
TELLING = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-4000-8000-000000000000;IngestionEndpoint=http://127.0.0.1:9/",
}
_IMPORTED = re.compile(r"import time:\s*(\d+) \|\s*\d+ \|\s*(\S+)")


def measure(run: Run) -> list[Row]:
    ours, empty = run.folder("package"), run.folder("empty")
    package.lay_out(ours)
    weight = package.weigh(package.files_below(ours), run.scratch)
    shutil.copytree(PEERS / "empty_app", empty, dirs_exist_ok=True)
    for folder in (ours, empty):
        compileall.compile_dir(folder, quiet=2)
    home = run.folder("home")
    with emulated(home) as azure:
        stores = {"embedded": {"BILLY_HOME": str(home)}, "azure": {"BILLY_HOME": str(home), **azure}}
        rows = _starts(run, ours, empty, stores)
        rows += _loaded(ours, stores["azure"])
        for store, settings in (stores | {"azure with telemetry": {**azure, **TELLING}}).items():
            rows.append(_first(ours, store, settings, run.rounds(5)))
    return rows + _sizes(run, weight)


@contextmanager
def emulated(home: Path) -> Iterator[dict[str, str]]:
    """The settings that lead to Azure's stores as they run on this machine."""
    from tests.peers.azurite import running_azurite
    from tests.peers.cosmos import KEY, running_cosmos

    with running_azurite(home) as connection, running_cosmos(home / "cosmos") as endpoint:
        facts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
        yield {
            "BILLY_STORE": "azure",
            "BILLY_COSMOS_ENDPOINT": endpoint,
            "BILLY_COSMOS_KEY": KEY,
            "BILLY_TABLES_ENDPOINT": facts["TableEndpoint"],
            "BILLY_TABLES_KEY": facts["AccountKey"],
        }


def index(folder: Path, settings: Mapping[str, str]) -> tuple[int, list[str]]:
    """How many functions the package in `folder` has, and every module that is loaded when they are known."""
    count, *modules = _run(["bench.peers.index_app", str(folder)], settings).stdout.split()
    return int(count), modules


def first_request(folder: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    """What `bench.peers.first_request` tells of a GET of one charge, with a key and a charge of its own."""
    key = _run(["bench.peers.first_request", str(folder)], settings).stdout.strip()
    return json.loads(_run(["bench.peers.first_request", str(folder), key], settings).stdout)


def strangers(modules: Iterable[str]) -> dict[str, list[str]]:
    """The modules that are neither Python's nor ours, by the package they belong to: the first name, of `azure` the first two."""
    found: dict[str, list[str]] = {}
    for module in modules:
        parts = module.split(".")
        if parts[0] in sys.stdlib_module_names or parts[0] in (*OURS, *RUNNER, "__main__") or module == "azure":
            continue
        if parts[0].startswith("_sysconfigdata"):
            continue
        found.setdefault(".".join(parts[: 2 if parts[0] == "azure" else 1]), []).append(module)
    return found


def _starts(run: Run, ours: Path, empty: Path, stores: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """The target is judged by processor time: importing does little else, and what else runs on the machine disturbs it less."""
    runner = [sys.executable, "-P", "-m", "bench.peers.index_app"]
    bare: tuple[list[str], Mapping[str, str]] = ([sys.executable, "-P", "-c", "pass"], {})
    commands = {"bare": bare, "empty": ([*runner, str(empty)], {})} | {store: ([*runner, str(ours)], stores[store]) for store in stores}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(run.sized(ROUNDS, 3) + 1):
        for name, (command, settings) in commands.items():
            took = _timed(command, settings, ours.parent)
            if number:  # the first round compiles, and reads from the disk
                times[name].append(took)
    wall, processor = ({name: middle(each[which] for each in taken) for name, taken in times.items()} for which in (0, 1))
    peer = processor["empty"] - processor["bare"]
    rows: list[Row] = []
    for store, settings in stores.items():
        mine = processor[store] - processor["bare"]
        rows.append(
            Row(
                f"cold start: import and index of {index(ours, settings)[0]} functions, store {store}",
                f"{ms(mine)} ms processor, {ms(wall[store] - wall['bare'])} ms wall",
                f"{ms(peer)} ms processor, {ms(wall['empty'] - wall['bare'])} ms wall: empty app (bare interpreter {ms(processor['bare'])} ms off)",
                mine / peer,
                f"≤ {MOST:g}×",
                mine / peer <= MOST,
            )
        )
    return rows


def _timed(command: list[str], settings: Mapping[str, str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of a process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment(settings), cwd=folder)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[-2]} ended with {process.returncode}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def _loaded(ours: Path, settings: Mapping[str, str]) -> list[Row]:
    """What stands in memory before the first request, with each package's own import time, the slowest of all first."""
    _, modules = index(ours, settings)
    found = strangers(modules)
    spent: Counter[str] = Counter()
    for microseconds, module in _IMPORTED.findall(_run(["bench.peers.index_app", str(ours)], settings, "-X", "importtime").stderr):
        for name in strangers([module]) or (["ours"] if module.split(".")[0] in OURS else []):
            spent[name] += int(microseconds)
    found["ours"] = [module for module in modules if module.split(".")[0] in OURS]
    rows = [
        Row(f"before the first request: {name}", f"{len(found[name])} modules, {ms(spent[name] / 1e6)} ms", ALLOWED.get(name, ""))
        for name in sorted(found, key=lambda name: -spent[name])
    ]
    del found["ours"]
    heavy = sorted(set(found) - set(ALLOWED))
    return [*rows, Row("heavy modules loaded before the first request", ", ".join(heavy) or "none", "", None, "none", not heavy)]


def _first(ours: Path, store: str, settings: Mapping[str, str], rounds: int) -> Row:
    told = [first_request(ours, settings) for _ in range(rounds)]
    assert {each[when]["status"] for each in told for when in ("first", "second")} == {200}
    first, second = ({what: middle(each[when][what] for each in told) for what in ("wall", "processor")} for when in ("first", "second"))
    loaded = Counter({name: len(modules) for name, modules in strangers(told[-1]["first"]["loaded"]).items()})
    most = ", ".join(f"{name} {number}" for name, number in loaded.most_common(8)) or "nothing of others"
    return Row(
        f"first request, get by id, store {store}: then the second",
        f"{ms(first['wall'])} ms ({ms(first['processor'])} processor), then {ms(second['wall'])}",
        f"loads {most}",
    )


def _sizes(run: Run, ours: package.Weight) -> list[Row]:
    added = package.distributions()
    files = {name: path for each in added for name, path in package.installed_files(each).items()}
    theirs = package.weigh(files, run.scratch)
    largest = sorted(added, key=lambda each: -sum(path.stat().st_size for path in package.installed_files(each).values()))[:5]
    return [
        Row(
            f"package: our own {ours.files} files, as a zip",
            f"{ours.packed / 1000:.0f} kB (unpacked {ours.bytes / 1000:.0f} kB)",
            "",
            None,
            f"≤ {LARGEST / 1000:.0f} kB",
            ours.packed <= LARGEST,
        ),
        Row(
            f"package: the {len(added)} distributions that the remote build adds",
            f"{theirs.bytes / 1e6:.1f} MB (as a zip {theirs.packed / 1e6:.1f} MB)",
            f"largest: {', '.join(each.name for each in largest)}",
        ),
    ]


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Of a process that has its modules from the deployed package, and nothing of this checkout but the runner."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BILLY_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", **settings}


def _run(module: list[str], settings: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", *options, "-m", *module]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(settings), cwd=PEERS.parent.parent, check=False)
    if done.returncode:
        raise RuntimeError(f"{module[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done
