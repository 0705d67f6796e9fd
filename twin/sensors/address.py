"""Where a broker is, and how to be let in."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from twin.errors import BrokerError

__all__ = ["BrokerAddress"]


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and how to be let in; the password is never shown.

    See `parse` for what stands in a URL.
    """

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        ca: str | Path | None = None,
        certificate: str | Path | None = None,
        key: str | Path | None = None,
    ) -> Self:
        """Read ``mqtt://[user[:password]@]host[:port]``, or ``mqtts://…`` for TLS.

        User name and password may also come from the environment, ``TWIN_MQTT_USERNAME`` and
        ``TWIN_MQTT_PASSWORD``, and are better kept there than in a file.

        Parameters
        ----------
        ca
            Certificates of the authorities that may vouch for the broker (PEM); the system's own
            without it.
        certificate, key
            Our certificate and its key (PEM), where the broker asks for one.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise BrokerError(f"The broker's URL cannot be read: {error}.") from None
        if parts.scheme not in ("mqtt", "mqtts") or not host or parts.path.strip("/"):
            shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
            raise BrokerError(
                f"{shown!r} is not the URL of a broker; write mqtt://host:1883 or mqtts://host:8883."
            )
        tls = parts.scheme == "mqtts"
        if not tls and (ca or certificate or key):
            raise BrokerError("Certificates are given but the URL says mqtt://; write mqtts://.")
        if (certificate is None) != (key is None):
            raise BrokerError("A client certificate and its key go together; give both.")
        for path in (ca, certificate, key):
            if path is not None and not Path(path).is_file():
                raise BrokerError(f"There is no certificate or key file {path}.")
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(
            host=host,
            port=port or (8883 if tls else 1883),
            tls=tls,
            username=username or os.environ.get("TWIN_MQTT_USERNAME"),
            password=password or os.environ.get("TWIN_MQTT_PASSWORD"),
            ca=None if ca is None else Path(ca),
            certificate=None if certificate is None else Path(certificate),
            key=None if key is None else Path(key),
        )

    def __str__(self) -> str:
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext:
        """Return how to make sure of the broker, and to prove ourselves: TLS 1.2 or later."""
        try:
            context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise BrokerError(f"The certificates for {self} cannot be used: {error}.") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
