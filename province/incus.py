"""A client of the Incus REST API: what the provider and the first contact need of it, and no more.

Over the unix socket of this machine, or over HTTPS with a client certificate (a cluster). Every
failure is an `IncusError` whose text is a sentence: what was asked, of whom, what came back.
API: https://linuxcontainers.org/incus/docs/main/rest-api/ (version 1.0; seen with 6.0.4).
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

JSON = dict[str, Any]

_SOCKETS = (Path("/var/lib/incus/unix.socket"), Path("/run/incus/unix.socket"))
_REQUEST_TIMEOUT = 30.0  # seconds; what takes longer is an operation, and is waited for
_BUSY = ("busy running", "is currently busy", "Failed to create instance operation")


class IncusError(Exception):
    """What Incus refused or could not do, as a sentence. `status` is the HTTP one, 0 without."""

    def __init__(self, sentence: str, *, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where Incus answers.

    `address` is `unix` (the socket of this machine), `unix:///path` or `https://host:port`. HTTPS
    wants `certificate` and `key` (PEM files of a client that the server trusts) and
    `server_certificate` (PEM of the server or of the cluster; it alone is trusted).
    """

    address: str = "unix"
    certificate: str = ""
    key: str = ""
    server_certificate: str = ""

    @classmethod
    def of(cls, address: str, files: Path) -> Endpoint:
        """Return the endpoint with the certificates of a folder: client.crt, client.key, server.crt."""
        if not address.startswith("https://"):
            return cls(address=address)
        return cls(
            address=address,
            certificate=str(files / "client.crt"),
            key=str(files / "client.key"),
            server_certificate=str(files / "server.crt"),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """`metadata` of the response; `etag` to hand back with a change; `operation` if one was begun."""

    metadata: Any
    etag: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ran inside an instance."""

    code: int
    stdout: str
    stderr: str


class Incus:
    """One connection, usable from several threads."""

    def __init__(self, endpoint: Endpoint, transport: httpx.BaseTransport | None = None) -> None:
        self.where = endpoint.address
        if transport is not None:
            base = "http://incus"
        elif endpoint.address.startswith("unix"):
            transport = httpx.HTTPTransport(uds=str(_socket(endpoint)), retries=1)
            base = "http://incus"
        elif endpoint.address.startswith("https://"):
            transport = httpx.HTTPTransport(verify=_tls(endpoint), retries=1)
            base = endpoint.address.rstrip("/")
        else:
            raise IncusError(
                f"The Incus endpoint {endpoint.address!r} is neither `unix`, `unix:///path` nor `https://…`."
            )
        self._http = httpx.Client(transport=transport, base_url=base, timeout=_REQUEST_TIMEOUT)

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        project: str = "",
        body: JSON | None = None,
        etag: str = "",
        parameters: Mapping[str, str] | None = None,
        what: str = "",
        timeout: float = _REQUEST_TIMEOUT,
        **form: Any,
    ) -> Answer:
        """Send one request below `/1.0`; `what` says in an error what was being done.

        `form` goes to httpx as it is (`files`, `content`, `headers`), for uploads.
        """
        query = dict(parameters or {})
        if project:
            query["project"] = project
        headers = dict(form.pop("headers", {}))
        if etag:
            headers["If-Match"] = etag
        doing = what or f"{method} /1.0{path}"
        try:
            reply = self._http.request(
                method, f"/1.0{path}", params=query, json=body, headers=headers, timeout=timeout, **form
            )
        except httpx.TimeoutException:
            raise IncusError(
                f"{doing}: Incus ({self.where}) gave no answer within {timeout:.0f} s."
            ) from None
        except httpx.TransportError as error:
            raise IncusError(
                f"{doing}: Incus ({self.where}) does not answer ({error}). Is incusd running?"
            ) from None
        try:
            content = reply.json()
        except ValueError:
            content = {"error": reply.text[:200] or reply.reason_phrase, "error_code": reply.status_code}
        if reply.status_code >= 400 or content.get("type") == "error":
            status = content.get("error_code") or reply.status_code
            raise IncusError(f"{doing}: Incus answered {status}, {content.get('error')}.", status=status)
        operation = content.get("operation") or "" if content.get("type") == "async" else ""
        return Answer(content.get("metadata"), reply.headers.get("etag", ""), operation)

    def find(
        self, path: str, *, project: str = "", parameters: Mapping[str, str] | None = None
    ) -> Answer | None:
        """GET an object; None where there is none."""
        try:
            return self.request("GET", path, project=project, parameters=parameters)
        except IncusError as error:
            if error.status == 404:
                return None
            raise

    def change(
        self,
        method: str,
        path: str,
        *,
        project: str = "",
        body: JSON | None = None,
        etag: str = "",
        parameters: Mapping[str, str] | None = None,
        what: str = "",
        timeout: float = 120.0,
        **form: Any,
    ) -> JSON:
        """Send a request, wait for its operation (at most `timeout` seconds), return the operation.

        An object that is busy with another operation (ours, of a run that was killed) is asked again
        until the time is up.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self.request(
                    method,
                    path,
                    project=project,
                    body=body,
                    etag=etag,
                    parameters=parameters,
                    what=what,
                    timeout=timeout,
                    **form,
                )
                if not answer.operation:
                    return {"metadata": answer.metadata}
                return self.wait(answer.operation, what or f"{method} {path}", deadline - time.monotonic())
            except IncusError as error:
                if not any(word in str(error) for word in _BUSY) or time.monotonic() + 1 > deadline:
                    raise
                time.sleep(0.5)

    def wait(self, operation: str, what: str, timeout: float) -> JSON:
        """Wait for an operation; it failing, or not ending within `timeout` seconds, is an error."""
        path = operation.removeprefix("/1.0").split("?")[0]
        seconds = max(1, int(timeout))
        done: JSON = self.request(
            "GET", f"{path}/wait", parameters={"timeout": str(seconds)}, what=what, timeout=seconds + 10.0
        ).metadata
        if done.get("status_code") == 200:
            return done
        if done.get("status_code") in (400, 401):
            raise IncusError(
                f"{what}: Incus could not ({done.get('err') or done.get('status')}).", status=400
            )
        raise IncusError(f"{what}: not done within {seconds} s (Incus says {done.get('status')}).")

    def run(
        self,
        instance: str,
        command: list[str],
        *,
        project: str,
        timeout: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a command inside an instance as root, without a terminal, and keep what it says."""
        what = f"running {command[0]} in {instance}"
        body: JSON = {
            "command": command,
            "wait-for-websocket": False,
            "interactive": False,
            "record-output": True,
            "environment": dict(environment or {}),
        }
        path = f"/instances/{quote(instance)}"
        done = self.change("POST", f"{path}/exec", project=project, body=body, what=what, timeout=timeout)
        result = done.get("metadata") or {}
        said = {"1": "", "2": ""}
        for stream, log in (result.get("output") or {}).items():
            said[stream] = self._take(log.removeprefix("/1.0"), project, what)
        return Finished(int(result.get("return", -1)), said["1"], said["2"])

    def _take(self, log: str, project: str, what: str) -> str:
        """Read a recorded output and remove it: what commands say is not left on the server."""
        try:
            reply = self._http.get(f"/1.0{log}", params={"project": project})
            self._http.delete(f"/1.0{log}", params={"project": project})
        except httpx.TransportError as error:
            raise IncusError(f"{what}: its output could not be read ({error}).") from None
        if reply.status_code >= 400:
            raise IncusError(f"{what}: its output could not be read.", status=reply.status_code)
        return reply.text


def multipart(files: Mapping[str, Path], boundary: str) -> tuple[str, int, Iterator[bytes]]:
    """Return content type, length and body of an upload of files too large to hold in memory."""
    heads = {
        name: (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{path.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        for name, path in files.items()
    }
    tail = f"--{boundary}--\r\n".encode()
    length = sum(len(heads[name]) + path.stat().st_size + 2 for name, path in files.items()) + len(tail)

    def body() -> Iterator[bytes]:
        for name, path in files.items():
            yield heads[name]
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    yield block
            yield b"\r\n"
        yield tail

    return f"multipart/form-data; boundary={boundary}", length, body()


def _socket(endpoint: Endpoint) -> Path:
    if endpoint.address.startswith("unix://"):
        return Path(endpoint.address.removeprefix("unix://"))
    if chosen := os.environ.get("INCUS_SOCKET"):
        return Path(chosen)
    if directory := os.environ.get("INCUS_DIR"):
        return Path(directory) / "unix.socket"
    return next((path for path in _SOCKETS if path.exists()), _SOCKETS[0])


def _tls(endpoint: Endpoint) -> ssl.SSLContext:
    missing = [
        name
        for name in ("certificate", "key", "server_certificate")
        if not getattr(endpoint, name) or not Path(getattr(endpoint, name)).is_file()
    ]
    if missing:
        raise IncusError(
            f"The Incus endpoint {endpoint.address} needs the files {', '.join(missing)}: "
            "a client certificate that the cluster trusts, its key, and the certificate of the cluster."
        )
    context = ssl.create_default_context(cafile=endpoint.server_certificate)
    # The one certificate that is trusted is the server's own: its name says nothing more, and Incus
    # makes certificates that the strict flag of newer Pythons refuses.
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(endpoint.certificate, endpoint.key)
    return context
