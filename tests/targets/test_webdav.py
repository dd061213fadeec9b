"""Against WsgiDAV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.errors import ServiceRefused
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Patience, Target, send
from dwtsvc.targets.target import of_address
from tests.disks import names_in
from tests.targets.peers import sha256, webdav

PASSWORD = "päss wörd"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "dav"
    (folder / "in").mkdir(parents=True)
    return folder / "in"


@pytest.fixture
def cloud(shelf: Path, secrets: Secrets) -> Iterator[Target]:
    with webdav(shelf.parent, "ada", PASSWORD) as url:
        yield known(url, secrets)


def known(url: str, secrets: Secrets, folder: str = "in") -> Target:
    target = of_address("webdav+" + url.replace("://", "://ada@") + folder)
    secrets.set(target.secret, PASSWORD)
    return target


def test_a_file_arrives_under_its_own_name_and_no_other(
    cloud: Target, shelf: Path, letter: Path, secrets: Secrets
) -> None:
    receipt = send(cloud, letter, secrets=secrets)
    assert names_in(shelf) == {letter.name}
    assert sha256(shelf / letter.name) == receipt.sha256
    assert receipt.location == cloud.url + "/Letter%20of%20May.pdf"
    assert (receipt.verified, receipt.already_there) == ("size", False)


def test_the_same_file_a_second_time_is_found_there(cloud: Target, shelf: Path, letter: Path, secrets: Secrets) -> None:
    send(cloud, letter, secrets=secrets)
    receipt = send(cloud, letter, secrets=secrets)
    assert (receipt.already_there, receipt.verified) == (True, "sha256")
    assert names_in(shelf) == {letter.name}


def test_another_file_of_the_same_name_stays(cloud: Target, shelf: Path, letter: Path, secrets: Secrets) -> None:
    (shelf / letter.name).write_bytes(b"x" * letter.stat().st_size)
    receipt = send(cloud, letter, secrets=secrets)
    assert receipt.location.endswith("/Letter%20of%20May-2.pdf")
    assert (shelf / letter.name).read_bytes()[:1] == b"x"
    assert sha256(shelf / "Letter of May-2.pdf") == receipt.sha256


def test_an_empty_file_arrives(cloud: Target, shelf: Path, tmp_path: Path, secrets: Secrets) -> None:
    (tmp_path / "none #1 50%.txt").write_bytes(b"")
    send(cloud, tmp_path / "none #1 50%.txt", secrets=secrets)
    assert names_in(shelf) == {"none #1 50%.txt"}


def test_a_name_that_the_server_mistakes_is_not_called_a_delivery(
    cloud: Target, tmp_path: Path, secrets: Secrets
) -> None:
    (tmp_path / "what?.txt").write_bytes(b"x")  # WsgiDAV takes the rest of it for a query
    with pytest.raises(ServiceRefused, match="did not get its name"):
        send(cloud, tmp_path / "what?.txt", secrets=secrets)


def test_a_wrong_password_is_a_refusal(cloud: Target, letter: Path, secrets: Secrets, quick: Patience) -> None:
    secrets.set(cloud.secret, "hunter2")
    with pytest.raises(ServiceRefused, match="401") as told:
        send(cloud, letter, secrets=secrets, patience=quick)
    assert "hunter2" not in repr(told.value)


def test_a_folder_that_is_not_there_is_a_refusal(
    cloud: Target, shelf: Path, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    target = known(cloud.url.removesuffix("in"), secrets, "nowhere")
    with pytest.raises(ServiceRefused, match=r"40[49]"):
        send(target, letter, secrets=secrets, patience=quick)
    assert names_in(shelf.parent) == {"in"}


Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


class Losing:
    """Does what is asked, and says 500 instead of the first answer to a method."""

    def __init__(self, method: str, times: int = 1) -> None:
        self.method, self.times, self.app = method, times, None

    def around(self, app: Any) -> Any:
        self.app = app
        return self

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        assert self.app is not None
        if environ["REQUEST_METHOD"] != self.method or not self.times:
            return self.app(environ, start)
        self.times -= 1
        told: list[Any] = []
        list(self.app(environ, lambda *words: told.append(words)))
        start("500 Internal Server Error", [("Content-Length", "0")])
        return [b""]


@pytest.mark.parametrize("method", ["HEAD", "PUT", "MOVE"])
def test_an_answer_that_was_lost_brings_the_file_once(
    shelf: Path, letter: Path, secrets: Secrets, quick: Patience, method: str
) -> None:
    with webdav(shelf.parent, "ada", PASSWORD, Losing(method).around) as url:
        receipt = send(known(url, secrets), letter, secrets=secrets, patience=quick)
    assert receipt.attempts == 2
    assert names_in(shelf) == {letter.name}
    assert sha256(shelf / letter.name) == receipt.sha256


def test_a_server_that_loses_a_part_of_the_file_is_not_believed(
    shelf: Path, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    def shortened(app: Any) -> Any:
        def call(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            answer = app(environ, start)
            if environ["REQUEST_METHOD"] != "PUT":
                return answer
            answer = list(answer)
            for part in shelf.iterdir():
                part.write_bytes(part.read_bytes()[:-1])
            return answer

        return call

    with (
        webdav(shelf.parent, "ada", PASSWORD, shortened) as url,
        pytest.raises(ServiceRefused, match="did not arrive whole"),
    ):
        send(known(url, secrets), letter, secrets=secrets, patience=quick)
    assert letter.name not in names_in(shelf)
