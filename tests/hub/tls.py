"""A certificate authority of its own, made anew for every double by the program
`openssl`."""

from __future__ import annotations

import pathlib
import shutil
import ssl
import subprocess

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class NoTls(RuntimeError):
    """TLS was asked for and cannot be had here; the message says why."""


def _openssl(folder: pathlib.Path, *arguments: str) -> None:
    answer = subprocess.run(["openssl", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, check=False)
    if answer.returncode:
        raise NoTls(f"openssl {arguments[0]} failed: {answer.stderr.strip()}")


def make_certificates(folder: pathlib.Path) -> pathlib.Path:
    """Makes an authority and a certificate for localhost and 127.0.0.1.

    folder: where ca.pem, server.pem and their keys go. Answers the path of
    ca.pem. Raises NoTls."""
    if shutil.which("openssl") is None:
        raise NoTls("the program openssl is not installed; TLS needs it")
    _openssl(folder, "req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
             "-subj", "/CN=CA of a Hub double")
    _openssl(folder, "req", *KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "extensions").write_text(NAMES + "\n")
    _openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", "2", "-extfile", "extensions", "-out", "server.pem")
    return folder / "ca.pem"


def server_context(folder: pathlib.Path) -> ssl.SSLContext:
    """For listeners, from what `make_certificates` put into the folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context
