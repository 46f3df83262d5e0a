"""What the environment wants of a run, read and judged before anything is started."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from quickstart.processes import Broken
from quickstart.stores import Stores, choose
from shared.settings import Settings, read_settings, variable

LARGEST = 100.0  # times the company of scale 1
# In Azure's stores each step of a write is a request: the first synchronisation takes some fifteen times as long, so the company is smaller.
USUAL = {Stores.EMBEDDED: "1", Stores.EMULATED: "0.25", Stores.GIVEN: "0.25"}


@dataclass(frozen=True, slots=True)
class Wanted:
    home: Path
    port: int
    scale: float  # of the believable company; 0 is an empty account
    stores: Stores
    settings: Settings

    @property
    def logs(self) -> Path:
        return self.home / "logs"


def read_wanted(environment: Mapping[str, str]) -> Wanted:
    """Raises `Broken`, in one line, for what cannot be had."""
    try:
        settings = read_settings(environment)
    except ValueError as error:
        raise Broken(f"{error}.") from None
    stores = choose({**environment, **{variable(field.name): str(getattr(settings, field.name)) for field in fields(Settings)}})
    return Wanted(
        home=Path(environment.get("BILLY_HOME") or ".billy").resolve(),
        port=_port(environment.get("PORT") or "7071"),
        scale=_scale(environment.get("BILLY_COMPANY_SCALE") or USUAL[stores]),
        stores=stores,
        settings=settings,
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise Broken("PORT is a whole number from 1 to 65535.")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not 0 <= scale <= LARGEST:  # which nan is not either
        raise Broken(f"BILLY_COMPANY_SCALE is a number from 0 (an empty account) to {LARGEST:g}.")
    return scale
