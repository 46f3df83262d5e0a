"""Command line: `python -m devhost --app DIR (--port N | --fd N) [--home DIR]`."""

import argparse
import json
import logging
import socket
import sys
from pathlib import Path

from devhost.log_lines import JsonLines
from devhost.settings import StartRefused


def main() -> int:
    parser = argparse.ArgumentParser(prog="devhost", description="Serves an Azure Functions app (Python v2 model) on this machine.")
    parser.add_argument("--app", type=Path, required=True, help="the directory of function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="0 takes a free one (default 7071)")
    parser.add_argument("--fd", type=int, help="a listening socket that was handed over, in place of --port and --host")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    parser.add_argument("--home", type=Path, help="where keys and the embedded queue are kept (default: .devhost in the app)")
    parser.add_argument("--lease", type=float, default=600.0, help="seconds a queue message is leased, and renewed while at work")
    parser.add_argument("--drain", type=float, default=30.0, help="seconds that running work may take to end at a stop")
    parser.add_argument("--log-level", default="WARNING", help="of everything but the host itself, on standard error")
    parser.add_argument("--index", action="store_true", help="print the app's functions as JSON and end")
    options = parser.parse_args()
    logging.basicConfig(level=options.log_level.upper(), stream=sys.stderr)
    logging.getLogger().handlers[0].setFormatter(JsonLines())
    logging.getLogger("devhost").setLevel(logging.INFO)
    if options.index:
        return _print_index(options.app)
    return _serve(options)


def _print_index(app_dir: Path) -> int:
    from devhost.index import index_app

    try:
        print(json.dumps(index_app(app_dir), indent=2))
    except StartRefused as refusal:
        print(f"devhost: {refusal}", file=sys.stderr)
        return 1
    return 0


def _serve(options: argparse.Namespace) -> int:
    from devhost.host import Host
    from devhost.server import serve

    try:
        listening = _listening(options)
    except OSError as error:
        asked = f"port {options.port}" if options.fd is None else f"the socket {options.fd}"
        print(f"devhost: {asked} cannot be used: {error.strerror}", file=sys.stderr)
        return 1
    host = Host(options.app, options.home or options.app / ".devhost", options.lease, options.drain)
    try:
        return serve(host, listening)
    except StartRefused as refusal:
        print(f"devhost: {refusal}", file=sys.stderr)
        return 1


def _listening(options: argparse.Namespace) -> socket.socket:
    if options.fd is None:
        return socket.create_server((options.host, options.port), backlog=2048)
    return socket.socket(fileno=options.fd)


if __name__ == "__main__":
    sys.exit(main())
