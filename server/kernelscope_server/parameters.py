"""Parameters of requests, read strictly: what is missing or of another type is the client's error, said in one line."""

from __future__ import annotations

from kernelscope_server.wire import INVALID_PARAMS, Json, RequestError, is_list, is_table


def table(params: Json, name: str) -> Json:
    """The object `params[name]`."""
    value = params.get(name)
    if not is_table(value):
        raise RequestError(INVALID_PARAMS, f"{name} is an object")
    return value


def entries(params: Json, name: str) -> list[Json]:
    """The objects in the list `params[name]`; None counts as an empty list."""
    value = params.get(name)
    if value is None:
        return []
    if not is_list(value):
        raise RequestError(INVALID_PARAMS, f"{name} is a list")
    return [entry for entry in value if is_table(entry)]


def string(params: Json, name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise RequestError(INVALID_PARAMS, f"{name} is a string")
    return value


def number(params: Json, name: str) -> int:
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RequestError(INVALID_PARAMS, f"{name} is an integer")
    return value


def document_uri(params: Json) -> str:
    """The URI of the document that a request is about."""
    return string(table(params, "textDocument"), "uri")
