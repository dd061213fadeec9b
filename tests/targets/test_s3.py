"""Against moto's S3 server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.errors import BadConfiguration, FileAccess, ServiceRefused
from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Facts, Patience, Target, named, parse, send
from dwtsvc.targets.parcel import Parcel
from dwtsvc.targets.patience import Deadline
from dwtsvc.targets.s3 import Bucket
from tests.targets.peers import Answer, WebServer, sha256

SECRET = "hunter2-secret-key"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(autouse=True)
def no_other_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def client(server: str) -> Iterator[Any]:
    import boto3

    keys = {"aws_access_key_id": "ada", "aws_secret_access_key": SECRET}
    made = boto3.client("s3", endpoint_url=server, region_name="us-east-1", **keys)
    made.create_bucket(Bucket="scans")
    yield made
    for each in made.list_objects_v2(Bucket="scans").get("Contents", []):
        made.delete_object(Bucket="scans", Key=each["Key"])
    made.delete_bucket(Bucket="scans")
    made.close()


def saved(paths: Paths, secrets: Secrets, endpoint: str, url: str = "s3://scans/in/2026/") -> Target:
    named.save(paths, "bucket", {"url": url, "endpoint": endpoint, "access_key": "ada"})
    secrets.set("bucket", SECRET)
    return parse("bucket", paths)


def keys(client: Any) -> list[str]:
    return [each["Key"] for each in client.list_objects_v2(Bucket="scans").get("Contents", [])]


def test_a_file_arrives_with_its_type_and_checksum(
    server: str, client: Any, paths: Paths, letter: Path, secrets: Secrets
) -> None:
    receipt = send(saved(paths, secrets, server), letter, secrets=secrets)
    key = "in/2026/Letter of May.pdf"
    there = client.get_object(Bucket="scans", Key=key)
    assert there["Body"].read() == letter.read_bytes()
    assert there["ContentType"] == "application/pdf"
    assert (receipt.location, receipt.sha256) == (f"s3://scans/{key}", sha256(letter))
    assert receipt.verified in ("sha256", "md5")


def test_the_same_file_again_is_found_and_another_one_stays(
    server: str, client: Any, paths: Paths, letter: Path, secrets: Secrets
) -> None:
    target = saved(paths, secrets, server, "s3://scans")
    send(target, letter, secrets=secrets)
    assert send(target, letter, secrets=secrets).already_there
    letter.write_bytes(letter.read_bytes()[::-1])
    receipt = send(target, letter, secrets=secrets)
    assert receipt.location == "s3://scans/Letter of May-2.pdf"
    assert sorted(keys(client)) == ["Letter of May-2.pdf", "Letter of May.pdf"]


def test_a_bucket_that_is_not_there_is_a_refusal(
    server: str, paths: Paths, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    with pytest.raises(ServiceRefused, match="404 NoSuchBucket"):
        send(saved(paths, secrets, server, "s3://nowhere"), letter, secrets=secrets, patience=quick)


def test_without_credentials_it_is_told_how_to_give_them(letter: Path, secrets: Secrets, paths: Paths) -> None:
    with pytest.raises(BadConfiguration, match="credentials"):
        send(parse("s3://scans/in", paths), letter, secrets=secrets)
    named.save(paths, "bucket", {"url": "s3://scans/", "access_key": "ada"})
    with pytest.raises(BadConfiguration, match="no secret") as told:
        send(parse("bucket", paths), letter, secrets=secrets)
    assert "config secret set bucket" in told.value.hint


def test_failures_of_the_server_are_tried_again_and_a_refusal_is_not(
    web: WebServer, paths: Paths, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    target = saved(paths, secrets, web.url)
    web.answers = [Answer(500), Answer(reset=True), Answer(404), Answer(503), Answer(404), Answer(403)]
    with pytest.raises(ServiceRefused, match="403") as told:
        send(target, letter, secrets=secrets, patience=quick)
    assert [each.method for each in web.requests] == ["HEAD", "HEAD", "HEAD", "PUT", "HEAD", "PUT"]
    assert SECRET not in repr(told.value)


def test_a_put_replaces_nothing_and_says_both_checksums(
    web: WebServer, paths: Paths, letter: Path, secrets: Secrets
) -> None:
    import hashlib

    md5 = hashlib.md5(letter.read_bytes()).hexdigest()
    web.answers = [Answer(404), Answer(412), Answer(404), Answer(501), Answer(200, {"ETag": f'"{md5}"'})]
    receipt = send(saved(paths, secrets, web.url), letter, secrets=secrets)
    puts = [each for each in web.requests if each.method == "PUT"]
    assert [each.headers.get("if-none-match") for each in puts] == ["*", "*", None]
    assert all(each.headers["content-md5"] and each.headers["x-amz-checksum-sha256"] for each in puts)
    assert (receipt.location, receipt.verified) == ("s3://scans/in/2026/Letter of May-2.pdf", "md5")
    assert [each.bytes for each in puts] == [letter.stat().st_size] * 3


def test_a_checksum_that_differs_is_not_believed(
    web: WebServer, paths: Paths, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    web.answer = lambda request: Answer(404) if request.method == "HEAD" else Answer(200, {"ETag": f'"{"0" * 32}"'})
    with pytest.raises(ServiceRefused, match="not what was sent"):
        send(saved(paths, secrets, web.url), letter, secrets=secrets, patience=quick)


def test_a_file_that_changes_on_the_way_is_told_as_that(
    server: str, client: Any, paths: Paths, letter: Path, secrets: Secrets
) -> None:
    parcel = Parcel.of(letter, Facts(), "0" * 32)
    letter.write_bytes(bytes(parcel.size))
    with Bucket(saved(paths, secrets, server), SECRET, Deadline(60)) as bucket, pytest.raises(FileAccess):
        bucket.carry(parcel)
    assert keys(client) == []


def test_without_the_library_the_command_that_installs_it_is_shown(tmp_path: Path) -> None:
    for library, scheme, extra in (("boto3", "s3://bucket/x", "s3"), ("paramiko", "sftp://host/x", "sftp")):
        code = (
            f"import sys; sys.modules[{library!r}] = None; from dwtsvc_cli.main import run; sys.exit(run(sys.argv[1:]))"
        )
        arguments = ["send", __file__, "--to", scheme, "--no-keep"]
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert done.returncode == 3, done.stderr
        assert f"pip install 'dwtsvc[{extra}]'" in done.stderr
