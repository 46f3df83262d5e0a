"""`make run`: everything up, the first synchronisation done, and what to try next on the screen."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, Any

from quickstart import environment, prepare
from quickstart.client import CallFailed, call, wait_for
from quickstart.files import write_private
from quickstart.processes import Broken, Child, module
from quickstart.sockets import address, listen
from quickstart.stores import QUEUES, Emulators, Stores, ended_at_start
from quickstart.wanted import Wanted, read_wanted
from shared.errors import BillyError

SQLITE = b"SQLite format 3\0"
LEASE = (
    "15"  # seconds after which a killed host's messages come again from Azure's queues (its own come at once); what is at work renews it
)
PATIENCE = 60.0  # seconds for something that was just started, or started again, to answer
FILLING = 600.0  # seconds for the sandbox: a large company takes a while
ANSWERING = 20.0  # seconds for one call; while a process starts again it waits at its socket
GRACE = 20.0  # seconds for what fails in the first synchronisation to pass after all
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(Exception):
    """Somebody asked for the end."""


def main() -> int:
    try:
        wanted = read_wanted(os.environ)
        lock = _locked(wanted.home)
        listening = listen(wanted.port)
        _check_files(wanted.home)
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    for number in SIGNALS:
        signal.signal(number, _stop)
    children: list[Child] = []
    try:
        _run(wanted, listening, children)
    except Stop:
        print("\nStopping …", flush=True)
    except BillyError as error:
        print(f"\n{error.detail} {error.next or ''}\nThe state is in {wanted.home}.", file=sys.stderr)
        return 1
    except (Broken, CallFailed) as error:
        print(f"\n{error}\nThe logs are in {wanted.logs}.", file=sys.stderr)
        return 1
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # who asks twice waits for the same end, which loses nothing
        (wanted.home / "run.json").unlink(missing_ok=True)
        listening.close()  # the host has its own copy, and goes on until it is told
        for child in reversed(children):
            child.stop()
        lock.close()
    print("Stopped. All data is kept; `make run` goes on from here.")
    return 0


def _run(wanted: Wanted, listening: socket.socket, children: list[Child]) -> None:
    began = time.monotonic()
    home = wanted.home
    settings = {"BILLY_HOME": str(home), "BILLY_STORE": wanted.settings.store}
    emulators = None
    if wanted.stores is Stores.EMBEDDED:
        settings[QUEUES] = os.environ.get(QUEUES, "")  # local.settings.json is for `func start`
    elif wanted.stores is Stores.EMULATED:
        emulators = Emulators(home / "azure", wanted.logs)
        children += emulators.children
        emulators.start()
    sandbox_url = None
    if not wanted.settings.stripe_api_key:
        sandbox_url = _start_sandbox(wanted, children)
        settings["BILLY_STRIPE_API_BASE"] = sandbox_url
    if emulators is not None:
        settings |= emulators.settings()
    url = address(listening)
    owner_key = _prepared(wanted, settings, sandbox_url, url)
    host = Child(
        "the host",
        module("devhost", "--app", str(environment.ROOT), "--fd", str(listening.fileno()), "--home", str(home / "host"), "--lease", LEASE),
        environment.of_the_host() | settings,
        wanted.logs / "host.log",
        (listening,),
    )
    host.start()
    children.append(host)
    health = wait_for(lambda: call("GET", f"{url}/api/health", timeout=ANSWERING), PATIENCE, _alive(wanted, children))
    facts = {"url": url, "sandbox_url": sandbox_url, "owner_key": owner_key}
    if sandbox_url:
        facts["sandbox_token"] = (home / "sandbox" / "control.token").read_text().strip()
    write_private(home / "run.json", json.dumps(facts))
    print(f"Agent Billy {health['version']} answers at {url} after {time.monotonic() - began:.1f} s.", flush=True)
    _first_sync(url, owner_key, children)
    wait_for(lambda: prepare.warm(url, owner_key), PATIENCE, lambda: _tend(children))
    prepare.greet(url, sandbox_url, owner_key, home, emulators is not None)
    while True:
        time.sleep(0.2)
        _tend(children)


def _tend(children: list[Child]) -> None:
    """Starts again what has ended. Raises `Broken` where something keeps ending."""
    for child in children:
        status = child.ended()
        if status is not None:
            print(f"{child.title} ended ({status}); starting it again.", file=sys.stderr, flush=True)
            if not child.revive():
                raise Broken(f"{child.title} keeps ending: {child.last_words()}")


def _prepared(wanted: Wanted, settings: dict[str, str], sandbox_url: str | None, url: str) -> str:
    """The owner's key. Whatever is kept here and cannot be read ends in words; the details are in a log."""
    try:
        return asyncio.run(prepare.prepare(wanted.home, {**os.environ, **settings}, sandbox_url, f"{url}/webhooks/stripe"))
    except (BillyError, CallFailed, Stop):
        raise
    except Exception as error:
        (wanted.logs / "run.log").write_text(traceback.format_exc())
        raise Broken(f"What is kept in {wanted.home} cannot be used ({error}). Restore it, or move it away and begin anew.") from None


