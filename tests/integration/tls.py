"""Certificates, made with the openssl command, servers that have one, and an RTSP client over TLS."""

import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import harness
from rtsp import Client


def make_certificate(name="localhost", names="DNS:localhost,IP:127.0.0.1", authority=None):
    """(certificate, key) as PEM texts; for `names`, issued by `authority`, also (certificate, key), or by itself."""
    return _certificate(name, f"subjectAltName={names}", authority)


def make_authority():
    return _certificate("Authority", "keyUsage=keyCertSign")


def _certificate(name, extension, authority=None):
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "crt", Path(folder) / "key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                   "-subj", f"/CN={name}", "-addext", extension, "-out", certificate, "-keyout", key]
        if authority:
            for option, text in zip(("-CA", "-CAkey"), authority):
                path = Path(folder, option)
                path.write_text(text)
                command += [option, path]
            command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return certificate.read_text(), key.read_text()


class TlsServer(harness.Server):
    def answers(self):
        try:
            with TlsClient(self, 1) as client:
                return client.request("OPTIONS", "").status == 200
        except OSError:
            return False


class TestCase(harness.TestCase):
    def tls_server(self, configuration=None, certificate=None):
        """With encryption: optional, unless `configuration` says otherwise. server.certificate and .key are its PEM texts."""
        certificate, key = certificate or make_certificate()
        server = TlsServer(
            {"encryption": "optional", **(configuration or {})}, files={"server.crt": certificate, "server.key": key}
        )
        self.servers.append(server)
        server.certificate, server.key = certificate, key
        return server


def context(trusted=None, version=None):
    made = ssl.create_default_context(cadata=trusted) if trusted else ssl._create_unverified_context()
    if version:
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = made.maximum_version = version
    return made


class TlsClient(Client):
    """By default any certificate will do. `session`: of an earlier connection with the same context."""

    def __init__(self, server, timeout_s=10, receive_buffer=None, host="127.0.0.1", using=None, session=None):
        self.server, self.timeout_s = server, timeout_s
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(timeout_s)
        plain.connect((host, server.rtsps_port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.connection = (using or context()).wrap_socket(
                plain, server_hostname="localhost", session=session, suppress_ragged_eofs=False
            )
        except BaseException:
            plain.close()
            raise
        self.buffer, self.frames, self.sequence, self.session = bytearray(), [], 0, None

    def url(self, path):
        return f"rtsps://127.0.0.1:{self.server.rtsps_port}/{path}"

    def request(self, method, path, *arguments, **more):
        return super().request(method, path if "://" in path or path == "*" else self.url(path), *arguments, **more)

    def certificate(self):
        return ssl.DER_cert_to_PEM_cert(self.connection.getpeercert(True))
