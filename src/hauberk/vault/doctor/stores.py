"""An object store, asked through the same library that stores artifacts there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from hauberk.core.stores import file_system, without_password
from hauberk.vault.doctor import clocks
from hauberk.vault.doctor.finding import Finding

_WHY_VERSIONS = "an artifact that somebody overwrites or deletes can be had back"
_WHY_ENCRYPTED = "artifacts are encrypted anyway; this protects sizes and times, and what else lies there"
_WHY_TLS = "credentials and sizes go over this line"
_WHY_PUBLIC = "the world would see how many artifacts there are, and could copy them to wait for the key"
_NOT_SET = ("ServerSideEncryptionConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration")


def look(url: str) -> Iterator[Finding]:
    """What a store says of itself.

    Raises:
        DependencyMissing: the package for this kind of store is not installed.
    """
    where, scheme = without_password(url), urlsplit(url).scheme
    if scheme in ("sftp", "ssh"):
        yield Finding("ok", "tls", where, "SSH", _WHY_TLS)
        yield _unseen(where, "versioning", _WHY_VERSIONS, "keep backups: hauberk backup")
        yield _unseen(where, "disk-encryption", _WHY_ENCRYPTED, "put that machine's folder on LUKS")
        return
    if scheme not in ("s3", "s3a"):
        yield _unseen(where, "versioning", _WHY_VERSIONS, "turn it on in the store's own console")
        yield _unseen(where, "store-encryption", _WHY_ENCRYPTED, "look it up in the store's own console")
        return
    files, root = file_system(url)
    yield from _s3(files, root.partition("/")[0], where)


def _s3(files: Any, bucket: str, where: str) -> Iterator[Finding]:
    before = time.time()
    try:
        answer = files.call_s3("head_bucket", Bucket=bucket)
    except Exception as error:  # noqa: BLE001 (boto has a class for each thing that can go wrong)
        todo = "check the address, the credentials and the bucket's policy"
        yield Finding("fail", "reachable", where, _first(error), "nothing can be stored there", todo)
        return
    yield _line(str(files.s3.meta.endpoint_url), where)
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is not None:
        theirs = parsedate_to_datetime(date).timestamp()
        yield clocks.compare(theirs, before, time.time(), where, exact_s=1.0)
    yield _setting(
        files, "get_bucket_versioning", bucket, where, "versioning", _WHY_VERSIONS,
        lambda said: said.get("Status") == "Enabled", "aws s3api put-bucket-versioning … Status=Enabled",
    )  # fmt: skip
    yield _setting(
        files, "get_bucket_encryption", bucket, where, "store-encryption", _WHY_ENCRYPTED,
        lambda said: "ServerSideEncryptionConfiguration" in said, "aws s3api put-bucket-encryption …",
    )  # fmt: skip
    yield _setting(
        files, "get_public_access_block", bucket, where, "public-access", _WHY_PUBLIC, lambda said:
        all(said["PublicAccessBlockConfiguration"].values()), "aws s3api put-public-access-block …",
    )  # fmt: skip


def _line(endpoint: str, where: str) -> Finding:
    parts = urlsplit(endpoint)
    if parts.scheme == "https":
        return Finding("ok", "tls", where, f"https to {parts.hostname}", _WHY_TLS)
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return Finding("ok", "tls", where, "no TLS; the line does not leave this machine", _WHY_TLS)
    return Finding("fail", "tls", where, f"plain http to {parts.hostname}", _WHY_TLS, "use an https endpoint")


def _setting(
    files: Any, call: str, bucket: str, where: str, name: str, why: str, good: Any, todo: str
) -> Finding:
    try:
        said = files.call_s3(call, Bucket=bucket)
    except Exception as error:  # noqa: BLE001
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        found = "off" if code in _NOT_SET else f"it does not say ({code or _first(error)})"
        return Finding("warn", name, where, found, why, todo)
    return (
        Finding("ok", name, where, "on", why) if good(said) else Finding("warn", name, where, "off", why, todo)
    )


def _unseen(where: str, name: str, why: str, todo: str) -> Finding:
    return Finding("warn", name, where, "it cannot be seen from here", why, todo)


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
