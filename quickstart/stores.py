"""Where a run keeps things: in files of its own, in emulators of Azure that it starts, or where the settings lead."""

import json
import secrets
import time
from base64 import b64encode
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from emulators import azurite, cosmos
from emulators.packages import NotInstalled, emulator_packages, node_env
from quickstart.files import write_private
from quickstart.processes import Broken, Child
from shared.entered import is_loopback

ENDPOINTS = {"BILLY_COSMOS_ENDPOINT": "BILLY_COSMOS_KEY", "BILLY_TABLES_ENDPOINT": "BILLY_TABLES_KEY"}  # with the key of an emulator there
QUEUES = "AzureWebJobsStorage"
VAULT = "BILLY_KEY_VAULT_URL"
PATIENCE = 60.0  # seconds in which the emulators have to listen


class Stores(Enum):
    EMBEDDED = "embedded"
    EMULATED = "emulated"  # in processes of this run
    GIVEN = "given"  # elsewhere; nothing is started for it


def choose(settings: Mapping[str, str]) -> Stores:
    """What the environment asks for. Raises `Broken` where it leads to Azure's stores half of the way."""
    if settings.get("BILLY_STORE", "") != "azure":
        return Stores.EMBEDDED
    given = {name for name in (*ENDPOINTS, *ENDPOINTS.values(), QUEUES, VAULT) if settings.get(name)}
    if not given:
        return Stores.EMULATED
    local = [name for name in ENDPOINTS if is_loopback(settings.get(name, ""))]
    needed = [*ENDPOINTS, *(ENDPOINTS[name] for name in local), QUEUES]
    if any(name in given and name not in local for name in ENDPOINTS):
        needed.append(VAULT)
    if missing := [name for name in needed if name not in given]:
        raise Broken(
            f"BILLY_STORE=azure is led to {', '.join(sorted(given))} alone. Set {', '.join(missing)} too, or unset them all: "
            "then emulators are started here."
        )
    return Stores.GIVEN


class Emulators:
    """Azurite and the Cosmos server as children of this run, with their data in a folder."""

    def __init__(self, folder: Path, logs: Path) -> None:
        """Their packages come from npm the first time, which is told on the screen. Raises `Broken` where they do not come."""
        try:
            emulator_packages(_tell)
        except NotInstalled as error:
            (logs / "npm.log").write_text(f"{error}\n")
            raise Broken(
                f"npm could not install Azurite and the Cosmos server ({_first_line(error)}). Run it again when npm's registry can be "
                "reached; `make run` without BILLY_STORE=azure needs no npm."
            ) from None
        self._data = folder / "azurite"
        for each in (folder, self._data):
            each.mkdir(exist_ok=True, mode=0o700)
        self._file = folder / "cosmos.sqlite"
        self._keys = _keys(folder / "keys.json")
        opened = node_env() | azurite.accounts(self._keys["azurite"])
        self._azurite = Child("Azurite", azurite.command(self._data), opened, logs / "azurite.log")
        opened = node_env() | cosmos.account(self._keys["cosmos"])
        self._cosmos = Child("the Cosmos server", cosmos.command(self._file), opened, logs / "cosmos.log")
        self.children = [self._azurite, self._cosmos]

    def start(self) -> None:
        """Starts both; `settings` waits for them."""
        for child in self.children:
            child.start()

    def settings(self) -> dict[str, str]:
        """What leads to them, once both listen; they keep their ports when they are started again. Raises `Broken`."""
        deadline = time.monotonic() + PATIENCE
        while (found := azurite.addresses(self._azurite.said())) is None or (endpoint := cosmos.endpoint(self._cosmos.said())) is None:
            for child in self.children:
                if child.ended() is not None:
                    raise ended_at_start(child, self._data.parent)
            if time.monotonic() > deadline:
                raise Broken("The emulators do not listen.")
            time.sleep(0.02)
        self._azurite.command = azurite.command(self._data, {name: _port(address) for name, address in found.items()})
        self._cosmos.command = cosmos.command(self._file, _port(endpoint))
        return {
            "BILLY_COSMOS_ENDPOINT": endpoint,
            "BILLY_COSMOS_KEY": self._keys["cosmos"],
            "BILLY_TABLES_ENDPOINT": f"{found['table']}/{azurite.ACCOUNT}",
            "BILLY_TABLES_KEY": self._keys["azurite"],
            "BILLY_QUEUES_ENDPOINT": f"{found['queue']}/{azurite.ACCOUNT}",
            QUEUES: azurite.connection_string(found, self._keys["azurite"]),
        }


def ended_at_start(child: Child, home: Path) -> Broken:
    """The error of a process that did not come up; its last words are in its log, and mostly say it."""
    return Broken(
        f"{child.title} ended at its start: {child.last_words()}\nIf a file is damaged: restore it, or move {home} away and begin anew."
    )


def _keys(file: Path) -> dict[str, str]:
    """A key for each emulator, made at random for this home: one that everybody knows would open it to every process of the machine."""
    if not file.exists():
        made = {name: b64encode(secrets.token_bytes(48)).decode() for name in ("azurite", "cosmos")}
        write_private(file, json.dumps(made))
    return json.loads(file.read_text())


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _tell() -> None:
    print("Installing Azurite and the Cosmos server from npm into .node/emulators (once; about half a minute) …", flush=True)


def _first_line(error: NotInstalled) -> str:
    lines = [line.removeprefix("npm error").strip() for line in str(error).splitlines()]
    return next((line for line in lines if line), "npm said nothing")[:200]
