"""Whatever goes wrong at Stripe, and wherever the host is killed: a write has one effect or none, and every word about it agrees."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.edge.kill_points.cell import walk
from tests.edge.kill_points.stage import Stage, stage
from tests.edge.matrix import CELLS, STORES, Cell, Met, page, sample, table

SEED = 358
SAMPLES = {"embedded": sample(2, SEED), "azure": sample(1, SEED + 1)}
PAGE = Path(__file__).parents[2] / "docs" / "exactly-once-matrix.md"
soak = [pytest.mark.soak, pytest.mark.slow, pytest.mark.skipif(os.environ.get("BILLY_SOAK") != "1", reason="a soak: make soak")]

_met: dict[str, dict[Cell, Met]] = {}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stage]]:
    """The one stage of a store."""
    made: dict[str, Stage] = {}
    with ExitStack() as started:

        def of(store: str) -> Stage:
            if store not in made:
                made[store] = started.enter_context(stage(tmp_path_factory.mktemp("matrix") / store, store))
            return made[store]

        yield of


@pytest.mark.slow
@pytest.mark.requirement("SC-32", "SC-33")
@pytest.mark.parametrize(
    "store, cell",
    [
        pytest.param(store, cell, id=f"{store}, {cell}", marks=pytest.mark.xdist_group(f"fault matrix, {store}"))
        for store in STORES
        for cell in SAMPLES[store]
    ],
)
def test_a_write_has_one_effect_or_none_and_every_word_about_it_agrees(staged: Callable[[str], Stage], store: str, cell: Cell) -> None:
    walk(staged(store), cell)


@pytest.mark.parametrize("store", [pytest.param(store, marks=soak) for store in STORES])
def test_in_every_cell_of_the_matrix(staged: Callable[[str], Stage], store: str) -> None:
    met, wrong = _met.setdefault(store, {}), list[str]()
    for number, cell in enumerate(CELLS, 1):
        try:
            met[cell] = walk(staged(store), cell)
        except AssertionError as disagreement:
            wrong.append(str(disagreement))
        if number % 100 == 0 or number == len(CELLS):
            print(f"{store}: {number} of {len(CELLS)} cells, {len(wrong)} disagree", flush=True)
    print(f"\n{table(met)}")
    assert wrong == []
    if os.environ.get("BILLY_WRITE_SNAPSHOTS"):
        PAGE.write_text(page(_met))


def test_the_sample_dies_at_every_step() -> None:
    for cells in SAMPLES.values():
        assert {cell.step for cell in cells} == {cell.step for cell in CELLS}
        assert len(set(cells)) == len(cells)
