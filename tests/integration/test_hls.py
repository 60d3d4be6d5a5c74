"""HLS as players and caches see it: FFmpeg, plain HTTP requests, and the checker of the RFC's rules."""

import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import threading
import time

import clients
import hls_check
import media
from harness import Ports, TestCase, wait_until
from test_authentication import ExternalServer
from tls import make_certificate


def broken_rules(checker):
    """What the checker complains about, other than that a busy machine was late."""
    return [complaint for complaint in checker.complaints if "no new segment for" not in complaint]


def next_number(playlist):
    """The media sequence number that comes behind its last whole segment."""
    return int(playlist.split("EXT-X-MEDIA-SEQUENCE:")[1].split("\n")[0]) + len(uris(playlist))


def uris(playlist):
    return [line for line in playlist.split("\n") if line and not line.startswith("#")]


class HlsTestCase(TestCase):
    def hls_server(self, variant="mpegts", workers=2, **more):
        ports = Ports()
        self.addCleanup(ports.close)
        files = {}
        if variant == "lowLatency":
            files["server.crt"], files["server.key"] = make_certificate()
        server = self.server(
            {"hlsDisable": False, "hlsWorkers": workers, "hlsVariant": variant, "hlsAddress": f"127.0.0.1:{ports.base + 2}",
             "hlsEncryption": bool(files), **more}, files=files)
        server.hls_port, server.hls_tls = ports.base + 2, bool(files)
        wait_until(lambda: len(server.workers("hls")) == workers, what="all HLS workers are there")
        return server

    def hls_url(self, server, path):
        return f"http{'s' if server.hls_tls else ''}://127.0.0.1:{server.hls_port}/{path}"

    def connect(self, server, seconds=30):
        if not server.hls_tls:
            return http.client.HTTPConnection("127.0.0.1", server.hls_port, timeout=seconds)
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection("127.0.0.1", server.hls_port, timeout=seconds, context=context)

    def ask(self, server, path, method="GET", headers=None, seconds=30):
        """(status, headers, body), on a connection of its own."""
        connection = self.connect(server, seconds)
        try:
            connection.request(method, "/" + path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, server, path, **more):
        """The body of what is there; tried again when the worker died meanwhile."""
        until = time.monotonic() + 10
        while True:
            try:
                status, _, body = self.ask(server, path, **more)
                self.assertEqual(status, 200, f"{path}: {body[:200]}")
                return body
            except (OSError, http.client.HTTPException):
                self.assertLess(time.monotonic(), until)

    def playlist(self, server, path="cam", query=""):
        return self.get(server, f"{path}/stream.m3u8{query}").decode()

    def publish(self, server, fixture="h264_b_aac", path="cam"):
        line = f"] is publishing to path '{path}'"  # not "no one is publishing"
        before = server.log().count(line)
        process = self.start(clients.ffmpeg_publisher(fixture, server.url(path), "tcp"), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        wait_until(lambda: server.log().count(line) > before, 20, "the stream is published")
        return process


class Frames(HlsTestCase):
    """What players get is what was published."""

    def check_player(self, variant, fixture):
        server = self.hls_server(variant)
        self.publish(server, fixture)
        output = server.folder / "player.mkv"
        with (server.folder / "player.log").open("wb") as log:
            tls = ["-tls_verify", "0"] if server.hls_tls else []
            player = self.start(
                ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", *tls, "-i", self.hls_url(server, "cam/index.m3u8"),
                 "-map", "0", "-c", "copy", "-copyinkf", "-t", "8", "-f", "matroska", "-y", output], stdout=log, stderr=log)
        player.wait(40)
        self.assertEqual(player.returncode, 0, (server.folder / "player.log").read_text())
        self.assertEqual(media.check(fixture, output, 6), [], (server.folder / "player.log").read_text())

    def test_mpegts(self):
        self.check_player("mpegts", "h264_b_aac")

    def test_fmp4(self):
        self.check_player("fmp4", "h264_b_aac")

    def test_low_latency_over_tls(self):
        self.check_player("lowLatency", "h264_b_aac")

    def test_h265(self):
        self.check_player("fmp4", "h265_aac")

    def test_opus(self):
        self.check_player("fmp4", "h264_opus")

    def test_what_mpegts_cannot_have_is_left_out_and_said(self):
        server = self.hls_server("mpegts")
        self.publish(server, "h264_opus")
        self.assertIn('CODECS="avc1.', self.get(server, "cam/index.m3u8").decode())
        server.wait_for_log(r"\[HLS\] \[muxer cam\] 1 of the stream's 2 tracks is left out")

    def test_a_stream_without_any_track_for_it_is_not_found(self):
        server = self.hls_server("mpegts")
        self.publish(server, "vp8_pcma")
        self.assertEqual(self.ask(server, "cam/index.m3u8")[0], 404)
        server.wait_for_log(r"\[HLS\] \[muxer cam\] destroyed \(the stream has no track that MPEG-TS can carry")


