"""The Bicep files as data: read by a parser that is not Microsoft's, because the compiler cannot be installed everywhere."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pycep

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "bicep"


@dataclass(frozen=True)
class Resource:
    """One resource statement: `config` is its body, with loop and condition taken off."""

    file: str
    symbol: str
    type: str
    config: Any

    def at(self, *path: str) -> Any:
        """What stands at a path of the body, or None."""
        value = self.config
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value


@dataclass(frozen=True)
class Infrastructure:
    texts: dict[str, str]
    files: dict[str, Any]

    @property
    def resources(self) -> list[Resource]:
        return [
            Resource(file, symbol, each["type"], _body(each["config"]))
            for file, parsed in self.files.items()
            for symbol, each in parsed.get("resources", {}).items()
        ]

    def of(self, type: str, file: str | None = None) -> list[Resource]:
        return [each for each in self.resources if each.type == type and file in (None, each.file)]

    def one(self, type: str, file: str | None = None) -> Resource:
        (found,) = self.of(type, file)
        return found

    def variable(self, file: str, name: str) -> Any:
        return self.files[file]["variables"][name]["value"]

    def modules(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """Of main.bicep: symbol to file and body."""
        return {name: (each["detail"]["path"], _body(each["config"])) for name, each in self.files["main.bicep"]["modules"].items()}


def _body(config: Any) -> Any:
    while isinstance(config, Mapping) and "config" in config and ({"loop_type", "condition"} & set(config)):
        config = config["config"]
    return config


def sources() -> dict[str, str]:
    """Path below infra/bicep to text."""
    return {str(path.relative_to(FOLDER)): path.read_text() for path in sorted(FOLDER.rglob("*.bicep"))}


@cache
def _parsed(text: str) -> Any:
    return pycep.BicepParser().parse(text=text)


def read(texts: Mapping[str, str] | None = None) -> Infrastructure:
    """What stands in the files, or in other texts of the same names."""
    given = dict(sources() if texts is None else texts)
    return Infrastructure(given, {name: _parsed(text) for name, text in given.items()})


def walk(value: Any) -> Iterator[Any]:
    """Every value within a parsed value."""
    yield value
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from walk(each)


def is_name(value: Any) -> bool:
    """Whether a parsed value is a name, and not a text."""
    return isinstance(value, pycep.models.BicepElement)


def accessed(value: Any) -> str | None:
    """`a.b.c` of a parsed property access, or a name itself."""
    if isinstance(value, Mapping):
        operands = value.get("operator", {}).get("operands", {})
        parts = [accessed(operands.get(f"operand_{n}")) for n in (1, 2)]
        return ".".join(part for part in parts if part) if value.get("operator", {}).get("type") == "property_accessor" else None
    return str(value) if isinstance(value, str) else None


STRING = re.compile(r"'((?:\\.|[^'\\])*)'")
WITHIN = re.compile(r"\$\{([^}]*)\}")


def names_used(text: str) -> set[str]:
    """Every name that a file's expressions begin with: not keys, not what follows a dot, not what stands in a text."""
    plain = "\n".join(line.split("//")[0] if not re.search(r"'[^']*//", line) else line for line in text.splitlines())
    plain = re.sub(r"^(targetScope|@\w+).*$", "", plain, flags=re.M)
    plain = STRING.sub(lambda found: " ".join(f"({each})" for each in WITHIN.findall(found.group(1))) or "0", plain)
    plain = re.sub(r"^\s*(param|output)\s+\w+\s+\w+", "", plain, flags=re.M)
    plain = re.sub(r"^\s*(resource|module|var)\s+\w+", "", plain, flags=re.M)
    plain = re.sub(r"^(\s*\{?\s*)\w+\s*:", r"\1", plain, flags=re.M)
    return set(re.findall(r"(?<![\w.])([A-Za-z_]\w*)", plain))
