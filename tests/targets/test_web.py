from __future__ import annotations

import base64
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from dwtsvc.errors import BadConfiguration, DwtsvcError, FileAccess, ServiceRefused
from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Facts, Patience, named, parse, send
from dwtsvc.targets.target import Target, of_address
from dwtsvc.targets.web import _after
from tests.targets.peers import Answer, WebServer, sha256

SECRET = "hunter2/ä+x"
TOKEN = "t0k3n-hunter2"


def everything(error: BaseException | None) -> str:
    """All that anybody could print of an error and of those before it that are shown with it."""
    text = ""
    while error:
        text += f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


def test_a_form_brings_the_file_its_name_and_what_is_known_of_it(
    web: WebServer, letter: Path, secrets: Secrets
) -> None:
    web.answers = [Answer(201, {"Location": "/documents/7"})]
    facts = Facts(title="Grüße", created="2026-05-31", tags=("a", "b"), correspondent="Ada", asn=7)
    receipt = send(of_address(web.url + "/in"), letter, facts, secrets=secrets)
    (request,) = web.requests
    form = request.form()
    assert (request.method, request.path) == ("POST", "/in")
    assert (form["file"][0].file_name, form["file"][0].media_type) == (letter.name, "application/pdf")
    assert form["file"][0].content == letter.read_bytes()
    texts = {name: [part.text for part in parts] for name, parts in form.items() if name != "file"}
    assert texts == {
        "title": ["Grüße"],
        "created": ["2026-05-31"],
        "tags": ["a", "b"],
        "correspondent": ["Ada"],
        "archive_serial_number": ["7"],
    }
    assert receipt.location == web.url + "/documents/7"
    assert (receipt.sha256, receipt.attempts, receipt.verified) == (sha256(letter), 1, "answer")


def test_a_name_that_is_no_ascii_arrives_as_it_is(web: WebServer, tmp_path: Path, secrets: Secrets) -> None:
    path = tmp_path / 'Grüße "an" Ada\r\nX: y.pdf'
    path.write_bytes(b"x")
    send(of_address(web.url), path, secrets=secrets)
    head = web.requests[0].body.split(b"\r\n\r\n")[0].decode()
    assert 'filename="Grüße %22an%22 Ada%0D%0AX: y.pdf"' in head
    assert set(web.requests[0].form()) == {"file"}


def test_a_named_target_says_the_field_more_fields_and_the_header_of_its_token(
    web: WebServer, letter: Path, paths: Paths, secrets: Secrets
) -> None:
    said = {"url": web.url, "file_field": "upload", "form.folder": "in", "token_header": "X-Api-Key", "tags": "scan"}
    named.save(paths, "intake", said)
    secrets.set("intake", TOKEN)
    send(parse("intake", paths), letter, Facts(tags=("post", "scan")), secrets=secrets)
    form = web.requests[0].form()
    assert form["upload"][0].content == letter.read_bytes()
    assert [part.text for part in form["folder"] + form["tags"]] == ["in", "scan", "post"]
    assert web.requests[0].headers["x-api-key"] == TOKEN
    assert "authorization" not in web.requests[0].headers


def test_a_user_is_sent_with_the_secret_and_a_secret_alone_is_a_token(
    web: WebServer, letter: Path, secrets: Secrets
) -> None:
    secrets.set(f"127.0.0.1:{web.port}", TOKEN)
    send(of_address(f"http://ada@127.0.0.1:{web.port}/"), letter, secrets=secrets)
    send(of_address(web.url), letter, secrets=secrets)
    basic = base64.b64encode(f"ada:{TOKEN}".encode()).decode()
    assert [each.headers["authorization"] for each in web.requests] == [f"Basic {basic}", f"Bearer {TOKEN}"]