class Collector:
    """Fetches a media playlist again and again, holds it against the rules, and keeps every segment."""

    def __init__(self, test, server):
        self.test, self.server = test, server
        self.checker, self.segments, self.map = hls_check.Checker(), {}, None

    def look(self):
        text = self.test.playlist(self.server)
        self.checker.add(time.time(), text)
        for name in uris(text):
            if name not in self.segments:
                self.segments[name] = self.test.get(self.server, f"cam/{name}")
        if "EXT-X-MAP" in text and self.map is None:
            self.map = self.test.get(self.server, "cam/" + text.split('EXT-X-MAP:URI="')[1].split('"')[0])
        return text

    def film(self):
        path = self.server.folder / "film"
        path.write_bytes((self.map or b"") + b"".join(self.segments.values()))
        return path


class Crashes(HlsTestCase):
    time_limit_s = 100

    def check(self, variant):
        """SIGKILL of the muxing worker and of the others: the same media sequence goes on, and no frame is lost."""
        server = self.hls_server(variant)
        self.publish(server)
        collector = Collector(self, server)
        collector.look()
        for turn in range(12):
            pid = server.workers("hls").get(turn % 2)
            if pid:
                os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + 0.8
            while time.monotonic() < until:
                text = collector.look()
                self.assertNotIn("DISCONTINUITY", text)
                time.sleep(0.1)
        self.assertGreaterEqual(len(collector.segments), 8)
        self.assertEqual(broken_rules(collector.checker), [])
        self.assertEqual(media.check("h264_b_aac", collector.film(), 7), [])
        self.assertRegex(server.log(), r"\[hls-0\] worker killed by signal 9")
        self.assertRegex(server.log(), r"\[hls-1\] worker killed by signal 9")

    def test_mpegts(self):
        self.check("mpegts")

    def test_fmp4(self):
        self.check("fmp4")

    def test_low_latency(self):
        self.check("lowLatency")


