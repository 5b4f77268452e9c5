"""The Incus client: its sentences, its waiting, its uploads, and whom it trusts over HTTPS."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from province.incus import Endpoint, Incus, IncusError, multipart


def incus_that(answer: object) -> Incus:
    assert callable(answer)
    return Incus(Endpoint(), transport=httpx.MockTransport(answer))


def sync(metadata: object) -> httpx.Response:
    return httpx.Response(200, json={"type": "sync", "metadata": metadata})


def test_no_daemon_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(IncusError, match=r"does not answer .*Is incusd running\?"):
        Incus(Endpoint(address=f"unix://{tmp_path}/none")).request("GET", "")


def test_the_socket_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INCUS_SOCKET", raising=False)
    for variable, value, path in (
        ("INCUS_DIR", tmp_path, tmp_path / "unix.socket"),
        ("INCUS_SOCKET", tmp_path / "s", tmp_path / "s"),
    ):
        monkeypatch.setenv(variable, str(value))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            waiting = threading.Thread(target=lambda: listener.accept()[0].close())
            waiting.start()
            # It answered on that socket, although not as Incus does.
            with pytest.raises(IncusError, match=r"disconnected|reset by peer"):
                Incus(Endpoint()).request("GET", "")
            waiting.join()


def test_a_slow_answer_is_a_sentence_with_the_time() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(IncusError, match=r"asking: Incus \(unix\) gave no answer within 30 s"):
        incus_that(answer).request("GET", "/x", what="asking")


def test_an_answer_that_is_no_json_is_a_sentence() -> None:
    with pytest.raises(IncusError, match="502"):
        incus_that(lambda _: httpx.Response(502, text="<html>")).request("GET", "/x")


def test_only_what_is_not_there_is_none() -> None:
    assert (
        incus_that(lambda _: httpx.Response(404, json={"error": "x", "error_code": 404})).find("/x") is None
    )
    with pytest.raises(IncusError) as caught:
        incus_that(lambda _: httpx.Response(403, json={"error": "no", "error_code": 403})).find("/x")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"status_code": 103, "status": "Running"}, "not done within 5 s"),
        ({"status_code": 400, "err": "no space left"}, "could not .no space left"),
        ({"status_code": 401, "status": "Cancelled"}, "could not .Cancelled"),
    ],
)
def test_an_operation_that_fails_or_lasts_is_a_sentence(end: dict[str, object], words: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/wait"):
            assert request.url.params["timeout"] in ("4", "5")
            return sync(end)
        return httpx.Response(202, json={"type": "async", "operation": "/1.0/operations/one?project=x"})

    with pytest.raises(IncusError, match=words.replace("5 s", "[45] s")):
        incus_that(answer).change("POST", "/instances", what="making it", timeout=5.0)


def test_an_object_that_stays_busy_is_given_up_when_the_time_is_over() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(400, json={"error": "Instance is busy running a start operation"})

    with pytest.raises(IncusError, match="busy"):
        incus_that(answer).change("PUT", "/instances/x", timeout=2.0)
    assert len(asked) > 1


def test_what_a_command_says_is_read_and_not_left_behind() -> None:
    removed = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/exec"):
            return httpx.Response(202, json={"type": "async", "operation": "/1.0/operations/one"})
        if path.endswith("/wait"):
            logs = {"1": "/1.0/instances/x/logs/exec-output/a", "2": "/1.0/instances/x/logs/exec-output/b"}
            return sync({"status_code": 200, "metadata": {"return": 3, "output": logs}})
        assert request.url.params["project"] == "lab"
        if request.method == "DELETE":
            removed.append(path)
            return sync({})
        return httpx.Response(200, text=f"said in {path[-1]}")

    told = incus_that(answer).run("x", ["true"], project="lab")
    assert (told.code, told.stdout, told.stderr) == (3, "said in a", "said in b")
    assert [path[-1] for path in removed] == ["a", "b"]


def test_an_upload_has_the_length_it_says(tmp_path: Path) -> None:
    sizes = {"metadata": 10, "rootfs": 3 * (1 << 20) + 7}
    files = {name: tmp_path / name for name in sizes}
    for name, size in sizes.items():
        files[name].write_bytes(b"x" * size)
    kind, length, body = multipart(files, "line")
    content = b"".join(body)
    assert kind == "multipart/form-data; boundary=line"
    assert len(content) == length
    assert content.count(b"x" * 10) >= 1
    assert content.endswith(b"--line--\r\n")


@pytest.mark.parametrize("address", ["http://192.0.2.1:8443", "tcp://x", ""])
def test_an_endpoint_in_the_clear_is_refused(address: str) -> None:
    with pytest.raises(IncusError, match="is neither"):
        Incus(Endpoint(address=address))


def test_https_without_its_files_says_which() -> None:
    with pytest.raises(IncusError, match="needs the files certificate, key, server_certificate"):
        Incus(Endpoint(address="https://192.0.2.1:8443"))


# --- HTTPS, against a server on the loopback interface that wants a client certificate ---


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA384())
    )
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b'{"type": "sync", "metadata": {"auth": "trusted"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A server that trusts the client `client` alone; its address."""
    certificate(tmp_path, "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path, "server"))
    context.load_verify_locations(tmp_path / "client.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_cluster_is_asked_with_the_client_certificate(cluster: str, tmp_path: Path) -> None:
    answer = Incus(Endpoint.of(cluster, tmp_path)).request("GET", "")
    assert answer.metadata == {"auth": "trusted"}


def test_a_server_with_another_certificate_is_not_trusted(cluster: str, tmp_path: Path) -> None:
    other, _ = certificate(tmp_path, "other")
    other.replace(tmp_path / "server.crt")
    with pytest.raises(IncusError, match=r"(?i)certificate verify failed"):
        Incus(Endpoint.of(cluster, tmp_path)).request("GET", "")


def test_a_client_that_the_server_does_not_trust_gets_a_sentence(cluster: str, tmp_path: Path) -> None:
    for path, name in zip(certificate(tmp_path, "stranger"), ("client.crt", "client.key"), strict=True):
        path.replace(tmp_path / name)
    with pytest.raises(IncusError, match="does not answer"):
        Incus(Endpoint.of(cluster, tmp_path)).request("GET", "")
