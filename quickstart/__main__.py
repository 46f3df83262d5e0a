"""`make run`: everything up, the first synchronisation done, and what to try next on the screen."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

from quickstart import prepare
from quickstart.client import CallFailed, call, wait_for
from quickstart.processes import Child
from shared.errors import BillyError

ROOT = Path(__file__).parent.parent
SCALE = os.environ.get("BILLY_COMPANY_SCALE", "1")


class Stop(Exception):
    """Somebody asked for the end."""


class Broken(Exception):
    """The system cannot run; the text says why and what to do."""


def main() -> int:
    home = Path(os.environ.get("BILLY_HOME") or ".billy").resolve()
    try:
        port = _port(os.environ.get("PORT") or "7071")
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (home / "run.lock").open("w")
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The state cannot be kept in {home} ({error.strerror}). Set BILLY_HOME to a folder that can be written.", file=sys.stderr)
        return 1
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Agent Billy runs already with its state in {home}. Stop it first, or set BILLY_HOME to another folder.", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    children: list[Child] = []
    try:
        _run(home, port, children)
    except Stop:
        print("\nStopping …", flush=True)
    except BillyError as error:
        print(f"\n{error.detail} {error.next or ''}", file=sys.stderr)
        return 1
    except (Broken, CallFailed) as error:
        print(f"\n{error}\nThe logs are in {home / 'logs'}.", file=sys.stderr)
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # who asks twice waits for the same end, which loses nothing
        (home / "run.json").unlink(missing_ok=True)
        for child in reversed(children):
            child.stop()
    print("Stopped. All data is kept; `make run` goes on from here.")
    return 0


def _run(home: Path, port: int, children: list[Child]) -> None:
    began = time.monotonic()
    _check_free(port)
    (home / "logs").mkdir(exist_ok=True)
    environment = {"BILLY_HOME": str(home), "PYTHONPATH": str(ROOT)}
    sandbox_url = None
    if not os.environ.get("BILLY_STRIPE_API_KEY"):
        sandbox_url = _start_sandbox(home, environment, children)
        environment["BILLY_STRIPE_API_BASE"] = sandbox_url
    url = f"http://127.0.0.1:{port}"
    owner_key = asyncio.run(prepare.prepare(home, sandbox_url, f"{url}/webhooks/stripe"))
    host = Child(
        "the host",
        ["devhost", "--app", str(ROOT), "--port", str(port), "--home", str(home / "host")],
        environment,
        home / "logs" / "host.log",
    )
    host.start()
    children.append(host)
    health = wait_for(f"{url}/api/health", 60, lambda: _check(children))
    prepare.write_private(home / "run.json", json.dumps({"url": url, "sandbox_url": sandbox_url, "owner_key": owner_key}))
    print(f"Agent Billy {health['version']} answers at {url} after {time.monotonic() - began:.1f} s.", flush=True)
    _first_sync(url, owner_key, children)
    prepare.warm(url, owner_key)
    prepare.greet(url, sandbox_url, owner_key, home)
    while True:
        time.sleep(0.2)
        for child in children:
            status = child.ended()
            if status is not None:
                print(f"{child.name.capitalize()} ended ({status}); starting it again.", file=sys.stderr, flush=True)
                if not child.revive():
                    raise Broken(f"{child.name.capitalize()} keeps ending.")


def _start_sandbox(home: Path, environment: dict[str, str], children: list[Child]) -> str:
    port_file = home / "sandbox.port"
    port = port_file.read_text().strip() if port_file.exists() else "0"
    port_file.unlink(missing_ok=True)
    arguments = ["sandbox", "--port", port, "--home", str(home / "sandbox"), "--port-file", str(port_file), "--scale", SCALE]
    if not (home / "sandbox").exists():
        print("Filling the sandbox with a believable company …", flush=True)
    sandbox = Child("the sandbox", arguments, environment, home / "logs" / "sandbox.log")
    sandbox.start()
    deadline = time.monotonic() + 600  # a large company takes a while
    while not port_file.exists() or not port_file.read_text().strip():
        if sandbox.ended() is not None and port != "0":  # somebody else has taken the port of last time
            port = arguments[2] = "0"
            sandbox.start()
        elif sandbox.ended() is not None or time.monotonic() > deadline:
            raise Broken("The sandbox does not start.")
        time.sleep(0.02)
    arguments[2] = port_file.read_text().strip()
    children.append(sandbox)
    url = f"http://127.0.0.1:{arguments[2]}"
    wait_for(f"{url}/_sandbox/health", 30, lambda: _check(children))
    return url


def _first_sync(url: str, key: str, children: list[Child]) -> None:
    state = call("GET", f"{url}/api/sync", key=key)
    if state["complete"]:
        return
    if not state["running"]:
        call("POST", f"{url}/api/sync", key=key, body={})
    while not state["complete"]:
        _check(children)
        if state.get("last_error") and not state["running"]:
            error = state["last_error"]
            words = (error["detail"], error.get("next") or "") if isinstance(error, dict) else (str(error), "")
            raise Broken(f"The first synchronisation failed. {words[0]} {words[1]}")
        prepare.progress(state)
        time.sleep(0.1)
        state = call("GET", f"{url}/api/sync", key=key)
    prepare.progress(state, last=True)


def _check(children: list[Child]) -> None:
    for child in children:
        if child.ended() is not None:
            raise Broken(f"{child.name.capitalize()} ended at its start.")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise Broken("PORT is a whole number from 1 to 65535.")
    return int(text)


def _check_free(port: int) -> None:
    """Somebody else's server must not be taken for the host: it would be given the owner's key."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Broken(f"Port {port} cannot be used ({error.strerror}). Stop what uses it, or set PORT to another one.") from None


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stop


if __name__ == "__main__":
    sys.exit(main())
