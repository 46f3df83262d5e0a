"""Queue triggers, queue outputs, poison queues and timers through a running host."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.queues.embedded import EmbeddedQueues
from devhost.queues.protocol import Queues
from devhost.queues.storage import StorageQueues
from tests.edge.conftest import Storage
from tests.edge.devhost_process import RunningHost, running_host, wait_until

pytestmark = pytest.mark.slow  # starts processes


@pytest.fixture
def host(tmp_path: Path, storage: Storage) -> Iterator[RunningHost]:
    with running_host(tmp_path / "home", **storage.settings) as running:
        yield running


async def bodies(storage: Storage, home: Path, queue: str) -> list[str]:
    """The decoded messages of a queue, after the host has stopped."""
    queues: Queues = StorageQueues(storage.connection_string) if storage.connection_string else EmbeddedQueues(home / "queue.sqlite")
    await queues.open()
    messages = await queues.receive(queue, 32, 60)
    await queues.close()
    return [base64.b64decode(message.body).decode() for message in messages]


def test_a_message_put_by_an_http_function_reaches_the_queue_function(host: RunningHost) -> None:
    assert host.client.post("/api/jobs", content=b"one").status_code == 202
    wait_until(lambda: "work one 1" in host.journal, "the message is worked on")


def test_every_element_of_a_list_output_is_a_message(host: RunningHost) -> None:
    items = [f"item-{number}" for number in range(40)]
    assert host.client.post("/api/jobs/many", json=items).status_code == 202
    wait_until(lambda: {f"work {item} 1" for item in items} <= set(host.journal), "all are worked on")


def test_a_queue_function_puts_messages_into_another_queue(host: RunningHost) -> None:
    host.client.post("/api/jobs", content=b"forward this")
    wait_until(lambda: "done forward this True True" in host.journal, "the second function ran")


def test_a_message_that_fails_once_comes_again_and_is_done(host: RunningHost) -> None:
    host.client.post("/api/jobs", content=b"once")
    wait_until(lambda: "work once 2" in host.journal, "the second try")
    assert host.journal.count("work once 1") == 1


async def test_a_message_that_always_fails_ends_in_the_poison_queue(host: RunningHost, storage: Storage) -> None:
    host.client.post("/api/jobs", content=b"fail")
    wait_until(lambda: f"lies in {storage.queue}-poison" in host.log, "it is buried")
    assert [line for line in host.journal if line.startswith("work")] == ["work fail 1", "work fail 2", "work fail 3"]
    host.stop()
    assert await bodies(storage, host.home, f"{storage.queue}-poison") == ["fail"]
    assert await bodies(storage, host.home, storage.queue) == []


async def test_a_message_that_is_not_base64_ends_in_the_poison_queue(tmp_path: Path, storage: Storage) -> None:
    home = tmp_path / "home"
    home.mkdir()
    queues: Queues = StorageQueues(storage.connection_string) if storage.connection_string else EmbeddedQueues(home / "queue.sqlite")
    await queues.open()
    await queues.put(storage.queue, ["{not base64}"])
    await queues.close()
    with running_host(home, **storage.settings) as host:
        wait_until(lambda: "is not base64" in host.log and f"lies in {storage.queue}-poison" in host.log, "it is buried")
        assert not [line for line in host.journal if line.startswith("work")]


async def test_a_text_that_is_a_json_object_is_reformatted_and_a_list_keeps_it_as_it_is(host: RunningHost, storage: Storage) -> None:
    text = '{"b":1,"a":[]}'
    host.client.post("/api/jobs/json?as=text", content=text.encode())
    host.client.post("/api/jobs/json?as=list", content=text.encode())
    host.stop()
    assert await bodies(storage, host.home, f"{storage.queue}-kept") == ['{\n  "b": 1,\n  "a": []\n}', text]


async def test_a_text_that_is_a_json_array_becomes_several_messages(host: RunningHost, storage: Storage) -> None:
    host.client.post("/api/jobs/json?as=text", content=b' ["x", {"y": 1}, 2] ')
    host.stop()
    assert sorted(await bodies(storage, host.home, f"{storage.queue}-kept")) == ["2", "x", '{\n  "y": 1\n}']


def test_a_message_that_cannot_be_kept_fails_the_request(host: RunningHost) -> None:
    assert host.client.post("/api/jobs", content=b"x" * 60_000).status_code == 500
    assert host.client.post("/api/jobs", content=b"small").status_code == 202


def test_a_new_batch_is_taken_when_the_threshold_is_reached_and_never_more_is_at_work(host: RunningHost, storage: Storage) -> None:
    host.client.post("/api/jobs/many", json=["sleep 0.5"] * 16 + ["sleep 2"] * 64)
    wait_until(lambda: sum(line.startswith("slept") for line in host.journal) == 80, "all are done", seconds=60)
    at_work, most = 0, 0
    for line in host.journal:
        at_work += line.startswith("work") - line.startswith("slept")
        most = max(most, at_work)
    assert most <= 32 + 16
    if storage.kind == "embedded":  # the order is certain: 16 short ones end while 16 long ones go on
        assert most == 32 + 16


def test_a_lease_is_prolonged_while_its_message_is_at_work(tmp_path: Path, storage: Storage) -> None:
    with running_host(tmp_path / "home", "--lease", "2", **storage.settings) as host:
        host.client.post("/api/jobs", content=b"sleep 5")
        wait_until(lambda: "slept sleep 5" in host.journal, "it is done")
        time.sleep(0.5)
        assert host.journal.count("work sleep 5 1") == 1
        assert not [line for line in host.journal if line == "work sleep 5 2"]


def test_an_admin_can_start_a_queue_function_by_hand(host: RunningHost) -> None:
    assert host.client.post("/admin/functions/work", json={"input": "by hand"}).status_code == 401
    admin = {"x-functions-key": host.master_key}
    assert host.client.post("/admin/functions/work", json={"input": "by hand"}, headers=admin).status_code == 202
    wait_until(lambda: "work by hand 1" in host.journal, "it ran")


def test_a_timer_runs_at_start_on_its_schedule_and_by_hand(tmp_path: Path) -> None:
    with running_host(tmp_path / "home", SAMPLE_TICK="* * * * * *") as host:
        began = time.monotonic()
        wait_until(lambda: host.journal.count("tick False") >= 4, "at start and three seconds")
        assert time.monotonic() - began > 1.9
    with running_host(tmp_path / "other") as host:
        wait_until(lambda: host.journal == ["tick False"], "at start, then not before the new year")
        admin = {"x-functions-key": host.master_key}
        assert host.client.post("/admin/functions/tick", json={}, headers=admin).status_code == 202
        wait_until(lambda: host.journal.count("tick False") == 2, "by hand")
        assert host.client.post("/admin/functions/nothing", json={}, headers=admin).status_code == 404


def test_local_settings_fill_in_what_the_environment_does_not_set(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": "v1"}}}')
    (app / "local.settings.json").write_text(json.dumps({"Values": {"FROM_FILE": "file", "SAMPLE_QUEUE": "file"}}))
    (app / "function_app.py").write_text(
        "import os\nimport azure.functions as func\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "@app.route(route='settings')\ndef settings(req: func.HttpRequest) -> str:\n"
        "    return os.environ['FROM_FILE'] + ' ' + os.environ['SAMPLE_QUEUE'] + ' ' + os.getcwd()\n"
    )
    with running_host(tmp_path / "home", app=app, SAMPLE_QUEUE="environment") as host:
        assert host.client.get("/v1/settings").text == f"file environment {app}"
        assert host.client.get("/settings").status_code == 404
