"""aiohttp, without the certificates that it reads from the disk while it is imported.

It makes two TLS contexts then, and each reads every certificate that the system trusts: 55 ms, a
seventh of what a short job takes, for nothing where the server is asked over plain HTTP. Here the
one that is used reads them when it is known that it will be; the other verifies nothing.
"""

from __future__ import annotations

import ssl
import sys
from threading import get_ident
from typing import Any


class LateCertificates(ssl.SSLContext):
    """Reads what the system trusts (or ``SSL_CERT_FILE`` names) when something is first wrapped."""

    def read(self) -> None:
        """Read them now; afterwards it is a context like any other."""
        self.__class__ = ssl.SSLContext  # type: ignore[assignment]
        self.load_default_certs()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        self.read()
        return self.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        self.read()
        return self.wrap_socket(*args, **kwargs)


def import_aiohttp() -> None:
    """Import it; where that was done before, its certificates were read, which is as good."""
    if "aiohttp" in sys.modules:
        return
    read = ssl.SSLContext.set_default_verify_paths
    here = get_ident()

    def put_off(context: ssl.SSLContext) -> None:
        if get_ident() != here:  # a context of somebody else
            read(context)

    ssl.SSLContext.set_default_verify_paths = put_off  # type: ignore[assignment, method-assign]
    try:
        from aiohttp import connector
    finally:
        del ssl.SSLContext.set_default_verify_paths  # the one of the class above shows again
    context = getattr(connector, "_SSL_CONTEXT_VERIFIED", None)
    if isinstance(context, ssl.SSLContext):
        context.__class__ = LateCertificates


def read_certificates() -> None:
    """Read them now, for a server that is asked over TLS: its first row does not wait for them."""
    from aiohttp import connector

    context = getattr(connector, "_SSL_CONTEXT_VERIFIED", None)
    if isinstance(context, LateCertificates):
        context.read()
