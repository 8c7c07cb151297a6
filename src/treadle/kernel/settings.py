"""Settings: environment variables over `settings.toml` in the home over defaults.

Each setting `x` is read from `TREADLE_X`. The home is `--home`, else `TREADLE_HOME`, else
`.treadle` in the working folder.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from treadle.kernel.errors import InvalidInput, Unavailable, near_misses

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "TREADLE_"
DATABASE = "treadle.db"
TENANTS = "tenants"
GONE_AFTER_S = 300
_KEY = re.compile(r"[0-9a-fA-F]{64}")
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set.

    `metadata_url`: rows and events: `postgresql://…` or `sqlite:///…`; empty for SQLite in the
    home.
    `objects_url`: bytes: `s3://`, `gs://` or `az://BUCKET/PREFIX`, or `file:///FOLDER`; empty for a
    folder in the home.
    `objects_key`: encrypts what is stored as objects: a master key of 64 hex digits, or the file
    that holds one (in `settings.toml` seen from the home); empty for no encryption.
    `clock`: `played` for a home that replays the past.
    `host`: where `treadle up` listens; a name of this machine for itself.
    `port`: port of pages and API; 0 takes any that is free.
    `inference_port`: port of the endpoints; 0 takes any that is free.
    `workers`: worker processes that `treadle up` keeps.
    `webhooks`: addresses told of every alert, as JSON.
    `webhook_hosts`: hosts that webhooks may go to; any other is refused.
    `tenants`: `open` makes a tenant (`/t/NAME`) at its first use, `closed` serves those there are.
    `gone_after_s`: seconds without a sign of life after which a run that our client logs to a
    server fails.
    `home`: the folder of the state.
    """

    metadata_url: str = ""
    objects_url: str = ""
    objects_key: str = ""
    clock: Literal["system", "played"] = "system"
    host: str = "127.0.0.1"
    port: int = 7340
    inference_port: int = 7341
    workers: int = 1
    webhooks: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    tenants: Literal["open", "closed"] = "open"
    gone_after_s: Annotated[int, msgspec.Meta(ge=60)] = GONE_AFTER_S
    home: Path = Path(".treadle")

    def where_metadata(self) -> str:
        """Return the metadata URL: SQLite in the home unless one is set."""
        return self.metadata_url or f"sqlite:///{(self.home / DATABASE).resolve()}"

    def where_objects(self) -> str:
        """Return the objects URL: a folder in the home unless one is set."""
        return self.objects_url or (self.home / "objects").resolve().as_uri()

    def of_tenant(self, name: str) -> Settings:
        """Return the settings of a tenant: a home below this one, objects below these.

        Raises InvalidInput for a name that cannot be a folder's, a schema's and part of a URL.
        """
        if not is_tenant_name(name):
            raise InvalidInput(
                f"{name[:100]!r} cannot name a tenant.",
                hint="Use 1 to 50 small letters, digits, `-` and `_`, a letter or digit first.",
            )
        below = f"{TENANTS}/{name}"
        objects = f"{self.objects_url.rstrip('/')}/{below}" if self.objects_url else ""
        home = self.home / below
        return msgspec.structs.replace(self, home=home, metadata_url="", objects_url=objects)


def is_tenant_name(name: str) -> bool:
    """Say whether a text can name a tenant: a folder, a schema and a part of a URL as it is."""
    return _TENANT.fullmatch(name) is not None


def is_key(text: str) -> bool:
    """Say whether a text is a key itself, 64 hex digits, and not a file that holds one."""
    return _KEY.fullmatch(text.strip()) is not None


def find_home(home: str | Path | None = None, *, env: Mapping[str, str] | None = None) -> Path:
    """Return the state's folder: what is given, else `TREADLE_HOME`, else `.treadle`."""
    env = os.environ if env is None else env
    return Path(home or env.get(PREFIX + "HOME") or ".treadle").expanduser().resolve()


def load_settings(
    home: str | Path | None = None, *, env: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings of a home. Raises InvalidInput naming the setting that is wrong."""
    env = os.environ if env is None else env
    folder = find_home(home, env=env)
    values = _from_file(folder / "settings.toml")
    known = [f for f in Settings.__struct_fields__ if f != "home"]
    for name in known:
        text = env.get(PREFIX + name.upper())
        if text is not None:
            values[name] = _names(text) if name.startswith("webhook") else text
    for name in values:
        if name not in known:
            close = near_misses(name, known)
            hint = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(known)}."
            raise InvalidInput(
                f"Unknown setting {name!r} in {folder / 'settings.toml'}.", hint=hint
            )
    key = values.get("objects_key")
    if isinstance(key, str) and key and not is_key(key):
        around = Path() if PREFIX + "OBJECTS_KEY" in env else folder
        values["objects_key"] = str((around / Path(key).expanduser()).absolute())
    try:
        return msgspec.convert({**values, "home": folder}, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"A setting has a wrong value: {error}.") from error


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _from_file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # who makes the home says what is in its way
        return {}
    except OSError as error:
        raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not valid TOML: {error}.") from error
