"""What is shipped is an allow list: whatever holds a secret, or was put beside the code, stays here (security case 111)."""

import shutil
from pathlib import Path

import pytest

from bench import package
from bench.processes import ROOT

SECRETS = (
    ".billy/secrets.json",
    ".billy/owner.key",
    ".devhost/keys.json",
    "state/records.sqlite",
    "local.settings.json",
    "run.json",
    ".env",
    "secrets.json",
    "id_rsa",
    "backup.zip",
    "shared/.env",
    "shared/stores/copy.sqlite",
    "functions/owner.key",
)


@pytest.mark.requirement("SC-111")
def test_the_package_holds_the_app_and_nothing_that_lies_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("function_app.py", "host.json", "requirements.txt", "LICENSE", ".funcignore", "Makefile", "README.md"):
        shutil.copy(ROOT / name, source)
    for room in ("functions", "shared", "sandbox", "tests/infra", "infra"):
        shutil.copytree(ROOT / room, source / room)
    for name in SECRETS:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("canary")
    package.lay_out(tmp_path / "package", source)
    shipped = {path.relative_to(tmp_path / "package").as_posix() for path in (tmp_path / "package").rglob("*") if path.is_file()}
    code = {path.relative_to(ROOT).as_posix() for room in ("functions", "shared") for path in (ROOT / room).rglob("*.py")}
    assert shipped == code | {"function_app.py", "host.json", "requirements.txt", "LICENSE"}
    assert not any((tmp_path / "package" / name).read_text() == "canary" for name in shipped)
