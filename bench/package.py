"""What a deployment consists of: our own files as they are packed, and the distributions that the remote build adds to them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from bench.processes import ROOT

LEVEL = 6  # of deflate: what `zip` and azd use


@dataclass(frozen=True, slots=True)
class Weight:
    """`bytes` as they lie on the disk, `packed` as a zip."""

    files: int
    bytes: int
    packed: int


def lay_out(target: Path, source: Path = ROOT) -> None:
    """Copies what a deployment would take: everything that `.funcignore` lets through, by the reading of git, whose syntax it has."""
    with tempfile.TemporaryDirectory() as scratch:
        git = ["git", f"--git-dir={scratch}", f"--work-tree={source}"]
        subprocess.run([*git, "init", "--quiet"], check=True, capture_output=True)
        listed = [*git, "ls-files", "-z", "--others", f"--exclude-from={source / '.funcignore'}"]
        found = subprocess.run(listed, cwd=source, check=True, capture_output=True, text=True).stdout
    for name in found.split("\0")[:-1]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)


def weigh(files: dict[str, Path], scratch: Path) -> Weight:
    """The files, by their names in the package, and the size of a zip that holds them."""
    packed = scratch / "package.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, path in sorted(files.items()):
            archive.write(path, name)
    size = packed.stat().st_size
    packed.unlink()
    return Weight(len(files), sum(path.stat().st_size for path in files.values()), size)


def files_below(folder: Path) -> dict[str, Path]:
    """Every file but compiled ones, by its path within the folder."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def distributions(requirements: Path = ROOT / "requirements.txt") -> list[Distribution]:
    """The distributions that installing the requirements brings, followed from one to the next as they are installed here."""
    waiting = [Requirement(line.split("#")[0]) for line in requirements.read_text().splitlines() if line.split("#")[0].strip()]
    found: dict[str, Distribution] = {}
    followed: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        each = found.setdefault(name, distribution(wanted.name))
        for extra in ("", *sorted(wanted.extras)):
            if (name, extra) in followed:
                continue
            followed.add((name, extra))
            for text in each.requires or ():
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append(needed)
    return [found[name] for name in sorted(found)]


def installed_files(each: Distribution) -> dict[str, Path]:
    """What a distribution put beside the others: no scripts, nothing compiled at installation."""
    if each.files is None:
        raise PackageNotFoundError(f"{each.name} does not say what it installed")
    return {
        path.as_posix(): Path(str(each.locate_file(path)))
        for path in each.files
        if not path.as_posix().startswith("..") and path.suffix != ".pyc" and Path(str(each.locate_file(path))).is_file()
    }