def test_two_failures_of_the_server_are_tried_again_with_the_same_key(
    web: WebServer, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    web.answers = [Answer(500), Answer(503), Answer(200)]
    receipt = send(of_address(web.url), letter, secrets=secrets, patience=quick)
    assert receipt.attempts == 3
    assert len({each.headers["idempotency-key"] for each in web.requests}) == 1
    assert [each.form()["file"][0].content == letter.read_bytes() for each in web.requests] == [True] * 3


def test_a_connection_that_is_reset_is_tried_again(
    web: WebServer, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    web.answers = [Answer(reset=True), Answer(200)]
    assert send(of_address(web.url), letter, secrets=secrets, patience=quick).attempts == 2


def test_who_asks_for_a_pause_gets_it(web: WebServer, letter: Path, secrets: Secrets, quick: Patience) -> None:
    web.answers = [Answer(429, {"Retry-After": "1"}), Answer(200)]
    assert send(of_address(web.url), letter, secrets=secrets, patience=quick).attempts == 2
    web.answers = [Answer(429, {"Retry-After": "3600"})]
    with pytest.raises(ServiceRefused, match="429"):
        send(of_address(web.url), letter, secrets=secrets, patience=quick)
    assert len(web.requests) == 3


def test_a_pause_is_asked_for_in_seconds_or_as_a_date() -> None:
    assert (_after("7"), _after(""), _after("soon"), _after("-1")) == (7.0, None, None, None)
    assert _after(format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)) == 0.0
    ahead = _after(format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True))
    assert ahead is not None and 80_000 < ahead <= 86_400


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_a_refusal_is_not_tried_again(
    web: WebServer, letter: Path, secrets: Secrets, quick: Patience, status: int
) -> None:
    web.answers = [Answer(status, {"Content-Type": "application/json"}, '{"error": "no\x1b[31m"}')]
    with pytest.raises(ServiceRefused) as told:
        send(of_address(web.url), letter, secrets=secrets, patience=quick)
    assert len(web.requests) == 1
    assert str(status) in told.value.why and '"no\\x1b[31m"' in told.value.why


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_five_times_and_then_told(
    web: WebServer, letter: Path, secrets: Secrets, quick: Patience, status: int
) -> None:
    web.answer = lambda _: Answer(status)
    with pytest.raises(ServiceRefused, match=str(status)):
        send(of_address(web.url), letter, secrets=secrets, patience=quick)
    assert len(web.requests) == 5


@pytest.mark.parametrize("user", ["", "ada@"])
def test_an_answer_that_repeats_the_secret_does_not_bring_it_into_an_error(
    web: WebServer, letter: Path, secrets: Secrets, quick: Patience, user: str
) -> None:
    target = of_address(f"http://{user}127.0.0.1:{web.port}/")
    secrets.set(target.secret, TOKEN)
    web.answer = lambda request: Answer(
        401, {"Content-Type": "text/plain"}, f"bad {TOKEN} in {request.headers['authorization']}"
    )
    with pytest.raises(ServiceRefused) as told:
        send(target, letter, secrets=secrets, patience=quick)
    text = everything(told.value)
    assert "[removed]" in text
    for spelling in (TOKEN, base64.b64encode(f"ada:{TOKEN}".encode()).decode()):
        assert spelling not in text
    assert target.secret in told.value.hint


def test_a_token_that_cannot_stand_in_a_header_is_told_without_it(
    web: WebServer, letter: Path, secrets: Secrets
) -> None:
    target = of_address(web.url)
    secrets.set(target.secret, SECRET)
    with pytest.raises(BadConfiguration) as told:
        send(target, letter, secrets=secrets)
    assert "hunter2" not in everything(told.value)
    assert web.requests == []


def test_a_server_that_is_not_there_is_told_after_some_attempts(
    letter: Path, secrets: Secrets, quick: Patience
) -> None:
    with pytest.raises(ServiceRefused, match="refused") as told:
        send(of_address("http://127.0.0.1:9/"), letter, secrets=secrets, patience=quick)
    assert told.value.hint


def test_a_server_that_answers_a_byte_at_a_time_does_not_keep_us_for_ever(
    web: WebServer, letter: Path, secrets: Secrets
) -> None:
    web.answer = lambda _: Answer(trickle=0.05)
    with pytest.raises(ServiceRefused, match="given up"):
        send(of_address(web.url), letter, secrets=secrets, patience=Patience(total=1))


def test_a_server_that_reads_nothing_does_not_keep_us_for_ever(
    web: WebServer, tmp_path: Path, secrets: Secrets
) -> None:
    import threading

    web.hold = threading.Event()
    large = tmp_path / "large.pdf"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    with pytest.raises(ServiceRefused, match="given up"):
        send(of_address(web.url), large, secrets=secrets, patience=Patience(total=1))
    web.hold.set()


def test_a_redirect_to_the_same_host_is_followed_with_the_file(web: WebServer, letter: Path, secrets: Secrets) -> None:
    web.answers = [Answer(307, {"Location": "/there/"}), Answer(308, {"Location": web.url + "/at/last"}), Answer(200)]
    receipt = send(of_address(web.url + "/here"), letter, secrets=secrets)
    assert [each.path for each in web.requests] == ["/here", "/there/", "/at/last"]
    assert web.requests[2].form()["file"][0].content == letter.read_bytes()
    assert receipt.location == web.url + "/at/last"


