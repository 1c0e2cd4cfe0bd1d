"""Stores that fsspec has a name for: opened by URL, and called in messages without their password."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hauberk.core.errors import ConfigError, DependencyMissing


def file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL such as ``s3://bucket/folder``, and the path in it.

    Raises:
        ConfigError: nothing here knows this kind of URL.
        DependencyMissing: fsspec needs a package for it.
    """
    from fsspec.core import url_to_fs

    try:
        files, root = url_to_fs(url)
    except ImportError as error:
        raise DependencyMissing(
            f"{urlsplit(url).scheme}:// needs a package: {str(error).splitlines()[0]}",
            hint="install the fsspec package for this kind of store, such as s3fs or gcsfs",
        ) from error
    except ValueError as error:
        raise ConfigError(f"{without_password(url)}: {str(error).splitlines()[0]}") from error
    return files, str(root).rstrip("/")


def without_password(url: str) -> str:
    """The URL without the user's name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
