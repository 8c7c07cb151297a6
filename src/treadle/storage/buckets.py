"""Buckets of S3, GCS and Azure Blob, opened by URL through obstore."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from treadle.kernel.errors import InvalidInput, MissingExtra, Unavailable

try:
    from obstore.exceptions import BaseError
    from obstore.store import AzureStore, GCSStore, S3Store
except ModuleNotFoundError as missing:
    raise MissingExtra("obstore", extra="cloud") from missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    Bucket = AzureStore | GCSStore | S3Store


class _Kind(NamedTuple):
    """What a service calls its buckets, and where it takes its credentials from."""

    word: str
    variables: str


_KINDS = {
    "s3": _Kind("bucket", "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"),
    "gs": _Kind("bucket", "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT"),
    "az": _Kind("container", "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY"),
}


def open_bucket(url: str) -> Bucket:
    """Open `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`.

    Credentials, region and endpoint come from the usual variables of each service.
    """
    parts = urlsplit(url)
    if not parts.netloc:
        raise InvalidInput(f"{url!r} names no {_KINDS[parts.scheme].word}.")
    prefix = parts.path.strip("/") or None
    with explained(url):
        if parts.scheme == "gs":
            return GCSStore(parts.netloc, prefix=prefix)
        if parts.scheme == "az":
            # obstore takes leave to speak plain HTTP from AWS's variable alone.
            plain = os.environ.get("AZURE_ALLOW_HTTP", "").lower() == "true"
            return AzureStore(parts.netloc, prefix=prefix, client_options={"allow_http": plain})
        return S3Store(parts.netloc, prefix=prefix)


def instant_of(moment: datetime) -> int:
    """Return when a service says that something was written (µs)."""
    return int(moment.timestamp() * 1_000_000)


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Say what a service refused as an error that tells what to do; what is absent stays that."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except (BaseError, OSError, ValueError) as error:
        kind = _KINDS[urlsplit(url).scheme]
        raise Unavailable(
            f"Cannot use {url}: {str(error).strip().partition(chr(10))[0]}",
            hint=f"Check {kind.variables} and that the {kind.word} exists.",
        ) from error
