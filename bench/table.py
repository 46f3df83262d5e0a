"""The one table that a run prints: what was measured, the peer beside it, and whether the target was met."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

HEADINGS = ("measure", "ours", "peer", "ratio", "target", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """`ratio` is ours over the peer's, in the direction that the target names. `met` is None where nothing is promised."""

    measure: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        met = "" if self.met is None else "met" if self.met else "MISSED"
        return (self.measure, self.ours, self.peer, ratio, self.target, met)


def render(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table whose columns also stand under each other on a terminal."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]

    def drawn(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([drawn(lines[0]), rule, *map(drawn, lines[1:])])


def ms(seconds: float) -> str:
    """Milliseconds with as many digits as mean something."""
    value = seconds * 1000
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"


def pair(fast: float, slow: float) -> str:
    """The 50th and the 95th percentile of times in seconds."""
    return f"{ms(fast)} / {ms(slow)} ms"


def rate(per_second: float, of: str = "") -> str:
    return f"{per_second:,.0f}{' ' + of if of else ''}/s"


def percentile(values: Iterable[float], percent: float) -> float:
    """The value below which so many percent of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def middle(values: Iterable[float]) -> float:
    """The median of rounds."""
    return median(values)
