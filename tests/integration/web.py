"""A small HTTP server of files, byte ranges and whatever a test makes of a request, plain or over TLS."""

import base64
import re
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Web:
    """Serves `folder`. `answers`: path → function that is given the request's handler and answers instead. `requests`: the
    paths that were asked for, in order. `credentials`: "user:password" that is wanted. `certificate`: (PEM, PEM)."""

    def __init__(self, test, folder=None, certificate=None, credentials=None, ranges=True):
        self.folder, self.credentials, self.ranges = folder, credentials, ranges
        self.answers, self.requests, self.certificate = {}, [], certificate
        self.port, self.server = 0, None
        self.start()
        test.addCleanup(self.stop)

    def start(self):
        web = self

        class Handler(_Handler):
            pass

        Handler.web = web
        self.server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with tempfile.TemporaryDirectory() as folder:
                files = [Path(folder, name) for name in ("crt", "key")]
                for file, text in zip(files, self.certificate):
                    file.write_text(text)
                context.load_cert_chain(*files)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def url(self, path, user=None, host="127.0.0.1"):
        return f"http{'s' if self.certificate else ''}://{user + '@' if user else ''}{host}:{self.port}/{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # an endless answer ends with its client

    def handle_error(self, *_):
        pass  # clients go whenever they like


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.partition("?")[0].lstrip("/")
        self.web.requests.append(path)
        wanted = self.web.credentials
        if wanted and self.headers["Authorization"] != "Basic " + base64.b64encode(wanted.encode()).decode():
            return self.answer(401, b"", [("WWW-Authenticate", 'Basic realm="x"')])
        if path in self.web.answers:
            return self.web.answers[path](self)
        file = self.web.folder and self.web.folder / path
        if not file or not file.is_file():
            return self.answer(404, b"not here")
        data = file.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "") if self.web.ranges else None
        if not asked:
            return self.answer(200, data)
        first, last = int(asked[1]), int(asked[2])
        return self.answer(206, data[first : last + 1], [("Content-Range", f"bytes {first}-{last}/{len(data)}")])

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_endlessly(self, begin, piece):
        """Until the client goes; how many bytes it took is counted."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.web.sent = 0
        self.close_connection = True
        try:
            self.wfile.write(begin)
            while True:
                self.wfile.write(piece)
                self.web.sent += len(piece)
        except OSError:
            pass
