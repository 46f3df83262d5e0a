"""How many signed events a second are accepted (verified, durably queued, answered), beside a bare endpoint that does the same."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import events
from bench import home as homes
from bench.load import Seen, run_load, write_requests
from bench.processes import Server, running
from bench.table import Row, middle, ms, rate

if TYPE_CHECKING:
    from bench.run import Run

CONNECTIONS = 8
EVENTS = 4_000  # of one round
ROUNDS = 5
APPLY_OFF = {"AzureWebJobs.apply_stripe_event.Disabled": "true"}
PATH = "/webhooks/stripe"


def measure(run: Run) -> list[Row]:
    found = events.charges(run.mirror(), 1000)
    count = run.sized(EVENTS, 400)
    with ExitStack() as stack:
        servers = {"ours": _host(stack, run.folder("accept"), APPLY_OFF), "applying": _host(stack, run.folder("accept-apply"), {})}
        for name, flags in (("group", ["--group"]), ("single", [])):
            folder = run.folder(f"endpoint-{name}")
            arguments = ["-m", "bench.peers.webhook_endpoint", str(folder / "events.sqlite"), *flags]
            servers[name] = stack.enter_context(running(arguments, folder / "log"))
        seen: dict[str, list[Seen]] = {name: [] for name in servers}
        for number in range(run.rounds(ROUNDS) + 1):
            for name, server in servers.items():
                requests = run.scratch / "deliveries"
                made = events.changes(found, count, f"{name}{number}")
                write_requests(requests, (events.delivery(event, PATH, homes.WEBHOOK_SECRET) for event in made))
                result = run_load(server.port, requests, CONNECTIONS)
                if result.failed:
                    raise RuntimeError(f"{result.failed} deliveries were not accepted by {name}")
                if number:  # the first warms up
                    seen[name].append(result)
    rates = {name: middle(each.per_second for each in results) for name, results in seen.items()}
    tails = {name: middle(each.p99 for each in results) for name, results in seen.items()}
    ratio = rates["ours"] / rates["group"]

    def said(name: str) -> str:
        return f"{rate(rates[name])}, p99 {ms(tails[name])} ms"

    return [
        Row(
            "webhook accepted, 8 connections, beside Starlette with group commit",
            said("ours"),
            said("group"),
            ratio,
            "≥ 0.5",
            ratio >= 0.5,
        ),
        Row(
            "… beside Starlette with a commit for each",
            said("ours"),
            said("single"),
            rates["ours"] / rates["single"],
            "≥ 0.5",
            rates["ours"] >= 0.5 * rates["single"],
        ),
        Row("… while the same process applies what it accepts", said("applying"), said("group"), rates["applying"] / rates["group"]),
    ]


def _host(stack: ExitStack, home: Path, settings: dict[str, str]) -> Server:
    homes.owner_key(home)
    return stack.enter_context(homes.host(home, settings=settings))
