"""The whole app on the local host, as a process of its own, with a small company in its stores."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.edge.devhost_process import ROOT, running_host
from tests.surfaces.company import Company, open_company

APP = ROOT


@dataclass(frozen=True, slots=True)
class RunningBilly:
    """`url` has no slash at the end; `keys` holds one raw key for each role; `client` is for requests to it."""

    url: str
    keys: dict[str, str]
    home: Path
    client: httpx.Client

    def bearer(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[role]}"}

    def audit(self) -> list[dict[str, Any]]:
        """All audit rows, oldest first, as the owner reads them over REST; the reading itself is not among them."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.client.get("/api/audit", params={"limit": "200", **cursor}, headers=self.bearer("owner")).json()
            assert "data" in page, page
            rows += [row for row in page["data"] if row["operation"] != "list_audit"]
            if not page["has_more"]:
                return rows[::-1]
            cursor = {"cursor": page["next_cursor"]}


@contextmanager
def running_billy(home: Path, **settings: str) -> Iterator[RunningBilly]:
    """Billy, ready to answer; stopped at the end."""
    keys = asyncio.run(_fill(home / "billy"))
    with running_host(home / "host", app=APP, BILLY_HOME=str(home / "billy"), **settings) as host:
        yield RunningBilly(host.url, keys, home, host.client)


async def _fill(home: Path) -> dict[str, str]:
    company: Company
    async with open_company(home) as company:
        return company.keys
