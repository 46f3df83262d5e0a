"""What has to be there before the first call: secrets, a webhook endpoint, a company, the owner's key."""

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quickstart.client import call
from quickstart.files import write_private
from shared.context import Context
from shared.entered import trimmed
from shared.errors import BillyError
from shared.gateway.client import gateway
from shared.operations.first_key import make_owners_key
from shared.people.keys import find_key
from shared.settings import is_live, read_settings
from shared.wiring import close_context, make_context

OWNER_KEY_FILE = "owner.key"  # the copy of this machine's own client; the store holds the digest alone
STRIPE_KEY = "stripe-api-key"
WEBHOOK_SECRETS = "stripe-webhook-secrets"
BAR = 30


async def prepare(home: Path, environment: Mapping[str, str], sandbox_url: str | None, webhook_url: str) -> str:
    """Sets what is not set yet, and answers the owner's key. On a laptop the key is kept, so that clients stay connected."""
    settings = read_settings(environment)
    context = await make_context(settings)
    try:
        if sandbox_url:
            await _connect_sandbox(context, sandbox_url, webhook_url)
        await gateway(context)  # a key that cannot be used is told before anything starts
        return await _owner_key(context, (home if settings.store == "embedded" else home / settings.store) / OWNER_KEY_FILE)
    finally:
        await close_context(context)


async def _connect_sandbox(context: Context, sandbox_url: str, webhook_url: str) -> None:
    key = await context.secrets.get(STRIPE_KEY)
    if key is None:
        key = "rk_test_" + secrets.token_hex(24)
        await context.secrets.set(STRIPE_KEY, key)
    if is_live(trimmed(key)):
        raise BillyError(
            "invalid_request",
            "A live Stripe key is stored here, and a sandbox would get it.",
            next="Set BILLY_STRIPE_API_KEY to use that key at Stripe, or set BILLY_HOME to another folder for a sandbox.",
        )
    endpoints = call("GET", f"{sandbox_url}/v1/webhook_endpoints?limit=100", key=key)["data"]
    ours = [each for each in endpoints if each["url"].endswith("/webhooks/stripe")]
    if any(each["url"] == webhook_url for each in ours) and await context.secrets.get(WEBHOOK_SECRETS):
        return
    for each in ours:
        call("DELETE", f"{sandbox_url}/v1/webhook_endpoints/{each['id']}", key=key)
    form = {"url": webhook_url, "enabled_events[0]": "*"}
    made = call("POST", f"{sandbox_url}/v1/webhook_endpoints", key=key, form=form)
    await context.secrets.set(WEBHOOK_SECRETS, made["secret"])


async def _owner_key(context: Context, file: Path) -> str:
    kept = _kept(file)
    if kept is not None and await find_key(context, kept) is not None:
        return kept
    made = await make_owners_key(context, "Owner of this laptop")
    file.parent.mkdir(exist_ok=True, mode=0o700)
    write_private(file, made["key"])
    return str(made["key"])


def _kept(file: Path) -> str | None:
    return file.read_text().strip() if file.exists() else None


def progress(state: dict[str, Any], *, last: bool = False) -> None:
    """The first synchronisation on one line: kinds done of all, and objects so far."""
    kinds = state["kinds"].values()
    done, objects = sum(bool(kind["done"]) for kind in kinds), sum(int(kind["objects"]) for kind in kinds)
    filled = BAR * done // max(len(kinds), 1)
    text = f"First synchronisation [{'#' * filled}{'.' * (BAR - filled)}] {done} of {len(kinds)} kinds, {objects:,} objects"
    if sys.stdout.isatty():
        print("\r" + text, end="\n" if last else "", flush=True)
    elif last:
        print(text, flush=True)


def is_rest_failing(state: dict[str, Any]) -> bool:
    """Whether all that is not done of the first synchronisation fails: there is nothing to wait for."""
    if state["stalled"] and not state["kinds"]:
        return True
    return bool(state["kinds"]) and all(kind["done"] or kind["error"] for kind in state["kinds"].values())


def missing(state: dict[str, Any]) -> None:
    """What is not there, and what to do; nothing where all is."""
    if state["failing"]:
        print("Not everything could be read from Stripe. The rest is there, and what is missing is tried again by itself:", flush=True)
    for each in state["failing"]:
        print(f"  {each['part']}: {each['detail']} {each.get('next') or ''}", flush=True)


def warm(url: str, owner_key: str) -> None:
    """Asks /mcp for its tools once, so that the SDK is loaded before the first agent asks."""
    call("POST", f"{url}/mcp", key=owner_key, body={"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}, timeout=20)


def greet(url: str, sandbox_url: str | None, owner_key: str, home: Path, emulated: bool) -> None:
    """What a newcomer does next."""
    stripe = f"  Sandbox    {sandbox_url}   (Stripe's API; any rk_test_… key)\n" if sandbox_url else ""
    azure = "  Stores     Azure's, on the Cosmos server from npm and Azurite\n" if emulated else ""
    print(
        f"""
  REST       {url}/api/stats
  MCP        {url}/mcp
{stripe}{azure}  Owner key  {owner_key}

  Try:
    export BILLY_TOKEN={owner_key}
    curl -s -H "Authorization: Bearer $BILLY_TOKEN" {url}/api/stats
    curl -s -H "Authorization: Bearer $BILLY_TOKEN" "{url}/api/search?q=acme"
    claude mcp add --transport http agent-billy {url}/mcp --header "Authorization: Bearer $BILLY_TOKEN"

  README.md walks on from here. State and logs are in {home}. Ctrl-C stops.
""",
        flush=True,
    )
