"""A bucket of S3, or of a server that speaks its protocol."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from dwtsvc.errors import BadConfiguration, DwtsvcError, MissingDependency
from dwtsvc.targets.carrying import MOST_NAMES, no_name, refused
from dwtsvc.targets.parcel import Arrival, Parcel, Watched, numbered
from dwtsvc.targets.patience import RETRIED, Deadline, Overdue, Transient
from dwtsvc.targets.target import Target

MOST_BYTES = 5 << 30  # what S3 takes in one put
_TAKEN = (409, 412)
_UNSEEN = (403, 404)  # 403 also where one may write and not list
_WEAK = ("", "answer")
_NOT_CONDITIONAL = (501,)


class Bucket:
    """A file is one put with its checksums: it is there whole, or it is not there. None is replaced.

    Who we are is the access key of the target with its secret; without them what boto3 finds (environment, ~/.aws).
    """

    def __init__(self, target: Target, secret: str | None, deadline: Deadline) -> None:
        self._target, self._deadline = target, deadline
        self._bucket, self._prefix = target.parts.netloc, target.parts.path.strip("/")
        self._client = _client(target, secret)

    def __enter__(self) -> Bucket:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def carry(self, parcel: Parcel) -> Arrival:
        if parcel.size > MOST_BYTES:
            raise refused(self._target, f"a file of {parcel.size} bytes is too large for one put", "Split it.")
        self._deadline.check()
        md5 = parcel.md5()
        for number in range(1, MOST_NAMES):
            key = "/".join(filter(None, (self._prefix, numbered(parcel.name, number))))
            there = self._look(key)
            if there is None:
                answer = self._put(key, parcel, md5)
                if answer is None:
                    continue
                if verified := _agrees(answer, parcel, md5):
                    return Arrival(location=self._location(key), verified=verified)
                raise Transient(refused(self._target, "what is there is not what was sent"))
            if there.get("ContentLength") == parcel.size and (verified := _agrees(there, parcel, md5)) not in _WEAK:
                return Arrival(location=self._location(key), verified=verified, already_there=True)
        raise no_name(parcel)

    def _location(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _look(self, key: str) -> dict[str, Any] | None:
        """What is told of an object; None if there is none, or if we may write and not look."""
        status, head = self._ask(
            lambda: self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"), *_UNSEEN
        )
        return None if status in _UNSEEN else head

    def _put(self, key: str, parcel: Parcel, md5: str) -> dict[str, Any] | None:
        """The answer; None if the key was taken meanwhile."""
        sent = self._ask(lambda: self._send(key, parcel, md5, IfNoneMatch="*"), *_TAKEN, *_NOT_CONDITIONAL)
        if sent[0] in _NOT_CONDITIONAL:  # a server that does not know the condition; we have looked just now
            sent = self._ask(lambda: self._send(key, parcel, md5))
        return None if sent[0] in _TAKEN else sent[1]

    def _send(self, key: str, parcel: Parcel, md5: str, **condition: str) -> dict[str, Any]:
        with parcel.opened(self._deadline) as file:
            answer: dict[str, Any] = self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=_Seekable(file),
                ContentLength=parcel.size,
                ContentType=parcel.media_type,
                ContentMD5=base64.b64encode(bytes.fromhex(md5)).decode(),
                ChecksumSHA256=base64.b64encode(bytes.fromhex(parcel.sha256)).decode(),
                **condition,
            )
            return answer

    def _ask(self, call: Callable[[], dict[str, Any]], *expected: int) -> tuple[int, dict[str, Any]]:
        """The status and the answer; {} of a refusal whose status is expected. boto3's other errors become ours."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,
            HTTPClientError,
            NoCredentialsError,
            SSLError,
        )

        try:
            return 200, call()
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if status in expected:
                return status, {}
            raise self._refusal(error, status) from None
        except NoCredentialsError:
            hint = f"Save a named target with access_key=..., and run `dwtsvc config secret set {self._target.secret}`."
            raise BadConfiguration(f"There are no credentials for {self._target.name}", hint=hint) from None
        except SSLError:
            hint = "If the certificate is of an authority of your own, save a named target with ca=FILE."
            raise refused(self._target, "its certificate is not trusted", hint) from None
        except (ConnectionError, HTTPClientError) as error:
            ours = error.kwargs.get("error")  # what reading the file raised comes wrapped
            if isinstance(ours, DwtsvcError | Overdue):
                raise ours from None
            raise Transient(refused(self._target, type(error).__name__, "Look whether it can be reached.")) from None
        except BotoCoreError as error:
            raise BadConfiguration(f"{self._target.name} cannot be asked", why=type(error).__name__) from None

    def _refusal(self, error: Any, status: int) -> Exception:
        # The code alone: some servers repeat the request with its signature in their message.
        code = str(error.response.get("Error", {}).get("Code", ""))[:60]
        hint = "Check the bucket, the access key and its secret." if status in (400, 401, 403, 404) else ""
        told = refused(self._target, f"{status} {code}".strip(), hint)
        return Transient(told) if status in RETRIED else told


def _agrees(told: dict[str, Any], parcel: Parcel, md5: str) -> str:
    """What agrees between an object and the parcel, in the words of a receipt; "" if something does not."""
    if checksum := told.get("ChecksumSHA256"):
        return "sha256" if base64.b64decode(checksum).hex() == parcel.sha256 else ""
    tag = str(told.get("ETag", "")).strip('"')
    if len(tag) != len(md5) or told.get("SSEKMSKeyId"):  # the MD5 of something else, or none
        return "answer"
    return "md5" if tag == md5 else ""


class _Seekable:
    """What boto3 wants of a file."""

    def __init__(self, file: Watched) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _client(target: Target, secret: str | None) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise MissingDependency(
            "S3 targets need a library that is not installed", why="no boto3", hint="pip install 'dwtsvc[s3]'"
        ) from None
    if target.access_key and secret is None:
        hint = f"`dwtsvc config secret set {target.secret}` asks for it."
        raise BadConfiguration(f"There is no secret for the access key of {target.name}", hint=hint)
    config = Config(
        connect_timeout=15,
        read_timeout=60,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"} if target.endpoint else {},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    given = {"aws_access_key_id": target.access_key, "aws_secret_access_key": secret} if target.access_key else {}
    try:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=target.endpoint or None,
            region_name=target.region or ("us-east-1" if target.endpoint else None),
            verify=str(target.ca) if target.ca else None,
            config=config,
            **given,
        )
    except Exception as error:  # botocore's and ValueError, of endpoints and regions that are none
        raise BadConfiguration(f"{target.name} cannot be used", why=type(error).__name__) from None