class LowLatency(HlsTestCase):
    def test_players_wait_for_what_comes_next(self):
        server = self.hls_server("lowLatency")
        self.publish(server)
        text = self.playlist(server)
        hint = text.split('PRELOAD-HINT:TYPE=PART,URI="')[1].split('"')[0]
        self.assertNotIn(f'EXT-X-PART:DURATION=0.20000,URI="{hint}"', text)
        self.assertGreater(len(self.get(server, f"cam/{hint}")), 100)  # was not there when it was asked for
        # Of the next segment, and of a part in it.
        sequence = int(text.split("EXT-X-MEDIA-SEQUENCE:")[1].split("\n")[0]) + len(uris(text))
        self.assertIn(f"_seg{sequence}.mp4", self.playlist(server, query=f"?_HLS_msn={sequence}"))
        part = self.playlist(server, query=f"?_HLS_msn={sequence + 1}&_HLS_part=2")
        self.assertGreaterEqual(part.rpartition("#EXTINF")[2].count("EXT-X-PART:"), 3)
        for wrong in (f"_HLS_msn={sequence + 100}", "_HLS_part=1", "_HLS_msn=x"):
            self.assertEqual(self.ask(server, f"cam/stream.m3u8?{wrong}")[0], 400, wrong)

    def test_a_part_that_a_segment_does_not_get_is_the_first_of_the_next(self):
        server = self.hls_server("lowLatency")
        self.publish(server)
        number = next_number(self.playlist(server)) + 1
        text = self.playlist(server, query=f"?_HLS_msn={number - 1}&_HLS_part=12")  # of a segment of 1 s
        self.assertGreaterEqual(next_number(text), number)
        self.assertIn("EXT-X-PART:", text.rpartition("_seg")[2])

    def test_nobody_waits_for_ever(self):
        server = self.hls_server("lowLatency", readTimeout="60s")
        publisher = self.publish(server)
        text = self.playlist(server)
        publisher.send_signal(signal.SIGSTOP)
        self.addCleanup(publisher.send_signal, signal.SIGCONT)
        number, target = next_number(text), int(text.split("TARGETDURATION:")[1].split("\n")[0])
        hint = self.playlist(server).split('PRELOAD-HINT:TYPE=PART,URI="')[1].split('"')[0]
        for wanted in (f"stream.m3u8?_HLS_msn={number + 1}", hint):
            began = time.monotonic()
            status, headers, _ = self.ask(server, f"cam/{wanted}")
            if status == 200:  # what the publisher had sent already
                hint = self.playlist(server).split('PRELOAD-HINT:TYPE=PART,URI="')[1].split('"')[0]
                began = time.monotonic()
                status, headers, _ = self.ask(server, f"cam/{hint}")
            self.assertEqual((status, headers["Retry-After"], headers["Cache-Control"]), (503, "1", "no-cache"), wanted)
            self.assertGreater(time.monotonic() - began, 3 * target - 1)

    def test_delta_updates_are_asked_for_by_either_name_and_elsewhere_ignored(self):
        server = self.hls_server("lowLatency")
        self.publish(server)
        text = self.playlist(server)
        number = next_number(text)
        text = self.playlist(server, query=f"?_HLS_msn={number + 1}")
        self.playlist(server, query=f"?_HLS_msn={next_number(text) + 1}")
        for query in ("_HLS_skip=YES", "_HLS_skip=v2"):
            wait_until(lambda: "#EXT-X-SKIP:SKIPPED-SEGMENTS=" in self.playlist(server, query="?" + query), 20, f"{query} is a delta update")
        self.assertNotIn("EXT-X-SKIP", self.playlist(server, query="?_HLS_skip=no"))
        other = self.hls_server("fmp4")
        self.publish(other)
        self.assertNotIn("EXT-X-SKIP", self.playlist(other, query="?_HLS_skip=YES&_HLS_msn=10000"))

    def test_many_wait_at_once_and_all_are_answered(self):
        server = self.hls_server("lowLatency")
        self.publish(server)
        text = self.playlist(server)
        sequence = int(text.split("EXT-X-MEDIA-SEQUENCE:")[1].split("\n")[0]) + len(uris(text)) + 1
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.playlist(server, query=f"?_HLS_msn={sequence}"))) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(answers), 40)
        for answer in answers:
            self.assertIn(f"_seg{sequence}.mp4", answer)

    def test_playlists_obey_the_rules_as_do_delta_updates(self):
        server = self.hls_server("lowLatency")
        self.publish(server)
        checker, deltas = hls_check.Checker(), 0
        until = time.monotonic() + 14
        while time.monotonic() < until:
            checker.add(time.time(), self.playlist(server))
            delta = self.playlist(server, query="?_HLS_skip=YES")
            deltas += "EXT-X-SKIP" in delta
            checker.add(time.time(), delta)
            time.sleep(0.15)
        self.assertEqual(broken_rules(checker), [])
        self.assertGreater(deltas, 5)
        self.assertEqual(hls_check.check_multivariant(self.get(server, "cam/index.m3u8").decode()), [])


