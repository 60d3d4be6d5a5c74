"""What the player page needs around it: a server with the page, a stream that comes and goes, a password.

A stage has page_url, start_stream(), freeze_stream(), thaw_stream(), stop_stream(), require(user, password), stop_server(),
start_server() and close(). This one plays the HLS server's part with the page as it is built into executables
(hls_page.cpp) and FFmpeg's HLS."""

import base64
import http.server
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse
from pathlib import Path

import harness
import media

PAGE_PROGRAM = Path(harness.EXECUTABLE).parent / "tests" / "hls_page"
PATH = "/proxied/cams/front door"  # as behind a proxy that adds the first of it
SEGMENT_TYPES = {"m3u8": "application/vnd.apple.mpegurl", "ts": "video/mp2t", "m4s": "video/mp4", "mp4": "video/mp4"}
FFMPEG_FORMS = {
    "mpegts": ["-hls_segment_type", "mpegts"],
    "fmp4": ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"],
}


class Page:
    """The built-in assets: name → (content type, cache control, ETag, bytes), once plain and once with gzip."""

    def __init__(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([PAGE_PROGRAM, folder], capture_output=True, text=True, timeout=30, check=True)
            rows = [line.split("\t") for line in done.stdout.splitlines()]
            self.headers = [tuple(row[1:]) for row in rows if row[0] == "header"]
            assets = [row[1:] for row in rows if row[0] == "asset"]
            self.plain = {row[0]: (row[1], row[2], row[3], Path(folder, row[0]).read_bytes()) for row in assets}
            self.gzip = {row[0]: (row[1], row[2], row[4], Path(folder, row[0] + ".gz").read_bytes()) for row in assets}


class Handler(http.server.BaseHTTPRequestHandler):
    """One request for each connection, so that a stage that stops leaves none."""

    stage = None  # set by the class that StandIn makes of this one

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        folder, _, name = urllib.parse.unquote(url.path).rpartition("/")
        self.stage.asked.append((name, url.query, self.headers.get("Authorization")))
        if folder != PATH:
            self.answer(404, "text/plain", b"404 page not found")
        elif (name or "index.html") in self.stage.page.plain:
            self.answer_asset(name or "index.html")
        elif self.refused(url.query):
            pass
        elif name == "index.m3u8":
            self.answer_index(url.query)
        else:
            self.answer_file(name)

    def answer(self, status, content_type, body, headers=()):
        self.send_response(status)
        for header, value in [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers]:
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def answer_asset(self, name):
        gzip = "gzip" in self.headers.get("Accept-Encoding", "")
        content_type, cache_control, etag, body = (self.stage.page.gzip if gzip else self.stage.page.plain)[name]
        headers = [("Cache-Control", cache_control), ("ETag", etag), ("Vary", "Accept-Encoding"), *self.stage.page.headers]
        self.answer(200, content_type, body, [*headers, *([("Content-Encoding", "gzip")] if gzip else [])])

    def refused(self, query):
        wanted = self.stage.credentials
        if not wanted:
            return False
        given = self.headers.get("Authorization")
        if given == "Basic " + base64.b64encode(":".join(wanted).encode()).decode():
            return False
        values = urllib.parse.parse_qs(query)
        if (values.get("user"), values.get("pass")) == ([wanted[0]], [wanted[1]]):
            return False
        self.answer(401, "text/plain", b"", [("WWW-Authenticate", 'Basic realm="test"')])
        return True

    def answer_index(self, query):
        if self.stage.has_stream():
            codecs = f',CODECS="{self.stage.codecs}"' if self.stage.codecs else ""
            carried = "?" + query if query else ""
            text = f"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=800000{codecs}\nstream.m3u8{carried}\n"
            self.answer(200, SEGMENT_TYPES["m3u8"], text.encode(), [("Cache-Control", "no-cache")])
        else:
            self.answer(404, "text/plain", b"404 page not found")

    def answer_file(self, name):
        try:
            body = (self.stage.folder / name).read_bytes()
        except OSError:
            self.answer(404, "text/plain", b"404 page not found")
            return
        if name == "stream.m3u8" and self.stage.credentials:
            # As players need it that repeat neither headers nor queries.
            query = urllib.parse.urlsplit(self.path).query
            lines = [line if not query or line.startswith("#") else f"{line}?{query}" for line in body.decode().splitlines()]
            body = "".join(line + "\n" for line in lines).encode()
        self.answer(200, SEGMENT_TYPES[name.rpartition(".")[2]], body, [("Cache-Control", "no-cache")])


class StandIn:
    def __init__(self, form="mpegts"):
        self.form, self.page = form, Page()
        self.credentials, self.codecs, self.asked = None, None, []
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-stage-"))
        self.publisher, self.server = None, None
        self.number = 50  # of the first segment
        media.make("h264_aac")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start_server()
        self.page_url = f"http://127.0.0.1:{self.port}{urllib.parse.quote(PATH)}/"

    def start_server(self):
        handler = type("StageHandler", (Handler,), {"stage": self})
        http.server.ThreadingHTTPServer.daemon_threads = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop_server(self):
        self.server.shutdown()
        self.server.server_close()
        self.server = None

    def require(self, user, password):
        self.credentials = (user, password)

    def has_stream(self):
        return (self.folder / "stream.m3u8").exists()

    def start_stream(self, number=None):
        """With segments from this number on; by default, the next that no stream has had."""
        self.number = self.number if number is None else number
        command = [
            "ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", media.fixture("h264_aac"), "-c", "copy",
            "-f", "hls", "-hls_time", "1", "-hls_list_size", "7", "-hls_delete_threshold", "5", "-hls_flags", "delete_segments",
            "-start_number", str(self.number), *FFMPEG_FORMS[self.form], self.folder / "stream.m3u8",
        ]
        self.publisher = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL)
        harness.wait_until(self.has_stream, what="FFmpeg's playlist")
        self.number += 100

    def freeze_stream(self):
        self.publisher.send_signal(signal.SIGSTOP)

    def thaw_stream(self):
        self.publisher.send_signal(signal.SIGCONT)

    def stop_stream(self):
        harness.kill_quietly(self.publisher.pid)
        self.publisher.wait(5)
        self.publisher = None
        for name in os.listdir(self.folder):
            (self.folder / name).unlink()

    def close(self):
        if self.publisher:
            self.stop_stream()
        if self.server:
            self.stop_server()
        shutil.rmtree(self.folder, ignore_errors=True)


class Embedder:
    """A page of another origin with `url` in a frame, as a web site would have it."""

    def __init__(self, url):
        body = f'<!doctype html><title>Elsewhere</title><iframe src="{url}" width="640" height="360" allow="fullscreen"></iframe>'.encode()

        class Answer(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://localhost:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
