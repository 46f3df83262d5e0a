"""A small app that touches every trigger and binding that the local host serves."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import List  # noqa: UP035 - the worker library reads no other list annotation

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
JOURNAL = Path(os.environ.get("SAMPLE_JOURNAL", "journal.txt"))


def note(line: str) -> None:
    """Appends a line that outlives this process however it ends."""
    with JOURNAL.open("a") as file:
        file.write(line + "\n")


@app.route(route="api/echo/{name:alpha}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "name": req.route_params.get("name"),
        "headers": dict(req.headers),
        "params": dict(req.params),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route(route="api/numbers/{n:int?}", methods=["GET"])
def number(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"number {req.route_params.get('n')}")


@app.route(route="api/items/{id}", methods=["GET"])
async def get_item(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"item {req.route_params['id']}")


@app.route(route="api/items/special", methods=["POST"])
async def make_special(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("special", status_code=201)


@app.route(route="files/{*rest}", methods=["GET"])
async def files(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"file {req.route_params.get('rest', '')}")


@app.route(route=".well-known/thing.json", methods=["GET"])
async def well_known(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("{}", mimetype="application/json")


@app.route(route="api/function-key", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def function_key(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("open")


@app.route(route="api/admin-key", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def admin_key(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("open")


@app.route(route="api/broken", methods=["GET"])
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("a secret that must not leave")


@app.route(route="api/cookies", methods=["GET"])
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    answer = func.HttpResponse("", status_code=204)
    answer.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly; SameSite=Lax")
    answer.headers.add("Set-Cookie", "b=2; Max-Age=60; Secure")
    answer.headers.add("X-Thing", "yes")
    return answer


@app.route(route="api/slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    note("slow began")
    await asyncio.sleep(float(req.params.get("seconds", "1")))
    note("slow ended")
    return func.HttpResponse("slow")


@app.route(route="api/jobs", methods=["POST"])
@app.queue_output(arg_name="message", queue_name="%SAMPLE_QUEUE%", connection="AzureWebJobsStorage")
async def accept(req: func.HttpRequest, message: func.Out[str]) -> func.HttpResponse:
    message.set(req.get_body().decode())
    return func.HttpResponse(status_code=202)


@app.route(route="api/jobs/many", methods=["POST"])
@app.queue_output(arg_name="messages", queue_name="%SAMPLE_QUEUE%", connection="AzureWebJobsStorage")
def accept_many(req: func.HttpRequest, messages: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006
    messages.set([str(item) for item in req.get_json()])
    return func.HttpResponse(status_code=202)


@app.route(route="api/jobs/json", methods=["POST"])
@app.queue_output(arg_name="message", queue_name="%SAMPLE_QUEUE%-kept", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="messages", queue_name="%SAMPLE_QUEUE%-kept", connection="AzureWebJobsStorage")
async def keep_json(req: func.HttpRequest, message: func.Out[str], messages: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006
    text = req.get_body().decode()
    if req.params.get("as") == "text":
        message.set(text)
    else:
        messages.set([text])
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="message", queue_name="%SAMPLE_QUEUE%", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="done", queue_name="%SAMPLE_QUEUE%-done", connection="AzureWebJobsStorage")
async def work(message: func.QueueMessage, done: func.Out[str]) -> None:
    text = message.get_body().decode()
    note(f"work {text} {message.dequeue_count}")
    if text.startswith("fail"):
        raise ValueError("as asked")
    if text.startswith("once") and message.dequeue_count == 1:
        raise ValueError("as asked, once")
    if text.startswith("block"):
        await asyncio.to_thread(time.sleep, float(text.split()[1]))
    if text.startswith("sleep"):
        await asyncio.sleep(float(text.split()[1]))
        note(f"slept {text}")
    if text.startswith("forward"):
        done.set(text)


@app.queue_trigger(arg_name="message", queue_name="%SAMPLE_QUEUE%-done", connection="AzureWebJobsStorage")
def finished(message: func.QueueMessage) -> None:
    note(f"done {message.get_body().decode()} {message.id is not None} {message.insertion_time is not None}")


@app.timer_trigger(schedule="%SAMPLE_TICK%", arg_name="timer", run_on_startup=True)
@app.queue_output(arg_name="done", queue_name="%SAMPLE_QUEUE%-done", connection="AzureWebJobsStorage")
async def tick(timer: func.TimerRequest, done: func.Out[str]) -> None:
    note(f"tick {timer.past_due}")
