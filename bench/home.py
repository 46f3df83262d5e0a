"""A home of Billy's for a measure: an owner's key, and the local host over it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.processes import ROOT, Server, running
from shared.people.keys import find_key, make_key
from shared.settings import read_settings
from shared.wiring import close_context, make_context

STRIPE_KEY = "rk_test_" + "b" * 24
WEBHOOK_SECRET = "whsec_" + "b" * 32
NOBODY = "http://127.0.0.1:9"  # where no Stripe answers: a measure that needs one says so
QUIET = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("sync_watch", "sync_timer")}  # they ask Stripe on a schedule


def owner_key(home: Path) -> str:
    """The owner's key of a home, made on first use; a measure keeps it in clear beside its data."""
    file = home / "bench.key"

    async def made() -> str:
        context = await make_context(read_settings({"BILLY_HOME": str(home)}))
        try:
            if file.exists() and await find_key(context, kept := file.read_text()):
                return kept
            return (await make_key(context, "bench", "owner", None, "system"))["key"]
        finally:
            await close_context(context)

    key = asyncio.run(made())
    file.write_text(key)
    return key


@contextmanager
def host(
    home: Path, *, stripe: str = NOBODY, settings: Mapping[str, str] | None = None, cores: Sequence[int] | None = None
) -> Iterator[Server]:
    """The local host with its state in `home`."""
    environment = {
        "AzureWebJobsStorage": "",
        "BILLY_HOME": str(home),
        "BILLY_STRIPE_API_BASE": stripe,
        "BILLY_STRIPE_API_KEY": STRIPE_KEY,
        "BILLY_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        **(QUIET if stripe == NOBODY else {}),
        **(settings or {}),
    }
    arguments = ["-m", "devhost", "--app", str(ROOT), "--port", "0", "--home", str(home / "host")]
    with running(arguments, home / "host.log", environment, cores) as server:
        yield server


@contextmanager
def sandbox(home: Path, cores: Sequence[int] | None = None) -> Iterator[Server]:
    """The sandbox with its state in `home`."""
    with running(["-m", "sandbox", "--home", str(home)], home / "sandbox.log", cores=cores) as server:
        yield server
