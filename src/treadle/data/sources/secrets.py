"""Secrets in addresses: they come from the environment, and are left out of whatever is kept."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from treadle.kernel.errors import InvalidInput

HIDDEN = "***"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(
    r"pass|pwd|secret|token|signature|credential|api.?key|access.?key|auth|^sig$|^key$",
    re.IGNORECASE,
)


def filled(text: str) -> str:
    """Return a text with each `${NAME}` replaced by the environment's value of that name."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise InvalidInput(
                f"The environment has no {name}, which {bare(text)} needs.",
                hint=f"Set it: export {name}=…",
            )
        return os.environ[name]

    return _VARIABLE.sub(value, text)


def bare(url: str) -> str:
    """Return an address without password, without values of secret parameters, without fragment.

    Of an HTTP address the user goes too, for many a token is given as one.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    rest = rest.partition("#")[0] if "?" in rest or scheme in {"http", "https"} else rest
    rest, question, query = rest.partition("?")
    rest = _without_password(rest, is_http=scheme in {"http", "https"})
    pairs = [
        (name, HIDDEN if _SECRET.search(name) else value)
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    told = urlencode(pairs, safe="*/:,${}") if question else ""
    return f"{scheme}://{rest}{question}{told}"


def scrubbed(message: str, *, url: str) -> str:
    """Return somebody's message about an address without the secrets of that address."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
        message = message.replace(secret, HIDDEN)
    return message


def require_placeholders(url: str) -> None:
    """Raise InvalidInput when an address that is to be stored holds a secret itself."""
    if any(secret and not _VARIABLE.fullmatch(secret) for secret in _secrets(url)):
        raise InvalidInput(
            f"A secret may not be stored, and {bare(url)} was given with one.",
            hint="Write ${NAME} in its place: the environment is asked for NAME at each run.",
        )


def with_credentials(url: str) -> tuple[str, str]:
    """Split an HTTP address into itself without user and password, and `user:password`."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    clean = urlunsplit((parts.scheme, host if at else parts.netloc, parts.path, parts.query, ""))
    return clean, unquote(user)


def _without_password(rest: str, *, is_http: bool) -> str:
    # A password with an unescaped slash reaches beyond what `urlsplit` takes for the user.
    reach = rest.partition("/")[0] if is_http else rest
    user, at, _ = reach.rpartition("@")
    if not at:
        return rest
    kept = "" if is_http else f"{user.partition(':')[0]}@"
    return kept + rest[len(user) + 1 :]


def _secrets(url: str) -> set[str]:
    _, separator, rest = url.partition("://")
    if not separator:
        return set()
    rest, _, query = rest.partition("?")
    reach = rest.partition("/")[0] if url.startswith("http") else rest
    user = reach.rpartition("@")[0]
    name, _, password = user.partition(":")
    if not password and url.startswith("http"):
        password = name
    values = {value for key, value in parse_qsl(query) if _SECRET.search(key)}
    found = {password, unquote(password), *values}
    return {secret for secret in found if secret}
