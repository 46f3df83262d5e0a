"""What a run lays open on a machine that others use too: its port, its children's environment, its emulators, what npm may do (security case 111)."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from emulators.packages import NotInstalled, installed
from tests.edge.running_system import ROOT, STORES, System, environment, eventually, free_port, running_system

pytestmark = [pytest.mark.slow, pytest.mark.requirement("SC-111")]

CANARIES = {
    name: f"canary-{name.lower()}" for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "STRIPE_SECRET_KEY", "NODE_OPTIONS_SECRET")
}
WEBHOOK_SECRET = {"BILLY_STRIPE_WEBHOOK_SECRET": "whsec_canary0123456789"}


@pytest.fixture(scope="module", params=STORES)
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("exposed"), store=request.param, **CANARIES, **WEBHOOK_SECRET) as running:
        yield running


def _can_be_bound(port: int) -> bool:
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            squatter.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(entry.decode(errors="replace").partition("=")[::2] for entry in entries if entry)


def _children(pid: int) -> dict[str, int]:
    """The pids below, by their command lines."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return {Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(): int(child) for child in found}


def test_the_port_is_held_from_the_start_and_while_the_host_falls_and_starts_again(tmp_path: Path) -> None:
    """Whoever asks for it in between, to be sent the owner's key, does not get it."""
    port = free_port()
    run = environment(tmp_path, PORT=str(port), BILLY_COMPANY_SCALE="0.05")
    process = subprocess.Popen(
        [sys.executable, "-m", "quickstart"], cwd=ROOT, env=run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: not _can_be_bound(port), 30, "the port")
        while not (tmp_path / "run.json").exists():
            assert process.poll() is None
            assert not _can_be_bound(port)
            time.sleep(0.01)
        host = next(pid for command, pid in _children(process.pid).items() if "devhost" in command)
        os.kill(host, signal.SIGKILL)
        answer = None
        deadline = time.monotonic() + 30
        while answer is None:
            assert not _can_be_bound(port)
            assert time.monotonic() < deadline
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=1)
            except httpx.TransportError:
                continue
        assert answer.json()["version"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert _can_be_bound(port)


def test_a_stranger_at_the_sandboxs_last_port_is_passed_by(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        (tmp_path / "sandbox.port").write_text(str(taken))
        with running_system(tmp_path, scale="0.01") as system:
            assert system.facts["sandbox_url"] != f"http://127.0.0.1:{taken}"
        stranger.settimeout(0.1)
        with pytest.raises(TimeoutError):
            stranger.accept()


def test_a_child_is_given_what_it_needs_of_the_environment_and_nothing_else(system: System) -> None:
    children = _children(system.process.pid)
    assert len(children) == (2 if system.store == "embedded" else 4)
    for command, pid in children.items():
        given = _environment_of(pid)
        assert given["PATH"] and "HOME" in given
        assert [name for name in CANARIES if name in given] == [], command
        is_host = "devhost" in command
        assert (given.get("BILLY_STRIPE_WEBHOOK_SECRET") == WEBHOOK_SECRET["BILLY_STRIPE_WEBHOOK_SECRET"]) is is_host
        if not is_host:
            assert [name for name in given if name.startswith(("BILLY_", "OTEL_", "APPLICATIONINSIGHTS"))] == [], command


def test_an_emulator_is_opened_by_a_key_of_its_home_and_by_no_published_one(system: System) -> None:
    if system.store == "embedded":
        pytest.skip("nothing is emulated")
    keys = system.emulator_keys()
    assert (system.home / "azure" / "keys.json").stat().st_mode & 0o777 == 0o600
    assert len({*keys.values()}) == 2 and all(len(key) >= 64 for key in keys.values())
    address = (system.home / "logs" / "cosmos.log").read_text().split()[0]
    for path in ("/", "/dbs", "/dbs/billy/colls/keys/docs"):
        for headers in ({}, {"authorization": "type%3Dmaster%26ver%3D1.0%26sig%3DAAAA", "x-ms-date": "tue, 01 dec 2026 00:00:00 gmt"}):
            answer = httpx.get(f"http://127.0.0.1:{address}{path}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "Unauthorized")
    published = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    assert "403" in _tables_status(system, published)
    assert "listed" in _tables_status(system, keys["azurite"])


def _tables_status(system: System, key: str) -> str:
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.core.exceptions import HttpResponseError
    from azure.data.tables import TableServiceClient

    from emulators.azurite import ACCOUNT, addresses

    found = addresses((system.home / "logs" / "azurite.log").read_text())
    assert found is not None
    with TableServiceClient(f"{found['table']}/{ACCOUNT}", credential=AzureNamedKeyCredential(ACCOUNT, key), retry_total=0) as tables:
        try:
            return f"listed {len(list(tables.list_tables()))}"
        except HttpResponseError as error:
            return f"refused with {error.status_code}"


def test_npm_gets_its_own_settings_of_the_environment_and_nothing_else(tmp_path: Path) -> None:
    with socket.socket() as registry:  # which never answers, so that npm can be looked at
        registry.bind(("127.0.0.1", 0))
        registry.listen()
        listed = _listed(tmp_path, {"dependencies": {"left": "1.0.0"}}, {})
        settings = {"npm_config_registry": f"http://127.0.0.1:{registry.getsockname()[1]}", "npm_config_cache": str(tmp_path / "cache")}
        code = f"from pathlib import Path; from emulators.packages import installed; installed(Path({str(listed)!r}), Path({str(tmp_path / 'to')!r}))"
        asking = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=os.environ | CANARIES | WEBHOOK_SECRET | settings, stderr=subprocess.DEVNULL
        )
        try:
            registry.settimeout(60)
            registry.accept()[0].close()
            [pid] = _children(asking.pid).values()
            given = _environment_of(pid)
        finally:
            asking.kill()
            asking.wait()
            for child in _children(asking.pid).values():
                os.kill(child, signal.SIGKILL)
    assert given.items() >= settings.items()
    assert [name for name in (*CANARIES, *WEBHOOK_SECRET) if name in given] == []


def _listed(folder: Path, package: dict[str, object], locked: dict[str, object]) -> Path:
    """A folder with a list of packages, as `emulators` is one."""
    listed = folder / "listed"
    listed.mkdir()
    (listed / "package.json").write_text(json.dumps({"name": "listed", "version": "1.0.0"} | package))
    root = {"name": "listed", "version": "1.0.0"} | package
    lock = {"name": "listed", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": {"": root} | locked}
    (listed / "package-lock.json").write_text(json.dumps(lock))
    return listed


def _packed(folder: Path, name: str) -> Path:
    """A package whose script, when npm runs it, leaves a file."""
    made = folder / name
    made.mkdir()
    (made / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0", "scripts": {"postinstall": f"touch {folder}/ran"}}))
    archive = folder / f"{name}.tgz"
    subprocess.run(["tar", "-czf", archive, "--transform", f"s/^{name}/package/", "-C", folder, name], check=True)
    return archive


def test_no_script_of_a_package_runs_while_it_is_installed(tmp_path: Path) -> None:
    archive = _packed(tmp_path, "scripted")
    listed = _listed(tmp_path, {"dependencies": {"scripted": f"file:{archive}"}}, _entry(archive))
    assert (installed(listed, tmp_path / "to") / "scripted" / "package.json").exists()
    assert not (tmp_path / "ran").exists()


def test_what_is_installed_and_is_not_in_the_locked_list_is_not_used(tmp_path: Path) -> None:
    """npm mends a list that it finds wanting; ours is compared with what it took in the end."""
    archive = _packed(tmp_path, "strange")
    listed = _listed(tmp_path, {"dependencies": {"strange": f"file:{archive}"}}, {})
    with pytest.raises(NotInstalled, match="node_modules/strange is not what the locked list names"):
        installed(listed, tmp_path / "to")
    assert not (tmp_path / "to" / "installed").exists()


def _entry(archive: Path) -> dict[str, object]:
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    name = archive.name.removesuffix(".tgz")
    return {f"node_modules/{name}": {"version": "1.0.0", "resolved": f"file:{archive}", "integrity": f"sha512-{digest}"}}
