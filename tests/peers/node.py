"""Node and the npm packages that judge this repository, installed once into `.node/peers/` from the locked list beside this file."""

from pathlib import Path

from emulators import packages

HOME = packages.HOME / "peers"
node_bin = packages.node_bin


def node_env() -> dict[str, str]:
    """The environment for a child of Node: this node first on the path, no telemetry, no update notices."""
    return packages.node_env() | {"STRIPE_CLI_TELEMETRY_OPTOUT": "1"}


def node_modules() -> Path:
    """`.node/peers/node_modules`, installed first if the locked list has changed. Safe when several test workers ask at once."""
    return packages.installed(Path(__file__).parent, HOME)


if __name__ == "__main__":
    print(node_modules())