class Http(HlsTestCase):
    def test_what_caches_and_browsers_are_told(self):
        server = self.hls_server("fmp4")
        self.publish(server)
        text = self.playlist(server)
        name = "cam/" + uris(text)[0]
        status, headers, whole = self.ask(server, name)
        self.assertEqual((status, headers["Content-Type"]), (200, "video/mp4"))
        self.assertIn("immutable", headers["Cache-Control"])
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        status, head, body = self.ask(server, name, "HEAD")
        self.assertEqual((status, head["Content-Length"], body), (200, str(len(whole)), b""))
        status, headers, part = self.ask(server, name, headers={"Range": "bytes=10-19"})
        self.assertEqual((status, headers["Content-Range"], part), (206, f"bytes 10-19/{len(whole)}", whole[10:20]))
        self.assertEqual(self.ask(server, name, headers={"If-None-Match": head["ETag"]})[0], 304)
        self.assertEqual(self.ask(server, "cam/stream.m3u8")[1]["Cache-Control"], "no-cache")
        status, headers, _ = self.ask(server, "cam/index.m3u8", "OPTIONS", {"Access-Control-Request-Headers": "authorization"})
        self.assertEqual((status, headers["Access-Control-Allow-Headers"]), (200, "authorization"))

    def test_every_answer_lets_the_origin_in_that_is_allowed(self):
        server = self.hls_server("mpegts", hlsAllowOrigin="https://example.com", paths={"all": {}, "shut": {"readUser": "ann", "readPass": "secret"}})
        self.publish(server)
        segment = uris(self.playlist(server))[0]
        expected = {"cam": 301, "cam/": 200, "cam/index.m3u8": 200, "cam/stream.m3u8": 200, f"cam/{segment}": 200, "cam/none.ts": 404,
                    "": 404, "none/index.m3u8": 404, "shut/index.m3u8": 401, "cam/stream.m3u8?_HLS_part=1": 400}
        for path, wanted in expected.items():
            status, headers, _ = self.ask(server, path)
            allowed = (headers["Access-Control-Allow-Origin"], headers["Access-Control-Allow-Credentials"])
            self.assertEqual((status, *allowed), (wanted, "https://example.com", "true"), path)
            self.assertEqual((headers["Server"], headers["Set-Cookie"]), ("sluice", None), path)
            # A browser's question beforehand has no credentials, and starts nothing.
            status, headers, body = self.ask(server, path, "OPTIONS", {"Access-Control-Request-Headers": "range, authorization"})
            allowed = (headers["Access-Control-Allow-Origin"], headers["Access-Control-Allow-Credentials"])
            self.assertEqual((status, body, *allowed), (200, b"", "https://example.com", "true"), path)
            self.assertEqual(headers["Access-Control-Allow-Methods"], "GET, HEAD, OPTIONS")
            self.assertEqual(headers["Access-Control-Allow-Headers"], "range, authorization")
        self.assertIsNone(self.ask(server, "cam/", "OPTIONS")[1]["Access-Control-Allow-Headers"])
        self.assertEqual(self.ask(server, "cam/none.ts")[2], b"404 page not found")
        self.assertNotIn("[muxer shut]", server.log())

    def test_segments_stay_as_long_as_the_longest_playlist_with_them_lasts_once_they_have_left_it(self):
        count = 3
        server = self.hls_server("mpegts", hlsSegmentCount=count)
        self.publish(server)
        text = self.playlist(server)
        number, name = next_number(text) - 1, uris(text)[-1]

        def gone():
            status = self.ask(server, f"cam/{name}")[0]
            newest = next_number(self.playlist(server)) - 1
            if status == 404:
                self.assertGreater(newest, number + 2 * count)  # RFC 8216 section 6.2.2
            return status == 404

        wait_until(gone, 40, "its memory is given back", every_s=0.2)

    def test_routes(self):
        server = self.hls_server()
        status, headers, _ = self.ask(server, "a/cam?token=x")
        self.assertEqual((status, headers["Location"]), (301, "/a/cam/?token=x"))
        self.assertEqual(self.ask(server, "cam")[1]["Location"], "/cam/")
        status, headers, page = self.ask(server, "a/cam/")
        self.assertEqual((status, headers["Content-Type"].split(";")[0]), (200, "text/html"))
        self.assertIn(b"<video", page)
        for nothing in ("", "favicon.ico", "cam/index.m3u8", "cam/other.m3u8", "//example.com", "cam/0123456789ab_seg0.ts"):
            self.assertEqual(self.ask(server, nothing)[0], 404, nothing)
        self.assertEqual(self.ask(server, "cam/index.m3u8", "POST")[0], 405)

    def test_both_workers_serve_the_same_segments(self):
        server = self.hls_server()
        self.publish(server)
        name = uris(self.playlist(server))[0]
        bodies, slots = set(), set()
        until = time.monotonic() + 20
        while len(slots) < 2 and time.monotonic() < until:
            connection = self.connect(server)
            connection.request("GET", f"/cam/{name}")
            bodies.add(connection.getresponse().read())
            port = connection.sock.getsockname()[1]
            slots.add(self.slot_of(server, port))
            connection.close()
        self.assertEqual(slots, {0, 1})
        self.assertEqual(len(bodies), 1)

    def slot_of(self, server, port):
        """Which HLS worker holds the connection from this port."""
        done = subprocess.run(["ss", "-tnpH", "state", "established", f"( sport = :{server.hls_port} and dport = :{port} )"],
                              capture_output=True, text=True, timeout=10, check=True)
        return next((slot for slot, pid in server.workers("hls").items() if f"pid={pid}," in done.stdout), None)


