"""`make run` that cannot run says in one or two sentences why, and what to do; it gives nothing to a stranger."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.running_system import ROOT, environment, free_port
from tests.peers import azurite, cosmos

pytestmark = pytest.mark.slow


def _run(home: Path, *, checkout: Path = ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quickstart"],
        cwd=checkout,
        env=environment(home, **{"PORT": str(free_port()), "BILLY_COMPANY_SCALE": "0.01"} | settings),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("port", ["abc", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused_in_words(tmp_path: Path, port: str) -> None:
    run = _run(tmp_path, PORT=port)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "PORT is a whole number from 1 to 65535.\n"


def test_a_port_in_use_is_named_and_its_holder_is_not_spoken_to(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken.settimeout(0.1)
        port = str(taken.getsockname()[1])
        run = _run(tmp_path, PORT=port)
        with pytest.raises(TimeoutError):
            taken.accept()
    assert run.returncode == 1
    assert f"Port {port} cannot be used" in run.stderr


def test_a_home_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.write_text("")
    run = _run(home)
    assert run.returncode == 1
    assert "Set BILLY_HOME to a folder that can be written." in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("key", ["sk_test_unrestricted0000", "no key at all", "pk_test_public00000000"])
def test_a_stripe_key_that_is_not_taken_is_refused_before_anything_starts_and_not_shown(tmp_path: Path, key: str) -> None:
    run = _run(tmp_path / "billy", BILLY_STRIPE_API_KEY=key)
    assert run.returncode == 1
    assert not (tmp_path / "billy").exists() or (tmp_path / "billy").stat().st_mode & 0o777 == 0o700
    assert "rk_" in run.stderr
    assert "Traceback" not in run.stderr
    assert key not in run.stdout + run.stderr


def test_a_live_key_on_a_home_of_the_test_mode_is_refused(tmp_path: Path) -> None:
    nowhere = {"BILLY_STRIPE_API_BASE": f"http://127.0.0.1:{free_port()}"}
    assert "cannot be reached" in _run(tmp_path, BILLY_STRIPE_API_KEY="rk_test_first0000000000", **nowhere).stderr
    run = _run(tmp_path, BILLY_STRIPE_API_KEY="rk_live_second000000000", **nowhere)
    assert "BILLY_STRIPE_API_BASE is https://api.stripe.com beside a live key" in run.stderr
    run = _run(tmp_path, BILLY_STRIPE_API_KEY="rk_live_second000000000")
    assert run.returncode == 1
    assert "The Stripe key is of live mode, and what is kept here is of test mode." in run.stderr


def test_a_stored_live_key_is_never_sent_to_the_sandbox_and_the_stored_webhook_secret_stays(tmp_path: Path) -> None:
    stored = {"stripe-api-key": "rk_live_51storedhere0000", "stripe-webhook-secrets": "whsec_production0000000000"}
    (tmp_path / "secrets.json").write_text(json.dumps(stored))
    (tmp_path / "secrets.json").chmod(0o600)
    run = _run(tmp_path)
    assert run.returncode == 1
    assert "A live Stripe key is stored here, and a sandbox would get it." in run.stderr
    assert json.loads((tmp_path / "secrets.json").read_text()).items() >= stored.items()
    asked = (tmp_path / "logs" / "sandbox.log").read_text()
    assert "rk_live" not in run.stdout + run.stderr + asked


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("BILLY_STORE", "cosmos", "BILLY_STORE is either embedded or azure."),
        ("BILLY_COMPANY_SCALE", "big", "BILLY_COMPANY_SCALE is a number from 0 (an empty account) to 100."),
        ("BILLY_COMPANY_SCALE", "-1", "BILLY_COMPANY_SCALE is a number from 0 (an empty account) to 100."),
        ("BILLY_COMPANY_SCALE", "nan", "BILLY_COMPANY_SCALE is a number from 0 (an empty account) to 100."),
        ("BILLY_SYNC_CONCURRENCY", "many", "BILLY_SYNC_CONCURRENCY is a whole number from 1 to 100."),
    ],
)
def test_a_setting_that_is_none_is_refused_in_one_line_before_anything_is_made(tmp_path: Path, name: str, value: str, said: str) -> None:
    run = _run(tmp_path / "billy", **{name: value})
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"{said}\n")
    assert not (tmp_path / "billy").exists()


COSMOS = {"BILLY_COSMOS_ENDPOINT": "http://127.0.0.1:1", "BILLY_COSMOS_KEY": cosmos.KEY}
TABLES = {"BILLY_TABLES_ENDPOINT": "http://127.0.0.1:2/devstoreaccount1", "BILLY_TABLES_KEY": azurite.KEY}
QUEUES = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
ACCOUNT = {"BILLY_COSMOS_ENDPOINT": "https://billy.documents.azure.com", "BILLY_TABLES_ENDPOINT": "https://billy.table.core.windows.net"}


@pytest.mark.parametrize(
    "given, missing",
    [
        (COSMOS, "BILLY_TABLES_ENDPOINT, AzureWebJobsStorage"),
        (COSMOS | TABLES, "AzureWebJobsStorage"),
        (QUEUES, "BILLY_COSMOS_ENDPOINT, BILLY_TABLES_ENDPOINT"),
        ({**COSMOS, **TABLES, **QUEUES, "BILLY_TABLES_KEY": ""}, "BILLY_TABLES_KEY"),
        (ACCOUNT | QUEUES, "BILLY_KEY_VAULT_URL"),
    ],
)
def test_settings_that_lead_to_azure_half_of_the_way_are_refused_by_what_is_missing(
    tmp_path: Path, given: dict[str, str], missing: str
) -> None:
    run = _run(tmp_path / "billy", BILLY_STORE="azure", **given)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
    assert f"Set {missing} too, or unset them all" in run.stderr
    assert azurite.KEY not in run.stderr and cosmos.KEY not in run.stderr
    assert not (tmp_path / "billy").exists()


def test_endpoints_that_nobody_listens_at_are_said_so_and_nothing_is_started_in_their_place(tmp_path: Path) -> None:
    run = _run(tmp_path, BILLY_STORE="azure", **COSMOS, **TABLES, **QUEUES)
    assert run.returncode == 1
    assert "The store cannot be reached." in run.stderr
    assert "Traceback" not in run.stderr
    assert not list((tmp_path / "logs").glob("cosmos*")) and not (tmp_path / "azure").exists()


@pytest.mark.parametrize("file", ["mirror.sqlite", "records.sqlite", "audit.sqlite", "azure/cosmos.sqlite", "host/queue.sqlite"])
def test_a_file_of_the_state_that_is_damaged_is_told_with_what_to_do(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"this is none of ours" * 300)
    run = _run(tmp_path)
    assert run.returncode == 1
    assert run.stderr == f"{tmp_path / file} is damaged: it is not a database. Restore it, or move {tmp_path} away and begin anew.\n"


def test_secrets_that_cannot_be_read_are_told_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"stripe-api-key": "rk_test_halfwritten')
    (tmp_path / "secrets.json").chmod(0o600)
    run = _run(tmp_path)
    assert run.returncode == 1
    assert "The secrets file is not valid JSON." in run.stderr and f"The state is in {tmp_path}." in run.stderr
    assert "halfwritten" not in run.stdout + run.stderr and "Traceback" not in run.stderr


def test_a_database_that_is_damaged_farther_in_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 8176)
    run = _run(tmp_path)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert f"What is kept in {tmp_path} cannot be used" in run.stderr and "begin anew" in run.stderr
    assert "Traceback" in (tmp_path / "logs" / "run.log").read_text()


def test_packages_that_npm_cannot_bring_end_in_words_and_are_not_taken_for_installed(tmp_path: Path) -> None:
    """In a checkout of its own, where nothing is installed, with a registry that nobody listens at."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for room in ("shared", "functions", "devhost", "sandbox", "emulators", "quickstart"):
        shutil.copytree(ROOT / room, checkout / room, ignore=shutil.ignore_patterns("__pycache__"))
    offline = {"npm_config_registry": f"http://127.0.0.1:{free_port()}", "npm_config_cache": str(tmp_path / "cache"), "PYTHONPATH": ""}
    run = _run(tmp_path / "billy", checkout=checkout, BILLY_STORE="azure", **offline)
    assert run.returncode == 1
    assert "Installing Azurite and the Cosmos server from npm" in run.stdout
    assert "npm could not install Azurite and the Cosmos server (code ECONNREFUSED). Run it again when" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (checkout / ".node" / "emulators" / "installed").exists()
    assert "ECONNREFUSED" in (tmp_path / "billy" / "logs" / "npm.log").read_text()
