"""One cell of the matrix: a call, its kill, what a careful client does next, and what must be so at the end."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.road.timing import CALL, GRACE
from tests.edge.kill_points.stage import PATIENCE, Stage
from tests.edge.matrix import LONGER, Cell, Met
from tests.edge.running_system import eventually

CUT = "–"  # in place of an answer
NOTHING_DONE = {"invalid_request", "not_allowed", "declined", "not_found", "conflict", "rate_limited", "unauthenticated"}
LATE = LONGER / 1000 + 0.1  # seconds after a call in which Stripe may still be at it


@dataclass(slots=True)
class Walk:
    """A cell on its way. `promised` is what answers have said of attempts."""

    stage: Stage
    cell: Cell
    name: str
    target: str
    began: float
    answers: list[str] = field(default_factory=list)
    promised: list[tuple[str, str]] = field(default_factory=list)

    def call(self, *, keyed: bool) -> None:
        """Calls as the cell says, and holds what is answered against what there is at that moment."""
        headers = {"idempotency-key": self.name} if keyed else {}
        path, body = ("/api/refunds", {"charge": self.target, "amount": 100}) if self.cell.refunds else ("/api/keys", self.key)
        try:
            answer = self.stage.api("POST", path, json=body, headers=headers)
        except httpx.TransportError:
            self.answers.append(CUT)
            return
        told = answer.json()
        self.answers.append("200" if answer.status_code == 200 else f"{answer.status_code} {told['code']}")
        self._hold(answer.status_code, told)

    @property
    def key(self) -> dict[str, str]:
        return {"name": self.name, "role": "read_only"}

    def _hold(self, status: int, told: dict[str, Any]) -> None:
        attempt = told.get("attempt")
        if attempt is None:
            return
        state = "succeeded" if status == 200 else told.get("attempt_state")
        if state is None and told["code"] in NOTHING_DONE:
            state = "failed"
        if state in ("succeeded", "failed"):
            self.promised.append((attempt, state))
            assert (attempt in self.effects()) is (state == "succeeded"), f"{state} was answered, {self.effects()} are there: {told}"
        if not self.cell.refunds and "key" in told.get("result", {}):
            answer = self.stage.api("GET", "/api/charges", headers={"authorization": f"Bearer {told['result']['key']}"})
            assert answer.status_code == 200, "the key that was answered does not work"

    def quiet(self) -> None:
        """Waits until nothing is on its way at Stripe any more: what is taken for over is over, though the clock is moved."""
        late = time.monotonic() + LATE
        if self.cell.refunds and any(fault["kind"] == "delay" for fault in self.cell.faults):
            eventually(lambda: time.monotonic() > late or None not in self.requests(), PATIENCE, "nothing on its way")

    def requests(self) -> list[int | None]:
        """The answers to requests for a refund: None where there is none yet, or never will be."""
        asked = self.stage.stripe("GET", "/_sandbox/requests")["requests"]
        return [each["status"] for each in asked if (each["method"], each["path"]) == ("POST", "/v1/refunds")]

    def effects(self) -> list[str]:
        """The attempts whose effect there is."""
        if self.cell.refunds:
            refunds = self.stage.stripe("GET", "/v1/refunds", params={"charge": self.target, "limit": 100})["data"]
            return [refund["metadata"].get("billy_attempt", "nobody's") for refund in refunds]
        keys = self.stage.get("/api/keys")["data"]
        return [each["id"].replace("key_", "att_") for each in keys if each["name"] == self.name]

    def found(self) -> list[dict[str, Any]]:
        """Every attempt since the cell began, the oldest first."""
        lists = [self.stage.get("/api/attempts", state=state, limit=20)["data"] for state in ("unknown", "started", "failed", "succeeded")]
        ids = [each["id"] for page in lists for each in page if each["created"] >= int(self.began)]
        return sorted((self.stage.get(f"/api/attempts/{id}") for id in ids), key=lambda each: each["steps"][0]["at"])

    def agree(self) -> tuple[int, tuple[str, ...]]:
        """Effects, attempts and rows agree, and with what was answered. Answers the effects and the states."""
        effects, shown = self.effects(), self.found()
        assert len(effects) == len(set(effects)) and (len(effects) <= 1 or not self.cell.refunds), f"done more than once: {effects}"
        named = {*effects, *(id for id, _ in self.promised)}
        assert named <= {each["id"] for each in shown}, f"no attempt is there of {named}: {[each['id'] for each in shown]}"
        for each in shown:
            wanted = "succeeded" if each["id"] in effects else "failed"
            assert each["state"] == wanted, f"recorded as {each['state']}, effects are {effects}: {each['steps']}"
            rows = self.stage.get("/api/audit", attempt=each["id"])["data"]
            ends = [row["state"] for row in rows if row["decision"] == "outcome"]
            assert ends[:1] == [wanted], f"the rows say {ends}, the attempt {wanted}: {each['steps']}"
            again = any(step["what"] == "made again" for step in each["steps"])
            said = {state for id, state in self.promised if id == each["id"]}
            assert said <= ({wanted, "failed"} if again else {wanted}), f"{said} was answered, {wanted} it is: {each['steps']}"
        return len(effects), tuple(each["state"] for each in shown)


def walk(stage: Stage, cell: Cell) -> Met:
    """Raises AssertionError, with what was answered, where something is not as it must be."""
    stage.pass_time(2)  # so that the attempts of the cell before are older
    way = Walk(stage, cell, f"cell-{uuid.uuid4()}", _charge(stage) if cell.refunds else "", stage.now())
    stage.stripe("DELETE", "/_sandbox/requests")
    stage.stripe("DELETE", "/_sandbox/faults")
    for fault in cell.faults:
        stage.stripe("POST", "/_sandbox/faults", json=fault)
    try:
        return _walked(way)
    except AssertionError as wrong:
        stage.revive()
        raise AssertionError(f"{cell}, answered {way.answers}: {wrong}") from wrong


def _walked(way: Walk) -> Met:
    stage, cell = way.stage, way.cell
    _called_and_killed(way)
    way.call(keyed=cell.keyed)  # at once
    if cell.keyed:
        way.quiet()
        stage.pass_time(CALL + 1)  # nobody holds the lease any more
        way.call(keyed=True)
    stage.stripe("DELETE", "/_sandbox/faults")
    way.quiet()
    stage.pass_time(GRACE + 1 if cell.keyed else GRACE + CALL + 1)
    stage.settle()
    effects, states = way.agree()
    answers = tuple(way.answers)
    if cell.keyed:
        way.call(keyed=True)
        moved = "succeeded" in states
        assert way.answers[-1] == "200" if moved else True, f"a repeat of what succeeded: {way.answers[-1]}"
        way.agree()
    if cell.refunds:
        moved = len(way.effects())
        way.call(keyed=False)
        wanted = "409 possible_duplicate" if moved else "200"
        assert way.answers[-1] == wanted, f"the same refund once more, without a key: {way.answers[-1]} in place of {wanted}"
        assert way.agree()[0] == 1
    return Met(effects, states, answers)


def _called_and_killed(way: Walk) -> None:
    """The first call, during which the host dies where the cell says so; then it lives again."""
    stage, step = way.stage, way.cell.step
    if step == "never":
        way.call(keyed=way.cell.keyed)
        return
    if step == "in flight":
        with ThreadPoolExecutor(1) as thread:
            under_way = thread.submit(way.call, keyed=way.cell.keyed)
            eventually(lambda: way.requests(), PATIENCE, "the request at Stripe")
            stage.die()
            under_way.result()
    else:
        stage.kill_at(step)
        way.call(keyed=way.cell.keyed)
        assert way.answers == [CUT], "it was to be killed, and answered"
        stage.died()
    stage.live()


def _charge(stage: Stage) -> str:
    form = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
    }
    return stage.stripe("POST", "/v1/payment_intents", data=form)["latest_charge"]
