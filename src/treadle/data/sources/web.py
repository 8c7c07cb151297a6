"""A file of a web server, streamed to disk; not fetched again while it is the same there."""

from __future__ import annotations

import http.client
import netrc
import re
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from treadle.data.sources.formats import MEDIA, format_of, named_for
from treadle.data.sources.secrets import bare, scrubbed, with_credentials
from treadle.kernel.errors import InvalidInput, Refused, Unavailable

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

MAX_REDIRECTS = 5
TIMEOUT_S = 60
BLOCK_BYTES = 1 << 20
_NOT_MODIFIED = 304
_GONE_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
_NO_ENTRY = frozenset({401, 403})
# All else that a request says to one server is not said to the next.
_MAY_TRAVEL = frozenset({"user-agent", "accept", "if-none-match", "if-modified-since"})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are followed by us: counted, and without handing secrets on."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_page(
    url: str,
    folder: Path,
    *,
    headers: dict[str, str],
    mark: str,
    limit: int | None,
    kind: str,
) -> tuple[tuple[Path, ...], str] | None:
    """Fetch a file; return where it is and its mark, or None while it is as `mark` says.

    Raises Unavailable when no answer comes, or only a part of one.
    """
    address, credentials = with_credentials(url)
    asked = {"User-Agent": "treadle", **_conditions(mark), **headers}
    credentials = credentials or _from_netrc(address)
    if credentials and not any(name.lower() == "authorization" for name in asked):
        asked["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    try:
        with _opened(address, asked, told=bare(url)) as answer:
            if answer.getcode() == _NOT_MODIFIED:
                return None
            path = folder / _name(answer, kind=kind)
            _copy(answer, path, limit=limit, told=bare(url))
            return (path,), _mark(answer.headers)
    except (OSError, http.client.HTTPException) as error:
        told = scrubbed(str(getattr(error, "reason", "") or error), url=url)
        raise Unavailable(f"{bare(url)} cannot be fetched: {told}.") from error


def _opened(url: str, headers: dict[str, str], *, told: str) -> Any:
    opener = urllib.request.build_opener(_NoRedirects)
    for _ in range(MAX_REDIRECTS + 1):
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked below and before
        try:
            return opener.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as answer:
            if answer.code == _NOT_MODIFIED:
                return answer
            with answer:
                url, headers = _next(answer, url, headers, told=told)
    raise Unavailable(f"{told} sends on more than {MAX_REDIRECTS} times.")


def _next(
    answer: urllib.error.HTTPError, url: str, headers: dict[str, str], *, told: str
) -> tuple[str, dict[str, str]]:
    where = answer.headers.get("Location", "")
    if answer.code not in _GONE_ELSEWHERE or not where:
        raise _refusal(answer, told)
    target = urljoin(url, where)
    before, after = urlsplit(url), urlsplit(target)
    if after.scheme not in {"http", "https"} or (before.scheme, after.scheme) == ("https", "http"):
        raise Refused(f"{told} sends on to {bare(target)}, which is not as safe; not followed.")
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        headers = {k: v for k, v in headers.items() if k.lower() in _MAY_TRAVEL}
    return target, headers


def _refusal(answer: urllib.error.HTTPError, told: str) -> Exception:
    text = f"{told} answers {answer.code} {answer.reason}."
    if answer.code in _NO_ENTRY:
        return Unavailable(
            text, hint="Give a header with the token: --header 'Authorization: Bearer ${TOKEN}'."
        )
    return Unavailable(text, hint="Is the address right?" if answer.code < 500 else "Try later.")  # noqa: PLR2004 - HTTP's own border


def _copy(answer: Any, path: Path, *, limit: int | None, told: str) -> None:
    announced = answer.headers.get("Content-Length")
    require_within(int(announced) if announced else 0, limit=limit, what=told)
    done = 0
    with path.open("wb") as file:
        while block := answer.read(BLOCK_BYTES):
            done += len(block)
            require_within(done, limit=limit, what=told)
            file.write(block)
    if announced and done != int(announced):
        raise Unavailable(f"{told} ended after {done:,} of {int(announced):,} bytes.")


def require_within(size: int, *, limit: int | None, what: str) -> None:
    """Raise InvalidInput when something is larger than was allowed."""
    if limit is not None and size > limit:
        raise InvalidInput(
            f"{what} is larger than {limit:,} bytes.",
            hint="Allow more with --max-bytes (max_bytes in Python); 0 there lifts the bound.",
        )


def _conditions(mark: str) -> dict[str, str]:
    kind, _, value = mark.partition(" ")
    known = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
    return {known[kind]: value} if kind in known else {}


def _mark(headers: Message) -> str:
    if tag := headers.get("ETag"):
        return f"etag {tag}"
    if changed := headers.get("Last-Modified"):
        return f"modified {changed}"
    return ""


def _name(answer: Any, *, kind: str) -> str:
    """Return what to call the file: as the server says, else as the address ends."""
    headers: Message = answer.headers
    said = headers.get_filename() or ""
    name = PurePosixPath(said.replace("\\", "/")).name
    name = name or PurePosixPath(unquote(urlsplit(answer.url).path)).name
    name = re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "data"
    return named_for(
        name, kind or ("" if format_of(name) else MEDIA.get(headers.get_content_type(), ""))
    )


def _from_netrc(url: str) -> str:
    try:
        known = netrc.netrc().authenticators(urlsplit(url).hostname or "")
    except (OSError, netrc.NetrcParseError):
        return ""
    return f"{known[0]}:{known[2]}" if known else ""
