"""The part of the OpenAPI document that is not from the catalogue: Billy's words about itself, and the shape of an error."""

from typing import Any

from shared.errors import STATUS
from shared.surfaces.schemas import Schema
from shared.surfaces.selection import METHODS

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}


def _moment(name: str, description: str) -> dict[str, Schema]:
    return {
        name: {"type": "integer", "description": description},
        f"{name}_iso": {"type": "string", "description": "The same in ISO 8601, UTC."},
    }


PROBLEM: Schema = {
    "type": "object",
    "description": "A problem document (RFC 9457). Facts that do not apply are left out.",
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "urn:billy:error: and the code."},
        "title": _TEXT,
        "status": {"type": "integer", "description": "The HTTP status."},
        "code": {"type": "string", "enum": sorted(STATUS), "description": "A stable name of what went wrong."},
        "detail": {"type": "string", "description": "What happened, in our own words."},
        "next": {"type": "string", "description": "What can be done now."},
        "retry_after": {"type": "integer", "description": "Seconds to wait before the same call may work."},
        "who_can": {"type": "array", "items": _TEXT, "description": "The roles that may do it."},
        "fields": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": _TEXT},
            "description": "What is wrong with which argument.",
        },
        "stripe": {
            "type": "object",
            "properties": dict.fromkeys(("type", "code", "decline_code", "param", "request_id"), _TEXT),
            "description": "What Stripe said, as its enumerated words.",
        },
        "rate_limit": {
            "type": "object",
            "properties": dict.fromkeys(("limit", "remaining", "reset", "reset_at"), _WHOLE),
            "description": "Stripe's limit as far as it is known: reset in seconds from now, reset_at in epoch seconds.",
        },
        "reference": {"type": "string", "description": "Tell the operator this when the error is ours."},
        "attempt": {
            "type": "string",
            "description": "The durable attempt that this is about: the call's own, or the one that stands in its way.",
        },
        "attempt_state": {
            "type": "string",
            "enum": ["started", "unknown", "succeeded", "failed"],
            "description": "How that attempt stands: unknown means that nobody knows yet whether it was done.",
        },
        **_moment("attempt_since", "Since when it stands so, in epoch seconds."),
        **_moment("attempt_asked_next", "When it is asked next what became of it, in epoch seconds."),
        "attempt_outcome": {"type": "string", "description": "Stripe's own state of what it did, where that is not simply done."},
        "attempt_result": {"type": "object", "description": "What it did."},
    },
    "required": ["type", "title", "status", "code", "detail"],
}


def paths(tags: tuple[str, ...]) -> dict[str, Any]:
    """The path items of /api/tools, which filters by these tags, /api/openapi.json and /api/health."""
    return {
        "/api/tools": {"get": _tools(tags)},
        "/api/openapi.json": {"get": _about("get_openapi", "This document", {"type": "object"})},
        "/api/health": {"get": _health()},
    }


def _tools(tags: tuple[str, ...]) -> dict[str, Any]:
    schema: Schema = {"type": ["object", "null"]}
    row: Schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The name for a model; the MCP tool has the same."},
            "operation": {"type": "string", "description": "The operationId in this document."},
            "description": _TEXT,
            "method": {"type": "string", "enum": list(METHODS)},
            "tags": {"type": "array", "items": _TEXT},
            "verb": {"type": "string", "enum": ["GET", "POST", "PATCH", "DELETE"]},
            "path": {"type": "string", "description": "The path, with arguments in braces."},
            "path_schema": schema | {"description": "A JSON Schema of what goes into the path; null where nothing does."},
            "query_schema": schema | {"description": "A JSON Schema of what goes into the query string; null where nothing does."},
            "body_schema": schema | {"description": "A JSON Schema of the JSON body; null where there is none."},
        },
        "required": ["name", "operation", "description", "method", "tags", "verb", "path", "path_schema", "query_schema", "body_schema"],
    }
    answer: Schema = {
        "type": "object",
        "properties": {
            "asked": {"type": "object", "description": "The filter as it was understood."},
            "data": {"type": "array", "items": row},
            "total": _WHOLE,
        },
        "required": ["asked", "data", "total"],
    }
    described = _about("list_tools", "List the tools that this key may call", answer)
    del described["security"]
    described["description"] = (
        "For agent frameworks: every operation that the key's role permits, with JSON Schemas, filtered by method and by tag. Any member of a list "
        "matches; the two lists narrow each other."
    )
    described["parameters"] = [
        _filter("methods[0]", "read or write; methods[1] and so on for more.", {"type": "string", "enum": list(METHODS)}, "read"),
        _filter("tags[0]", "A tag of this document; tags[1] and so on for more.", {"type": "string", "enum": list(tags)}, "core"),
    ]
    described["responses"] |= {
        status: {"$ref": f"#/components/responses/{code}"}
        for status, code in (("400", "invalid_request"), ("401", "unauthenticated"), ("500", "internal"), ("503", "unavailable"))
    }
    return described


def _health() -> dict[str, Any]:
    answer: Schema = {
        "type": "object",
        "properties": {
            "ready": {"type": "boolean", "description": "Whether the stores answer, and every setting and secret is what is needed."},
            "version": _TEXT,
            "store": {"type": "string", "enum": ["embedded", "azure"], "description": "Left out while a setting is wrong."},
            "wrong": _told("takes", "Settings and secrets that are not what is needed, by name, with what they take."),
            "weakened": _told("opens", "Settings that open a guard farther than it is by itself, with what they open."),
            "detail": {"type": "string", "description": "Why it cannot work, in our own words."},
            "next": {"type": "string", "description": "What can be done now."},
            "retry_after": {"type": "integer", "description": "Seconds after which it may have passed by itself."},
            "reference": {"type": "string", "description": "What the log has it under, where the error is ours."},
            "mirror": {
                "type": "object",
                "properties": {
                    "complete": {"type": "boolean", "description": "Whether the mirror holds everything that Stripe has."},
                    "as_of": {"type": ["string", "null"], "description": "How recent the mirror is, as an ISO 8601 date-time in UTC."},
                    "age": {"type": ["integer", "null"], "description": "The same in seconds before now."},
                    "failing": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Parts of the synchronisation that fail: kinds, `events` for Stripe's list of them, or `run`. GET /api/sync says why.",
                    },
                    "failing_since": {"type": ["string", "null"], "description": "When the first of them began to fail."},
                },
                "required": ["complete", "as_of", "age", "failing", "failing_since"],
            },
            "keys": {
                "type": "object",
                "description": "Whether the records of keys are what the audit log says they are.",
                "properties": {
                    "older_than_audit": {
                        "type": ["boolean", "null"],
                        "description": "true for a day after the records were found to be an older copy, as after a restore: what was revoked stays revoked. Null where it cannot be asked.",
                    },
                },
            },
        },
        "required": ["ready", "version", "mirror", "keys"],
    }
    described = _about("get_health", "Whether Billy can work", answer)
    described["responses"]["503"] = {
        "description": "The stores do not answer, or a setting or secret is wrong.",
        "content": described["responses"]["200"]["content"],
    }
    return described


def _told(says: str, description: str) -> Schema:
    row = {"type": "object", "properties": {"name": _TEXT, says: _TEXT}, "required": ["name", says]}
    return {"type": "array", "items": row, "description": description}


def _about(name: str, summary: str, schema: Schema) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["about"],
        "security": [],
        "parameters": [],
        "responses": {"200": {"description": "The answer.", "content": {"application/json": {"schema": schema}}}},
    }


def _filter(name: str, description: str, schema: Schema, example: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema, "example": example}