def test_a_redirect_to_another_host_or_port_gets_nothing(
    web: WebServer, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    target = of_address(web.url)
    secrets.set(target.secret, TOKEN)
    with WebServer() as other:
        places = [other.url, f"http://localhost:{other.port}", "https://evil.example/", f"//localhost:{web.port}/"]
        places += [f"http://u:{TOKEN}@127.0.0.1:{web.port}/", "file:///etc/passwd", "http://[bad/"]
        for place in places:
            web.answers = [Answer(307, {"Location": place})]
            with pytest.raises(ServiceRefused) as told:
                send(target, letter, secrets=secrets, patience=quick)
            assert TOKEN not in everything(told.value)
        assert other.requests == []
    assert len(web.requests) == len(places)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_drop_the_file_is_a_refusal(
    web: WebServer, letter: Path, secrets: Secrets, status: int
) -> None:
    web.answers = [Answer(status, {"Location": "/login?next=secret"})]
    with pytest.raises(ServiceRefused, match="/login") as told:
        send(of_address(web.url), letter, secrets=secrets)
    assert "next=" not in everything(told.value)


def test_redirects_in_a_circle_end(web: WebServer, letter: Path, secrets: Secrets) -> None:
    web.answer = lambda _: Answer(307, {"Location": "/"})
    with pytest.raises(ServiceRefused, match="circle"):
        send(of_address(web.url), letter, secrets=secrets)


def test_a_file_that_changes_on_the_way_never_arrives_whole(
    web: WebServer, tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dwtsvc.targets import parcel

    path = tmp_path / "a.pdf"
    path.write_bytes(b"a" * 1_000_000)
    made = parcel.Parcel.of

    def changed(*arguments: object, **named: object) -> object:
        done = made(*arguments, **named)  # type: ignore[arg-type]
        path.write_bytes(b"b" * 1_000_000)
        return done

    monkeypatch.setattr(parcel.Parcel, "of", changed)
    with pytest.raises(FileAccess, match="was not sent"):
        send(of_address(web.url), path, secrets=secrets)
    assert [each for each in web.requests if each.bytes >= 1_000_000] == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that signs itself, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    made = ["-keyout", folder / "key", "-out", folder / "cert", "-nodes", "-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *made, *subject], check=True, capture_output=True)
    return folder


@pytest.fixture
def secure(certificate: Path) -> Iterator[WebServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    with WebServer(context) as server:
        yield server


def test_a_certificate_that_nobody_trusts_is_refused_at_once(secure: WebServer, letter: Path, secrets: Secrets) -> None:
    with pytest.raises(ServiceRefused, match="not trusted"):
        send(of_address(secure.url), letter, secrets=secrets, patience=Patience(first=1000, longest=1000, total=10_000))
    assert secure.requests == []


def test_an_authority_of_ones_own_is_trusted_where_the_target_names_it(
    secure: WebServer, letter: Path, secrets: Secrets, certificate: Path
) -> None:
    receipt = send(of_address(secure.url, ca=certificate / "cert"), letter, secrets=secrets)
    assert receipt.bytes == letter.stat().st_size
    assert secure.requests[0].form()["file"][0].content == letter.read_bytes()
    for wrong in (certificate / "none", certificate / "key"):
        with pytest.raises(BadConfiguration, match="authority"):
            send(of_address(secure.url, ca=wrong), letter, secrets=secrets)


def test_the_deadline_also_ends_what_is_encrypted(
    secure: WebServer, letter: Path, secrets: Secrets, certificate: Path
) -> None:
    secure.answer = lambda _: Answer(trickle=0.05)
    with pytest.raises(ServiceRefused, match="given up"):
        send(of_address(secure.url, ca=certificate / "cert"), letter, secrets=secrets, patience=Patience(total=1))


PEAK = """
import sys
from pathlib import Path
from dwtsvc.secrets import Secrets
from dwtsvc.targets import send
from dwtsvc.targets.target import of_address

send(of_address(sys.argv[1]), Path(sys.argv[2]), secrets=Secrets(Path(sys.argv[3])))
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc: getrusage tells of the process that began it, too")
def test_memory_does_not_grow_with_the_file(web: WebServer, tmp_path: Path) -> None:
    peaks = []
    for size in (1 << 20, 192 << 20):
        path = tmp_path / f"{size}.pdf"
        with path.open("wb") as file:
            file.truncate(size)
        command = [sys.executable, "-c", PEAK, web.url, path, tmp_path / "none"]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        assert web.requests[-1].bytes > size
    assert peaks[1] - peaks[0] < 16 << 10, peaks  # KiB


def test_no_target_and_no_error_shows_a_secret(paths: Paths, web: WebServer, letter: Path, secrets: Secrets) -> None:
    named.save(paths, "intake", {"url": web.url, "user": "ada"})
    secrets.set("intake", SECRET)
    target: Target = parse("intake", paths)
    assert "hunter2" not in repr(target)
    web.answers = [Answer(403)]
    with pytest.raises(DwtsvcError) as told:
        send(target, letter, secrets=secrets)
    assert "hunter2" not in everything(told.value)
