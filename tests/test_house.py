"""The house: layers, limits, and files that must agree with each other. See docs/architecture.md."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from shared.settings import Settings

ROOT = Path(__file__).parent.parent
CODE = [
    path
    for folder in ("shared", "functions", "devhost", "sandbox", "emulators", "quickstart", "bench")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
CODE.append(ROOT / "function_app.py")
LARGEST = 300  # lines
BANNED = {"utils", "util", "helpers", "helper", "common", "base", "manager", "service", "misc"}

BELOW = {
    "shared.context",
    "shared.credentials",
    "shared.entered",
    "shared.errors",
    "shared.instants",
    "shared.reading",
    "shared.settings",
    "shared.untrusted",
}  # what every room of the domain may use
KEPT = {"shared.stores.protocols", "shared.stores.changes", "shared.stores.deployment"}  # what the domain may know of stores
MAY_IMPORT = {
    "shared.policy": {"shared.policy"},
    "shared.telemetry": {"shared.telemetry", *BELOW},
    "shared.gateway": {"shared.gateway", "shared.telemetry", "shared.money", *BELOW, *KEPT},
    "shared.stores": {
        "shared.stores",
        "shared.entered",
        "shared.errors",
        "shared.money",
        "shared.telemetry.spans",
        "shared.telemetry.measures",
    },
    "shared.people": {"shared.people", "shared.actor", "shared.telemetry.lines", *BELOW, *KEPT},
    "shared.road": {"shared.road", "shared.people", "shared.policy", "shared.money", "shared.actor", "shared.telemetry", *BELOW, *KEPT},
    "shared.road.catalogue": {"shared.road.operation", "shared.operations"},
    "shared.operations": {
        *("shared.operations", "shared.road", "shared.people", "shared.policy", "shared.money", "shared.actor", "shared.telemetry"),
        *(*BELOW, *KEPT),
    },
    "shared.surfaces": {
        *("shared.surfaces", "shared.operations", "shared.road", "shared.people", "shared.policy", "shared.money", "shared.actor"),
        *("shared.telemetry", *BELOW, *KEPT),
    },
    "functions": {
        "functions",
        "shared.surfaces",
        "shared.operations",
        "shared.road",
        "shared.wiring",
        "shared.actor",
        "shared.context",
        "shared.errors",
        "shared.gateway",
        "shared.telemetry",
    },
    "sandbox": {"sandbox"},
    "devhost": {"devhost"},
    "emulators": {"emulators"},
}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> list[str]:
    """Every module that a file imports, wherever in the file it does."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def _within(module: str, rooms: set[str]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    ours = ("shared", "functions", "devhost", "sandbox", "emulators", "quickstart", "bench", "tests")
    wrong = [
        f"{_name(path)} imports {module}"
        for path in CODE
        if _within(_name(path), {layer}) and not any(_within(_name(path), {other}) for other in MAY_IMPORT if other.startswith(layer + "."))
        for module in _imports(path)
        if module.split(".")[0] in ours and not _within(module, MAY_IMPORT[layer]) and module != "shared.wiring.context"
        if not (module == "shared.wiring" and layer == "functions")
    ]
    assert wrong == [], "LAYER VIOLATION, see docs/architecture.md"


def test_outside_things_have_one_door() -> None:
    doors = {
        "azure": {
            "functions",
            "function_app",
            "shared.stores",
            "shared.surfaces.rest",
            "shared.wiring",
            "shared.telemetry.exporting",
            "devhost",
        },
        "opentelemetry": {"shared.telemetry.exporting", "shared.telemetry.keeping"},
        "stripe": {"shared.gateway", "sandbox"},
        "mcp": {"shared.surfaces", "bench"},
        "sqlite3": {"shared.stores", "devhost", "sandbox", "bench"},
    }
    wrong = [
        f"{_name(path)} imports {module}"
        for path in CODE
        for module in _imports(path)
        if module.split(".")[0] in doors and not _within(_name(path), doors[module.split(".")[0]])
        if not _name(path).startswith("bench")
    ]
    assert wrong == []


def test_the_environment_is_read_in_settings_alone() -> None:
    wrong = [
        _name(path)
        for path in CODE
        if path.is_relative_to(ROOT / "shared") and path.name != "settings.py" and "os.environ" in path.read_text()
    ]
    wrong += [_name(path) for path in CODE if path.is_relative_to(ROOT / "functions") and "os.environ" in path.read_text()]
    assert wrong == []


def test_time_ids_and_chance_come_through_the_seam() -> None:
    ways = re.compile(r"\btime\.time\(|datetime\.now\(|\buuid4\(|\brandom\.|secrets\.token|datetime\.utcnow")
    wrong = [
        _name(path) for path in CODE if path.is_relative_to(ROOT / "shared") and path.name != "context.py" and ways.search(path.read_text())
    ]
    assert wrong == []


def test_no_file_is_longer_than_one_idea() -> None:
    long = {_name(path): lines for path in CODE if (lines := len(path.read_text().splitlines())) > LARGEST}
    assert long == {}


def test_no_module_is_named_after_nothing() -> None:
    assert [_name(path) for path in CODE if set(path.stem.split("_")) & BANNED] == []


def test_every_package_says_what_it_is_for() -> None:
    silent = [_name(path) for path in CODE if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_the_settings_sample_is_the_settings() -> None:
    values = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    defaults = Settings()
    expected = {f"BILLY_{field.name.upper()}": _shown(getattr(defaults, field.name)) for field in fields(Settings)}
    assert {name: value for name, value in values.items() if name.startswith("BILLY_")} == expected
    assert len(expected) <= 20


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def test_every_dependency_is_pinned_and_says_what_it_is_for() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[A-Za-z0-9_\[\]-]+==[0-9][0-9A-Za-z.]* +# .{10,}", line), f"{name}: {line}"


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    words = re.compile("|".join(re.escape(f"{place}/") for place in (ROOT, Path.home())))
    wrong = []
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if (
            name
            and path.is_file()
            and path != Path(__file__)
            and path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".yml", ".sh", ""}
        ):
            found = words.search(path.read_text(errors="ignore"))
            if found:
                wrong.append(f"{name}: {found.group(0)}")
    assert wrong == []


@pytest.mark.parametrize("module, target", [("shared.surfaces.openapi", "docs/openapi.json"), ("shared.surfaces.policy", "docs/policy.md")])
def test_a_generated_file_is_fresh(module: str, target: str, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", module, str(fresh)], cwd=ROOT, check=True)
    assert fresh.read_text() == (ROOT / target).read_text(), f"{target} is stale: run make gen"
