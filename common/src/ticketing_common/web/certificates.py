"""The server's TLS certificate, renewed without a restart."""

import os
import ssl

from uvicorn.config import Config

from ticketing_common.telemetry import get_logger

log = get_logger(__name__)

Stamp = tuple[tuple[int, int, int], ...]


class ServedCertificate:
    """Reads the files of `--ssl-certfile` and `--ssl-keyfile` again after they have changed.

    uvicorn reads them once. cert-manager renews a certificate 30 days before its end, and the kubelet then replaces
    both files at once. `refresh` is called for each new connection, before its handshake: that needs no task and no
    interval, and costs one `stat` for each file. Open connections keep the certificate of their handshake.
    """

    def __init__(self, config: Config) -> None:
        self._context: ssl.SSLContext | None = config.ssl if config.is_ssl else None
        certificate = str(config.ssl_certfile)
        self._files = (certificate, str(config.ssl_keyfile or certificate))
        # Nothing is read yet: the files may have changed since uvicorn read them.
        self._read: Stamp | None = None
        self._refused: Stamp | None = None

    def refresh(self) -> None:
        """Use changed files from the next handshake on; keep the present certificate while they cannot be used."""
        if self._context is None:
            return
        stamp: Stamp = ()
        try:
            stamp = tuple(_stamp(file) for file in self._files)
            if stamp == self._read:
                return
            # Into a context of its own first: a failed load leaves a context with the new certificate and no key.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self._context.load_cert_chain(*self._files)
        except OSError as error:  # ssl.SSLError is one
            if stamp != self._refused:
                self._refused = stamp
                log.error("certificate not renewed", error=type(error).__name__)
        else:
            self._read = stamp


def _stamp(file: str) -> tuple[int, int, int]:
    found = os.stat(file)
    return found.st_ino, found.st_mtime_ns, found.st_size
