"""What the host refuses to serve, and that it says which function is at fault."""

import subprocess
import sys
from pathlib import Path

import pytest

from devhost.index import index_app_in_subprocess
from tests.edge.devhost_process import SAMPLE_APP, refusal, running_host, wait_until

pytestmark = pytest.mark.slow  # starts processes


HEAD = """import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""


def app_of(folder: Path, source: str, host_json: str = '{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}') -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(source)
    (folder / "host.json").write_text(host_json)
    return folder


def http_function(name: str, decorator: str, parameters: str = "req: func.HttpRequest", returns: str = "func.HttpResponse") -> str:
    return f"@app.route({decorator})\ndef {name}({parameters}) -> {returns}:\n    return func.HttpResponse('')\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (http_function("one", "route='admin/x'"), ["function one", "reserved"]),
        (http_function("one", "route='Administrators'"), ["function one", "reserved"]),
        (http_function("one", "route='runtime/x'"), ["function one", "reserved"]),
        (http_function("one", "route='a/{x}'") + http_function("two", "route='A/{y}'"), ["function two", "served already"]),
        (
            http_function("one", "route='a', methods=['GET', 'POST']") + http_function("two", "route='a', methods=['POST']"),
            ["function two", "POST", "served already"],
        ),
        (http_function("one", "route='a/{x:even}'"), ["function one", "even"]),
        (http_function("one", "route='a/{x'"), ["function one", "a/{x"]),
        (http_function("one", "route='a'") + http_function("one", "route='b'"), ["one", "unique function name"]),
        (http_function("one", "route='a'") + http_function("One", "route='b'"), ["One", "one name"]),
        (http_function("one", "route='a'", "req: func.HttpRequest, extra: int = 1"), ["function one", "extra"]),
        (http_function("one", "route='a'", returns="func.HttpResponse | None"), ["function one", "return"]),
        (http_function("one", "route='a'", "req: 'Unknown'"), ["function one", "Unknown"]),
        ("import nothing_of_this_name\n", ["nothing_of_this_name", "function_app.py:3"]),
        ("raise ValueError('while importing')\n", ["while importing", "function_app.py:3"]),
        ("def broken(:\n", ["SyntaxError", "function_app.py"]),
        (
            "@app.timer_trigger(schedule='%NOT_SET%', arg_name='timer')\ndef tick(timer: func.TimerRequest) -> None: ...\n",
            ["function tick", "NOT_SET"],
        ),
        (
            "@app.timer_trigger(schedule='* * *', arg_name='timer')\ndef tick(timer: func.TimerRequest) -> None: ...\n",
            ["function tick", "six fields"],
        ),
        (
            "@app.timer_trigger(schedule='0 99 * * * *', arg_name='timer')\ndef tick(timer: func.TimerRequest) -> None: ...\n",
            ["function tick", "NCRONTAB"],
        ),
        (
            "@app.queue_trigger(arg_name='m', queue_name='Under_score', connection='AzureWebJobsStorage')\n"
            "def work(m: func.QueueMessage) -> None: ...\n",
            ["function work", "queue name"],
        ),
        (
            "@app.blob_trigger(arg_name='b', path='x/{name}', connection='AzureWebJobsStorage')\ndef blob(b: func.InputStream) -> None: ...\n",
            ["function blob", "blobTrigger"],
        ),
    ],
    ids=lambda value: "-".join(value)[:50].replace(" ", "-") if isinstance(value, list) else "",
)
def test_an_app_that_the_real_host_would_not_serve_whole_is_refused(tmp_path: Path, source: str, said: list[str]) -> None:
    text = refusal(tmp_path / "home", app_of(tmp_path / "app", HEAD + source))
    assert "devhost: " in text
    for word in said:
        assert word in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("host_json", "said"),
    [
        ("{", "not JSON"),
        ("{}", '"version"'),
        ('{"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}', "batchSize"),
        ('{"version": "2.0", "extensions": {"queues": {"maxDequeueCount": 0}}}', "maxDequeueCount"),
        ('{"version": "2.0", "extensions": {"queues": {"visibilityTimeout": "30"}}}', "30"),
        ('{"version": "2.0", "extensions": {"queues": {"messageEncoding": "hex"}}}', "messageEncoding"),
    ],
)
def test_a_host_json_that_the_real_host_refuses_is_refused(tmp_path: Path, host_json: str, said: str) -> None:
    assert said in refusal(tmp_path / "home", app_of(tmp_path / "app", HEAD, host_json))


def test_a_folder_without_an_app_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    assert "function_app.py is missing" in refusal(tmp_path / "home", tmp_path)


def test_queues_that_cannot_be_reached_are_refused_without_their_key(tmp_path: Path) -> None:
    key = "c2VjcmV0LWtleS1vZi1hLXN0b3JhZ2UtYWNjb3VudA=="
    connection_string = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={key};QueueEndpoint=http://127.0.0.1:9/a;"
    text = refusal(tmp_path / "home", SAMPLE_APP, AzureWebJobsStorage=connection_string)
    assert "AzureWebJobsStorage cannot be reached" in text
    assert key not in text


def test_an_identity_based_connection_is_refused_and_not_taken_for_none(tmp_path: Path) -> None:
    text = refusal(tmp_path / "home", SAMPLE_APP, AzureWebJobsStorage__queueServiceUri="https://a.queue.core.windows.net")
    assert "connection strings, not identities" in text


def test_an_app_can_be_indexed_for_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_QUEUE", "work")
    monkeypatch.setenv("SAMPLE_TICK", "0 0 0 1 1 *")
    found = {record["name"]: record for record in index_app_in_subprocess(SAMPLE_APP)}
    assert found["echo"] == {
        "name": "echo",
        "trigger": "http",
        "route": "api/echo/{name:alpha}",
        "methods": ["GET", "POST"],
        "auth_level": "anonymous",
        "outputs": {},
    }
    assert found["function_key"]["auth_level"] == "function"
    assert found["accept"]["outputs"] == {"message": "work"}
    assert (found["work"]["trigger"], found["work"]["queue"]) == ("queue", "work")
    assert (found["tick"]["schedule"], found["tick"]["run_on_startup"]) == ("0 0 0 1 1 *", True)


def test_starting_imports_no_azure_sdk_and_no_client_that_is_not_used() -> None:
    program = (
        "import sys; import devhost.host, devhost.server, devhost.queues.embedded;"
        "print([name for name in sys.modules if name.split('.')[0] in ('aiohttp', 'stripe', 'mcp', 'pydantic')"
        " or name.startswith(('azure.storage', 'azure.core', 'azure.identity'))])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_function_that_a_setting_disables_is_not_served(tmp_path: Path) -> None:
    off = {"AzureWebJobs.work.Disabled": "true", "AzureWebJobs__get_item__Disabled": "1", "AzureWebJobs.number.Disabled": "false"}
    with running_host(tmp_path / "home", **off) as host:
        assert host.client.get("/api/items/a").status_code == 404
        assert host.client.get("/api/numbers/7").text == "number 7"
        assert host.client.post("/api/jobs", content="kept").status_code == 202
        assert host.lengths()["work"] == 1
    with running_host(tmp_path / "home") as host:
        wait_until(lambda: "work kept 1" in host.journal, "the message is taken once the function is on again")
