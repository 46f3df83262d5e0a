"""The addresses of a run: bound by `make run` itself and handed to the process that answers there.

A port that is looked at and bound later by somebody else could be taken in between, and the owner's key would go to who took it. This one stays
ours while its process falls over and starts again; who calls meanwhile waits.
"""

import socket

from quickstart.processes import Broken

BACKLOG = 2048  # calls that wait until the process takes them


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; 0 takes a free port. Raises `Broken` where the port is somebody else's."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as error:
        raise Broken(f"Port {port} cannot be used ({error.strerror}). Stop what uses it, or set PORT to another one.") from None


def address(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"