class Access(HlsTestCase):
    PATHS = {"all": {"readUser": "ann", "readPass": "secret"}}

    def basic(self, user, password):
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    def test_passwords_by_header_and_query(self):
        server = self.hls_server(paths=self.PATHS)
        self.publish(server)
        status, headers, _ = self.ask(server, "cam/index.m3u8")
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, 'Basic realm="IPCAM"'))
        status, headers, _ = self.ask(server, "cam/index.m3u8", headers={"Sec-Fetch-Dest": "empty"})
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, None))
        self.assertEqual(self.ask(server, "cam/index.m3u8", headers=self.basic("ann", "wrong"))[0], 401)
        self.assertEqual(self.ask(server, "cam/index.m3u8", headers=self.basic("ann", "secret"))[0], 200)
        status, _, text = self.ask(server, "cam/index.m3u8?user=ann&pass=secret")
        self.assertEqual((status, uris(text.decode())), (200, ["stream.m3u8?user=ann&pass=secret"]))
        self.assertNotIn("secret", server.log())
        self.assertEqual(self.ask(server, "cam/")[0], 200)  # the page asks for it itself

    def test_nobody_starts_a_muxer_without_a_password(self):
        server = self.hls_server(paths=self.PATHS)
        self.publish(server)
        self.assertEqual(self.ask(server, "cam/stream.m3u8")[0], 401)
        self.assertNotIn("[HLS] [muxer cam] created", server.log())

    def test_an_external_server_is_asked_once_per_viewer_until_the_configuration_changes(self):
        external = ExternalServer(lambda question: 200)
        self.addCleanup(external.server_close)
        self.addCleanup(external.shutdown)
        server = self.hls_server(workers=1, externalAuthenticationURL=external.url)
        self.publish(server)
        before = len(external.questions)
        text = self.playlist(server, query="?token=x")
        for name in uris(text):
            self.get(server, f"cam/{name}")  # with the query that the playlist gives it
        self.playlist(server, query="?token=x")
        self.assertEqual(len(external.questions) - before, 1)
        asked = json.loads(external.questions[-1][1])
        self.assertEqual((asked["action"], asked["path"], asked["protocol"], asked["query"]), ("read", "cam", "hls", "token=x"))
        configuration = {**server.configuration, "writeTimeout": "11s"}
        server.path.write_text(json.dumps(configuration))
        server.wait_for_log("changed: writeTimeout")

        def asked_again():
            self.playlist(server, query="?token=x")
            return len(external.questions) - before > 1

        wait_until(asked_again, what="the external server is asked again")
        self.playlist(server, query="?token=x")
        self.assertEqual(len(external.questions) - before, 2)

    def test_clients_behind_trusted_proxies_are_judged_by_their_own_address(self):
        server = self.hls_server(paths={"all": {"readIPs": ["10.1.2.3"]}}, hlsTrustedProxies=["127.0.0.1"])
        self.publish(server)
        self.assertEqual(self.ask(server, "cam/index.m3u8")[0], 401)
        self.assertEqual(self.ask(server, "cam/index.m3u8", headers={"X-Forwarded-For": "10.1.2.3"})[0], 200)
        self.assertEqual(self.ask(server, "cam/index.m3u8", headers={"X-Forwarded-For": "10.1.2.3, 10.9.9.9"})[0], 401)