def _start_sandbox(wanted: Wanted, children: list[Child]) -> str:
    """Its address, once it answers there; the port stays the same from run to run where it is free."""
    home = wanted.home
    if not (home / "sandbox").exists():
        print("Filling the sandbox with a believable company …", flush=True)
    listening = _sandbox_port(home / "sandbox.port")
    command = module("sandbox", "--home", str(home / "sandbox"), "--fd", str(listening.fileno()), "--scale", f"{wanted.scale:g}")
    sandbox = Child("the sandbox", command, environment.python(), wanted.logs / "sandbox.log", (listening,))
    sandbox.start()
    children.append(sandbox)
    url = address(listening)
    wait_for(lambda: call("GET", f"{url}/_sandbox/health", timeout=ANSWERING), FILLING, _alive(wanted, children))
    return url


def _sandbox_port(kept: Path) -> socket.socket:
    text = kept.read_text().strip() if kept.exists() else "0"
    try:
        listening = listen(int(text) if text.isascii() and text.isdigit() and int(text) < 65_536 else 0)
    except Broken:  # somebody else has taken the port of last time
        listening = listen(0)
    kept.write_text(str(listening.getsockname()[1]))
    return listening


def _first_sync(url: str, key: str, children: list[Child]) -> None:
    """Returns when all is there, or when what is missing fails: then Billy is ready with the rest, and the screen says what is not."""

    def ask(method: str, body: object = None) -> dict[str, Any]:
        return wait_for(lambda: call(method, f"{url}/api/sync", key=key, body=body, timeout=ANSWERING), PATIENCE, lambda: _tend(children))

    state = ask("GET")
    if not (state["complete"] or state["running"]):
        ask("POST", {})
        state = ask("GET")
    pause, failed_first = 0.1, None
    while not state["complete"]:
        _tend(children)
        prepare.progress(state)
        rest = prepare.is_rest_failing(state)
        failed_first = (failed_first or time.monotonic()) if rest else None
        if rest and (not state["running"] or time.monotonic() - (failed_first or 0) > GRACE):
            break
        time.sleep(pause)
        pause = min(pause * 1.2, 0.5)  # each look is a call like others, and leaves its row in the audit log
        state = ask("GET")
    prepare.progress(state, last=True)
    prepare.missing(state)


def _alive(wanted: Wanted, children: list[Child]) -> Callable[[], None]:
    """Raises `Broken` once a process has ended that was only just started."""

    def check() -> None:
        for child in children:
            if child.ended() is not None:
                raise ended_at_start(child, wanted.home)

    return check


def _locked(home: Path) -> IO[str]:
    """The lock of a state, held until it is closed. Raises `Broken` where somebody else has it, or where no state can be."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / "logs").mkdir(exist_ok=True, mode=0o700)
        lock = (home / "run.lock").open("w")
    except OSError as error:
        words = f"The state cannot be kept in {home} ({error.strerror}). Set BILLY_HOME to a folder that can be written."
        raise Broken(words) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        words = f"Agent Billy runs already with its state in {home}. Stop it first, or set BILLY_HOME to another folder."
        raise Broken(words) from None
    return lock


def _check_files(home: Path) -> None:
    """A database that is none any more can be told by how it begins; what is damaged farther in shows when it is read."""
    for file in sorted(home.rglob("*.sqlite")):
        with file.open("rb") as opened:
            if opened.read(len(SQLITE)) not in (b"", SQLITE):
                raise Broken(f"{file} is damaged: it is not a database. Restore it, or move {home} away and begin anew.")


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stop


if __name__ == "__main__":
    sys.exit(main())
