"""HTTP over `questions`: a request as bytes, an answer read."""

from __future__ import annotations

import http.client
import io
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Bytes:
    """What http.client wants of a socket."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def makefile(self, mode: str, *_rest: object) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self.raw)


def request(host: str, path: str = "/", method: str = "GET") -> bytes:
    """A request that asks the server to close afterwards."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", "Accept: */*", "", ""]
    return "\r\n".join(lines).encode("ascii")


def page(raw: bytes) -> Page:
    """Read an answer; AssertionError when the server closed without one."""
    assert raw, "the server closed the connection without an answer"
    response = http.client.HTTPResponse(_Bytes(raw))  # type: ignore[arg-type] # it only asks for makefile()
    response.begin()
    return Page(
        response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    )