class Lifecycle(HlsTestCase):
    def test_a_muxer_comes_with_a_request_and_goes_with_the_stream(self):
        server = self.hls_server(api=True)
        publisher = self.publish(server)
        self.get(server, "cam/index.m3u8")
        server.wait_for_log(r"INF \[HLS\] \[muxer cam\] created \(requested by 127\.0\.0\.1\)")
        server.wait_for_log(r"INF \[HLS\] \[muxer cam\] is converting into HLS")
        self.assertEqual(server.api().paths()["cam"]["readers"], [{"type": "hlsMuxer"}])
        publisher.kill()
        server.wait_for_log(r"INF \[HLS\] \[muxer cam\] destroyed \(the stream has ended\)")
        self.assertEqual(self.ask(server, "cam/index.m3u8")[0], 404)
        first = server.log().count("created")
        self.publish(server)
        self.get(server, "cam/index.m3u8")
        self.assertGreater(server.log().count("created"), first)

    def test_always_remux(self):
        server = self.hls_server(hlsAlwaysRemux=True)
        self.publish(server)
        server.wait_for_log(r"\[HLS\] \[muxer cam\] created automatically")
        server.wait_for_log(r"\[HLS\] \[muxer cam\] is converting into HLS")

    def test_another_variant_by_reload(self):
        server = self.hls_server("mpegts")
        self.publish(server)
        self.assertIn(".ts", self.playlist(server))
        server.path.write_text(json.dumps({**server.configuration, "hlsVariant": "fmp4"}))
        server.wait_for_log("destroyed .its settings have changed.")
        self.assertIn(".mp4", self.playlist(server))

    def test_a_segment_that_is_too_large_ends_it_with_the_reason(self):
        server = self.hls_server(hlsSegmentMaxSize="10K")
        self.publish(server)
        self.assertEqual(self.ask(server, "cam/index.m3u8")[0], 503)
        server.wait_for_log(r"\[HLS\] \[muxer cam\] destroyed \(muxer error: reached maximum segment size\)")

    def test_on_demand_sources_are_started_for_viewers(self):
        source = self.server()
        self.publish(source)
        server = self.hls_server(paths={"pulled": {"source": source.url("cam"), "sourceOnDemand": True}})
        self.assertIn("_seg0.ts", self.playlist(server, "pulled"))
