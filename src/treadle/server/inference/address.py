"""Where a server listens."""

from __future__ import annotations

import socket

import msgspec

from treadle.kernel.errors import Unavailable


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A host and a port."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as clients write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def claimed(self) -> Address:
        """Return this address if nobody listens there; port 0 becomes a free one.

        Raises Unavailable when it is taken. A server that shares ports between its workers would
        otherwise share this one with a stranger that does the same.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                raise Unavailable(
                    f"Cannot listen on {self.host}:{self.port}: {error.strerror or error}.",
                    hint="Stop who listens there, or choose another port.",
                    host=self.host,
                    port=self.port,
                ) from error
            return Address(host=self.host, port=probe.getsockname()[1])

    def answers(self) -> bool:
        """Say whether somebody accepts connections here."""
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True
