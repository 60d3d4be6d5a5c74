"""What a player in a browser needs around it: the server, a stream that comes and goes, a password; pages of other origins."""

import base64
import hashlib
import http.client
import http.server
import json
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import browser
import harness
import media
from tls import make_certificate

PATH = "cams/front~door"
READ_TIMEOUT_S = 60  # so that a publisher may be frozen for a while
BITS, SQUARE = 16, 40  # of the clock: browser/watch.js


def publisher(url, fixture="h264_aac"):
    return ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", media.fixture(fixture), "-map", "0", "-c", "copy",
            "-f", "rtsp", "-rtsp_transport", "tcp", url]


def clock_publisher(url):
    """A picture that shows when it was made: in its first line of squares, white is 1, the milliseconds of the time of day's
    lowest bits, the lowest to the left."""
    squares = "".join(
        f",drawbox=x={SQUARE * bit}:y=0:w={SQUARE}:h={SQUARE}:t=fill:color=white:enable='mod(floor(t*1000/{2**bit}),2)'" for bit in range(BITS)
    )
    picture = f"setpts=RTCTIME/1000000/TB,drawbox=x=0:y=0:w=iw:h={SQUARE}:t=fill:color=black{squares},setpts=PTS-STARTPTS"
    return ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", f"testsrc2=size={SQUARE * BITS}x360:rate=30",
            "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-vf", picture,
            "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "30",
            "-c:a", "aac", "-b:a", "96k", "-f", "rtsp", "-rtsp_transport", "tcp", url]


class Sluice:
    """The server with one stream, and that stream's publisher."""

    def __init__(self, variant="mpegts", **configuration):
        self.variant, self.publishing, self.credentials = variant, None, None
        self.ports = harness.Ports()
        port, tls = self.ports.base + 2, variant == "lowLatency"
        files = dict(zip(("server.crt", "server.key"), make_certificate())) if tls else {}
        self.server = harness.Server(
            {"hlsDisable": False, "hlsWorkers": 2, "hlsVariant": variant, "hlsAddress": f"127.0.0.1:{port}", "hlsEncryption": tls,
             "readTimeout": f"{READ_TIMEOUT_S}s", **configuration}, files=files)
        self.page_url = f"http{'s' if tls else ''}://127.0.0.1:{port}/{PATH}/"
        self.wait_until_ready()

    def wait_until_ready(self):
        harness.wait_until(lambda: len(self.server.workers("hls")) == 2, what="all HLS workers are there")

    def start_server(self):
        self.server.start()
        self.wait_until_ready()

    def stop_server(self):
        self.server.stop()

    def require(self, user, password):
        self.credentials = (user, password)
        digest = base64.b64encode(hashlib.sha256(password.encode()).digest()).decode()
        rules = {"readUser": user, "readPass": f"sha256:{digest}"}
        self.server.path.write_text(json.dumps({**self.server.configuration, "paths": {"all": rules}}))
        harness.wait_until(lambda: self.status(None) == 401, what="nobody reads without a password")

    def status(self, credentials):
        """What the playlist's URL answers."""
        request = urllib.request.Request(self.page_url + "index.m3u8")
        if credentials:
            given = base64.b64encode(":".join(credentials).encode()).decode()
            request.add_header("Authorization", f"Basic {given}")
        try:
            with urllib.request.urlopen(request, timeout=30, context=ssl._create_unverified_context()) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def start_stream(self, command=publisher, **more):
        """Until the server has it; its segments may be there later."""
        line = f"] is publishing to path '{PATH}'"
        before = self.server.log().count(line)
        self.publishing = subprocess.Popen([str(part) for part in command(self.server.url(PATH), **more)], stdin=subprocess.DEVNULL)
        harness.wait_until(lambda: self.server.log().count(line) > before, what="the stream is published")

    def freeze_stream(self):
        self.publishing.send_signal(signal.SIGSTOP)

    def thaw_stream(self):
        self.publishing.send_signal(signal.SIGCONT)

    def stop_stream(self):
        """Until the server has noticed, if it runs."""
        harness.kill_quietly(self.publishing.pid)
        self.publishing.wait(5)
        self.publishing = None
        if self.server.process.poll() is None:
            harness.wait_until(lambda: self.status(self.credentials) == 404, what="the stream is gone")

    def kill_workers(self, seconds, every_s=2):
        """One HLS worker after the other; how many."""
        killed, begun = 0, time.monotonic()
        while time.monotonic() < begun + seconds:
            pid = self.server.workers("hls").get(killed % 2)
            if pid:
                harness.kill_quietly(pid)
                killed += 1
            time.sleep(max(0.02, begun + killed * every_s - time.monotonic()))
        return killed

    def leave(self):
        """Ends all but the server."""
        if self.publishing:
            harness.kill_quietly(self.publishing.pid)
            self.publishing.wait(5)
        self.ports.close()

    def close(self):
        self.leave()
        self.server.close()
        self.server.remove()


class _Elsewhere:
    """A web server of another origin, which answers with what find(path, headers) says: (status, content type, bytes)."""

    def __init__(self, find):
        class Answer(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                status, content_type, body = find(self.path, self.headers)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.url = f"http://localhost:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Embedder(_Elsewhere):
    """Has a page with `url` in a frame, as a web site would have it."""

    def __init__(self, url):
        body = f'<!doctype html><title>Elsewhere</title><iframe src="{url}" width="640" height="360" allow="fullscreen"></iframe>'
        super().__init__(lambda *_: (200, "text/html; charset=utf-8", body.encode()))


class PlainPlayer(_Elsewhere):
    """Has a page that plays with hls.js and nothing else."""

    def __init__(self):
        files = {
            "/": (200, "text/html; charset=utf-8", (browser.HERE / "plain.html").read_bytes()),
            "/hls.js": (200, "text/javascript", (browser.NODE_MODULES / "hls.js" / "dist" / "hls.min.js").read_bytes()),
        }
        nothing = (404, "text/plain", b"")
        super().__init__(lambda path, _: files.get(path.partition("?")[0], nothing))

    def playing(self, stage):
        return f"{self.url}?{stage.page_url}index.m3u8"


class Proxy(_Elsewhere):
    """Hands on what is asked of it below its own folder, as many a web site does."""

    FOLDER = "proxied/here"

    def __init__(self, stage):
        server = urllib.parse.urlsplit(stage.page_url).netloc

        def find(path, headers):
            connection = http.client.HTTPConnection(server, timeout=30)
            try:
                kept = {name: headers[name] for name in ("Authorization", "Sec-Fetch-Dest") if name in headers}
                connection.request("GET", path.removeprefix("/" + self.FOLDER), headers=kept)
                answer = connection.getresponse()
                return answer.status, answer.headers["Content-Type"] or "text/plain", answer.read()
            finally:
                connection.close()

        super().__init__(find)
        self.page_url = f"{self.url}{self.FOLDER}/{PATH}/"
