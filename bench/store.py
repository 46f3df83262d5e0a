"""The store's part of each read, beside the bare SQLite query that answers it: the rows of `bench.reads`, in the one table."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import reads

if TYPE_CHECKING:
    from bench.run import Run
    from bench.table import Row


def measure(run: Run) -> list[Row]:
    with reads._filled(run.scale) as (folder, counts):
        return [replace(row, measure=f"store: {row.measure}") for row in asyncio.run(reads.measure_reads(folder, counts))]
