from __future__ import annotations

from pathlib import Path

import pytest

from dwtsvc.errors import BadArguments, BadConfiguration
from dwtsvc.paths import Paths
from dwtsvc.targets import named, parse
from dwtsvc.targets.target import of_address

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "kind", "url"),
    [
        ("/srv/scans", "folder", "/srv/scans"),
        ("folder:/srv/scans", "folder", "/srv/scans"),
        ("https://host/path?a=b", "http", "https://host/path?a=b"),
        ("http://127.0.0.1:8000/", "http", "http://127.0.0.1:8000/"),
        ("http://[::1]:8000/", "http", "http://[::1]:8000/"),
        ("paperless+https://host", "paperless", "https://host"),
        ("webdav+https://host/folder/", "webdav", "https://host/folder/"),
        ("s3://bucket/prefix", "s3", "s3://bucket/prefix"),
        ("sftp://ada@host:2222/folder", "sftp", "sftp://host:2222/folder"),
    ],
)
def test_a_url_or_path_is_a_target(text: str, kind: str, url: str) -> None:
    target = of_address(text)
    assert (target.kind, target.url) == (kind, url)


def test_a_user_in_a_url_is_taken_out_of_it_and_the_secret_is_named_after_the_host() -> None:
    target = of_address("sftp://ada%20l@Host:2222/folder")
    assert (target.user, target.secret, target.name) == ("ada l", "host:2222", "sftp://Host:2222/folder")


def test_the_query_of_a_url_is_sent_and_not_shown() -> None:
    target = of_address("https://host/in?key=" + SECRET)
    assert SECRET in target.url
    assert SECRET not in target.name + target.shown


@pytest.mark.parametrize("scheme", ["https", "paperless+https", "webdav+https", "sftp", "http"])
def test_a_password_in_a_url_is_refused_without_repeating_it(scheme: str) -> None:
    with pytest.raises(BadArguments, match="password") as told:
        of_address(f"{scheme}://ada:{SECRET}@host.example/x")
    assert SECRET not in repr(told.value)
    assert "config secret set host.example" in told.value.hint


@pytest.mark.parametrize(
    "text",
    [
        *("ftp://host/", "https://", "https:///path", "https://host:0/", "https://host:99999/", "https://ho st/"),
        *(
            "https://host\\@evil/",
            "https://host/#x",
            "s3://Bucket_/x",
            "s3://a/",
            "folder:",
            "file:///etc",
            "https://é/",
        ),
        *("folder://host/x", "https://host/\nx", "paperless://host"),
    ],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(BadArguments):
        of_address(text)


@pytest.mark.parametrize("text", ["http://host/x", "paperless+http://10.0.0.7", "webdav+http://localhost.example/"])
def test_nothing_goes_over_a_network_without_encryption(text: str) -> None:
    with pytest.raises(BadArguments, match="encryption"):
        of_address(text)


def test_a_named_target_may_be_insecure_if_its_owner_says_so(paths: Paths) -> None:
    named.save(paths, "old", {"url": "http://nas.lan/in", "insecure": "on"})
    assert parse("old", paths).insecure


def test_a_saved_target_is_read_back_by_its_name_in_a_file_of_0600(paths: Paths) -> None:
    said = {"url": "paperless+https://docs.example", "tags": "scan, post", "correspondent": "Ada", "timeout": "60"}
    saved = named.save(paths, "Archive", said)
    found = parse("archive ", paths)
    assert found == saved
    assert (found.name, found.tags, found.secret, found.timeout) == ("Archive", ("scan", "post"), "Archive", 60.0)
    assert named.said(paths, "archive") == said
    assert paths.profiles_file.stat().st_mode & 0o777 == 0o600


def test_targets_and_profiles_share_a_file_and_leave_each_other_alone(paths: Paths) -> None:
    from dwtsvc import profiles

    profiles.save(paths, "letters", {"mode": "gray"})
    named.save(paths, "a", {"url": "/srv/a"})
    named.save(paths, "b", {"url": "/srv/b"})
    named.delete(paths, "a")
    assert (named.names(paths), profiles.names(paths)) == (["b"], ["letters"])


def test_an_unknown_name_is_told_with_the_names_there_are(paths: Paths) -> None:
    named.save(paths, "archive", {"url": "/srv/a"})
    with pytest.raises(BadArguments) as told:
        parse("intake", paths)
    assert "archive" in told.value.hint and "./intake" in told.value.hint


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "no url"),
        ({"url": "archive"}, "no url"),
        ({"url": "/srv/a", "user": "ada"}, "no use for the key 'user'"),
        ({"url": "https://host/", "endpoint": "https://x"}, "no use for the key 'endpoint'"),
        ({"url": "s3://bucket/", "endpoint": "http://minio.lan"}, "encryption"),
        ({"url": "s3://bucket/", "endpoint": "minio"}, "endpoint"),
        ({"url": "https://host/", "colour": "red"}, "no key 'colour'"),
        ({"url": "https://host/", "ca": "relative.pem"}, "ca cannot be"),
        ({"url": "sftp://host/", "form.a": "b"}, "no use for the key 'form'"),
    ],
)
def test_a_target_that_says_something_wrong_is_not_saved(paths: Paths, said: dict[str, str], words: str) -> None:
    with pytest.raises(BadArguments, match=words):
        named.save(paths, "archive", said)
    assert not paths.profiles_file.exists()


@pytest.mark.parametrize("key", ["password", "token", "secret_key", "passwd"])
def test_a_secret_among_the_keys_of_a_target_is_refused_without_repeating_it(paths: Paths, key: str) -> None:
    with pytest.raises(BadArguments) as told:
        named.save(paths, "archive", {"url": "https://host/", key: SECRET})
    assert SECRET not in repr(told.value) and "config secret set" in told.value.hint


def test_a_fault_in_the_file_is_a_bad_configuration_and_repeats_no_password(paths: Paths) -> None:
    Paths.create(paths.config)
    paths.profiles_file.write_text(f"[target x]\nurl = https://ada:{SECRET}@host/\n")
    for look in (lambda: parse("x", paths), lambda: named.check(paths.profiles_file)):
        with pytest.raises(BadConfiguration) as told:
            look()
        assert SECRET not in repr(told.value)


def test_a_folder_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert of_address("./out").url == str(tmp_path / "out")
    assert of_address("~/out").url == "/home/ada/out"


def test_a_saved_folder_is_kept_by_its_whole_path_because_the_service_runs_elsewhere(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named.save(paths, "archive", {"url": "./out"})
    monkeypatch.chdir("/")
    assert parse("archive", paths).url == str(tmp_path / "out")
    assert named.said(paths, "archive") == {"url": f"folder:{tmp_path / 'out'}"}
