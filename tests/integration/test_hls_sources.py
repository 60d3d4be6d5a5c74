"""Streams that are pulled over HLS: what FFmpeg makes in all its forms, another instance, over TLS, on demand, again after
a loss, and from servers that mean no good."""

import hashlib
import re
import secrets
import ssl
import subprocess
import tempfile
from pathlib import Path

import clients
import media
from harness import Ports, TestCase, kill_quietly, wait_until
from rtsp import wait_until_published
from tls import make_authority, make_certificate
from web import Web

SEGMENT_S = 2
LIST = ["-hls_time", SEGMENT_S, "-hls_list_size", "0"]
FMP4 = ["-hls_segment_type", "fmp4"]


def make_hls(folder, name, fixture, *options):
    """NAME.m3u8 and its segments."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", media.fixture(fixture), "-c", "copy", *LIST,
               "-hls_fmp4_init_filename", f"{name}_init.mp4", *options, "-f", "hls", f"{name}.m3u8"]
    subprocess.run([str(part) for part in command], check=True, timeout=60, cwd=folder)
    return f"{name}.m3u8"


def make_encrypted(folder, name, fixture):
    (folder / "key").write_bytes(secrets.token_bytes(16))
    (folder / "key_info").write_text("key\nkey\n")
    return make_hls(folder, name, fixture, "-hls_key_info_file", "key_info")


def make_multivariant(folder, name, fixture):
    """The best variant has its audio in a playlist of its own; there is nothing behind the other one."""
    make_hls(folder, f"{name}_video", fixture, "-map", "0:v")
    make_hls(folder, f"{name}_audio", fixture, "-map", "0:a")
    (folder / f"{name}.m3u8").write_text(
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",DEFAULT=YES,URI="' + f'{name}_audio.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=100,CODECS="avc1.64000d,mp4a.40.2",AUDIO="a"\nnowhere.m3u8\n'
        f'#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="avc1.64000d,mp4a.40.2",AUDIO="a"\n{name}_video.m3u8\n'
    )
    return f"{name}.m3u8"


def make_packed_audio(folder, name, fixture):
    """Audio as frames with ADTS headers behind a tag that says their time (RFC 8216 section 3.4)."""
    make_hls(folder, f"{name}_video", fixture, "-map", "0:v")
    media.ffmpeg("-i", media.fixture(fixture), "-map", "0:a", "-c", "copy", "-f", "segment", "-segment_time", SEGMENT_S,
                 "-segment_format", "adts", "-segment_list", folder / "list.csv", folder / f"{name}%d.aac")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:{SEGMENT_S + 1}\n"
    for line in (folder / "list.csv").read_text().split():
        file, begin, end = line.split(",")
        # Transport streams of FFmpeg begin at 1.4 s.
        private = b"com.apple.streaming.transportStreamTimestamp\0" + int((float(begin) + 1.4) * 90000).to_bytes(8, "big")
        frame = b"PRIV" + len(private).to_bytes(4, "big") + bytes(2) + private
        tag = b"ID3\4\0\0\0\0\0" + bytes([len(frame)]) + frame
        (folder / file).write_bytes(tag + (folder / file).read_bytes())
        playlist += f"#EXTINF:{float(end) - float(begin):.3f},\n{file}\n"
    (folder / f"{name}_audio.m3u8").write_text(playlist + "#EXT-X-ENDLIST\n")
    (folder / f"{name}.m3u8").write_text(
        f'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="{name}_audio.m3u8"\n'
        f'#EXT-X-STREAM-INF:BANDWIDTH=900000,AUDIO="a"\n{name}_video.m3u8\n'
    )
    return f"{name}.m3u8"


# name → fixture, how it is made
FORMS = {
    "mpegts": ("h264_b_aac", make_hls),
    "fmp4": ("h265_aac", lambda *where: make_hls(*where, *FMP4, "-tag:v", "hvc1")),
    "opus_ranges": ("h264_opus", lambda *where: make_hls(*where, *FMP4, "-hls_flags", "single_file", "-strict", "-2")),
    "mpegts_ranges": ("h264_b_aac", lambda *where: make_hls(*where, "-hls_flags", "single_file")),
    "encrypted": ("h264_aac", make_encrypted),
    "multivariant": ("h264_b_aac", make_multivariant),
    "packed_audio": ("h264_aac", make_packed_audio),
}


class HlsTestCase(TestCase):
    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory(prefix="sluice-hls-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def puller(self, paths, environment=None, **more):
        paths = {name: rules if isinstance(rules, dict) else {"source": rules} for name, rules in paths.items()}
        return self.server({"paths": paths, "api": True, "hlsWorkers": 1, **more}, environment=environment)

    def source(self, server, path="cam"):
        return server.api().paths()[path]

    def read(self, fixture, server, path):
        output = server.folder / f"{path}.mkv"
        return self.start(clients.ffmpeg_reader(fixture, "ffmpeg", server.url(path), "tcp", output)), output

    def wait_for_error(self, server, pattern, seconds=30):
        server.wait_for_log(r"\[path cam\] \[hls source\] ERR: " + pattern, seconds)


class Forms(HlsTestCase):
    long = True

    def test_every_form_comes_frame_by_frame(self):
        for name, (fixture, make) in FORMS.items():
            make(self.folder, name, fixture)
        web = Web(self, self.folder)
        on_demand = {"sourceOnDemand": True, "sourceOnDemandStartTimeout": "20s", "sourceReconnectGrace": "0s"}
        server = self.puller({name: {"source": web.url(f"{name}.m3u8"), **on_demand} for name in FORMS})
        readers = {name: self.read(fixture, server, name) for name, (fixture, _) in FORMS.items()}
        for name, (reader, output) in readers.items():
            reader.wait(media.SECONDS + 30)
            with self.subTest(name):
                self.assertEqual(media.check(FORMS[name][0], output), [])
                self.assertIn(f"[path {name}] [hls source] ERR: the playlist has come to its end", server.log())

    def test_servers_without_ranges_and_compressed_playlists_will_do(self):
        make_hls(self.folder, "cam", "h264_aac", "-hls_flags", "single_file", "-t", "8")
        web = Web(self, self.folder, ranges=False)
        server = self.puller({"cam": {"source": web.url("cam.m3u8"), "sourceOnDemand": True, "sourceReconnectGrace": "0s"}})
        reader, output = self.read("h264_aac", server, "cam")
        reader.wait(40)
        self.assertEqual(media.check("h264_aac", output, at_least_s=6), [])

    def test_time_goes_on_across_discontinuities(self):
        name = make_hls(self.folder, "cam", "h264_aac", "-t", "6")
        playlist = (self.folder / name).read_text()
        head, _, segments = playlist.replace("#EXT-X-ENDLIST", "").partition("#EXTINF")
        (self.folder / name).write_text(head + "#EXT-X-DISCONTINUITY\n".join(["#EXTINF" + segments] * 3) + "#EXT-X-ENDLIST\n")
        web = Web(self, self.folder)
        server = self.puller({"cam": {"source": web.url(name), "sourceOnDemand": True, "sourceReconnectGrace": "0s"}})
        reader, output = self.read("h264_aac", server, "cam")
        reader.wait(50)
        times = [seconds for _, seconds in media.frame_times(output, "h264")][1:]  # FFmpeg may have had none for the first
        self.assertGreater(len(times), 2 * 6 * 30)
        steps = [after - before for before, after in zip(times, times[1:])]
        odd = [(i, times[i], step) for i, step in enumerate(steps) if not 0 < step < 0.2]
        self.assertEqual(odd, [])


class Upstreams(HlsTestCase):
    """Another instance is pulled from."""

    def upstream(self, variant="mpegts", **more):
        ports = Ports()
        self.addCleanup(ports.close)
        port = ports.base + 2
        files = {}
        if more.get("hlsEncryption"):
            files["server.crt"], files["server.key"] = make_certificate()
        server = self.server({"hlsDisable": False, "hlsWorkers": 1, "hlsAddress": f"127.0.0.1:{port}", "hlsVariant": variant,
                              "hlsAlwaysRemux": True, "hlsServerCert": "server.crt", "hlsServerKey": "server.key", **more}, files=files)
        server.hls_url = f"http{'s' if files else ''}://127.0.0.1:{port}/cam/index.m3u8"
        if files:
            server.fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(files["server.crt"])).hexdigest()
        return server

    def publish(self, server):
        return self.start(clients.ffmpeg_publisher("h264_b_aac", server.url("cam"), "tcp"), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)

    def check_live(self, server, at_least_s=6):
        """What a reader gets until it is stopped is a gapless run of the film."""
        wait_until_published(server, "cam", 40)
        reader, output = self.read("h264_b_aac", server, "cam")
        reader.wait(60)
        self.assertEqual(media.check("h264_b_aac", output, at_least_s), [])

    def test_mpegts(self):
        first = self.upstream()
        self.publish(first)
        self.check_live(self.puller({"cam": {"source": first.hls_url, "sourceReconnectGrace": "0s"}}))

    def test_fmp4(self):
        first = self.upstream("fmp4")
        self.publish(first)
        self.check_live(self.puller({"cam": {"source": first.hls_url, "sourceReconnectGrace": "0s"}}))

    def test_low_latency_over_tls(self):
        first = self.upstream("lowLatency", hlsEncryption=True)
        self.publish(first)
        self.check_live(self.puller({"cam": {"source": first.hls_url, "sourceFingerprint": first.fingerprint,
                                             "sourceReconnectGrace": "0s"}}))

    def test_readers_stay_while_it_is_killed_and_started_again(self):
        first = self.upstream()
        self.publish(first)
        second = self.puller({"cam": first.hls_url})
        wait_until_published(second, "cam", 40)
        reader, output = self.read("h264_b_aac", second, "cam")
        wait_until(lambda: output.exists() and output.stat().st_size > 100_000, 30, "the reader gets something")
        first.kill()
        self.wait_for_error(second, "")
        wait_until(lambda: not self.source(second)["sourceReady"], what="it is not ready")
        first.start()
        self.publish(first)
        wait_until(lambda: self.source(second)["sourceReady"], 40, "it is pulled again")
        size = output.stat().st_size
        wait_until(lambda: output.stat().st_size > size + 100_000, 30, "the reader gets more")
        self.assertIsNone(reader.poll())

    def test_readers_stay_when_the_worker_is_killed(self):
        first = self.upstream()
        self.publish(first)
        second = self.puller({"cam": first.hls_url})
        wait_until_published(second, "cam", 40)
        reader, output = self.read("h264_b_aac", second, "cam")
        wait_until(lambda: output.exists() and output.stat().st_size > 100_000, 30, "the reader gets something")
        kill_quietly(second.workers("hls")[0])
        self.wait_for_error(second, "its worker failed")
        size = output.stat().st_size
        wait_until(lambda: output.stat().st_size > size + 100_000, 30, "the reader gets more")
        self.assertIsNone(reader.poll())

    def test_a_segment_that_is_missed_ends_nothing(self):
        name = make_hls(self.folder, "cam", "h264_aac")
        web = Web(self, self.folder)
        text = (self.folder / name).read_text()
        web.answers[name] = lambda handler: handler.answer(200, text.replace("#EXT-X-ENDLIST", "").encode())
        (self.folder / "cam11.ts").unlink()
        server = self.puller({"cam": {"source": web.url(name)}}, readTimeout="3s")
        wait_until(lambda: "cam12.ts" in web.requests, what="the segment after it")
        self.assertIn("cam11.ts", web.requests)
        self.assertTrue(self.source(server)["sourceReady"])

    def test_on_demand_it_is_pulled_while_somebody_reads(self):
        make_hls(self.folder, "cam", "h264_aac")
        web = Web(self, self.folder)
        server = self.puller({"cam": {"source": web.url("cam.m3u8"), "sourceOnDemand": True, "sourceOnDemandCloseAfter": "1s"}})
        self.assertIsNone(self.source(server)["source"])
        self.assertEqual(web.requests, [])
        reader, output = self.read("h264_aac", server, "cam")
        wait_until(lambda: output.exists() and output.stat().st_size > 10_000, 20, "the reader gets something")
        self.assertEqual(self.source(server)["source"], {"type": "hlsSource"})
        reader.kill()
        server.wait_for_log(r"\[path cam\] \[hls source\] stopped")
        self.assertIsNone(self.source(server)["source"])
        asked = len(web.requests)
        self.assertLess(asked, 6)  # it was not all fetched at once


class Access(HlsTestCase):
    def test_certificates(self):
        make_hls(self.folder, "cam", "h264_aac")
        authority = make_authority()
        certificate = make_certificate(authority=authority)
        web = Web(self, self.folder, certificate=certificate)
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate[0])).hexdigest()
        shown = ":".join(re.findall("..", fingerprint.upper()))
        (self.folder / "trusted.pem").write_text(authority[0])
        url = web.url("cam.m3u8")
        trusting = {"SSL_CERT_FILE": str(self.folder / "trusted.pem")}
        server = self.puller({"good": url, "shown": {"source": url, "sourceFingerprint": shown},
                              "cam": {"source": url, "sourceFingerprint": "00" * 32}}, environment=trusting)
        self.wait_for_error(server, f"playlist: server fingerprint do not match: expected {'00' * 32}, got {fingerprint}")
        for path in ("good", "shown"):
            wait_until(lambda path=path: self.source(server, path)["sourceReady"], what=path)
        self.wait_for_error(self.puller({"cam": url}), "playlist: SSL certificate problem")
        elsewhere = Web(self, self.folder, certificate=make_certificate("other", "DNS:other.test", authority))
        self.wait_for_error(self.puller({"cam": elsewhere.url("cam.m3u8")}, environment=trusting), "playlist: SSL")

    def test_credentials_go_to_their_own_server_only(self):
        make_hls(self.folder, "cam", "h264_aac")
        other = Web(self, self.folder)
        seen = []

        def note(handler):
            seen.append(handler.headers["Authorization"])
            handler.answer(200, (self.folder / "cam0.ts").read_bytes())

        other.answers["cam0.ts"] = note
        text = (self.folder / "cam.m3u8").read_text()
        (self.folder / "cam.m3u8").write_text(text.replace("cam0.ts", other.url("cam0.ts")))
        web = Web(self, self.folder, credentials="me:secret word")
        server = self.puller({"good": web.url("cam.m3u8", "me:secret%20word"), "cam": web.url("cam.m3u8", "me:wrong-word")})
        wait_until(lambda: self.source(server, "good")["sourceReady"], what="it is pulled")
        wait_until(lambda: "cam1.ts" in web.requests, what="the next segment, from its own server")
        self.assertEqual(seen, [None])
        self.wait_for_error(server, "playlist: bad status code: 401")
        for word in ("secret", "wrong-word"):
            self.assertNotIn(word, server.log())

    def test_redirects_are_followed_within_bounds_and_no_proxy_is_asked(self):
        make_hls(self.folder, "film", "h264_aac")
        web = Web(self, self.folder)
        web.answers["cam.m3u8"] = lambda handler: handler.answer(302, b"", [("Location", "/deep/er.m3u8")])
        web.answers["deep/er.m3u8"] = lambda handler: handler.answer(307, b"", [("Location", web.url("film.m3u8", host="localhost"))])
        web.answers["round"] = lambda handler: handler.answer(302, b"", [("Location", "/round")])
        web.answers["file"] = lambda handler: handler.answer(302, b"", [("Location", "file:///etc/passwd")])
        server = self.puller({"good": web.url("cam.m3u8"), "round": web.url("round"), "cam": web.url("file")},
                             environment={"http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"})
        wait_until(lambda: self.source(server, "good")["sourceReady"], what="it is pulled")
        server.wait_for_log(r"\[path round\] \[hls source\] ERR: playlist: ")
        self.assertLess(web.requests.count("round"), 15)
        self.wait_for_error(server, "playlist: ")


class Hostile(HlsTestCase):
    def memory(self, server):
        pid = server.workers("hls")[0]
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024

    def hostile(self, playlist, segment=None):
        web = Web(self)
        web.answers["cam.m3u8"] = playlist if callable(playlist) else lambda handler: handler.answer(200, playlist.encode())
        if segment:
            web.answers["a.ts"] = segment
        return web

    ONE = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n"

    def test_an_endless_playlist(self):
        web = self.hostile(lambda handler: handler.send_endlessly(b"#EXTM3U\n", b"#EXTINF:2,\na.ts\n" * 1000))
        server = self.puller({"cam": web.url("cam.m3u8")})
        self.wait_for_error(server, "playlist: larger than 1048576 bytes")

    def test_an_endless_segment(self):
        null_packet = b"\x47\x1f\xff\x10" + bytes(184)
        web = self.hostile(self.ONE, lambda handler: handler.send_endlessly(b"", null_packet * 5000))
        server = self.puller({"cam": web.url("cam.m3u8")})
        before = self.memory(server)
        self.wait_for_error(server, "segment: larger than 268435456 bytes", 60)
        self.assertLess(self.memory(server) - before, 64 << 20)

    def test_a_segment_that_is_not_there(self):
        server = self.puller({"cam": self.hostile(self.ONE).url("cam.m3u8")})
        self.wait_for_error(server, "segment: bad status code: 404")

    def test_other_types(self):
        web = self.hostile("<html>hello</html>")
        self.wait_for_error(self.puller({"cam": web.url("cam.m3u8")}), "playlist: not a playlist")
        web = self.hostile(self.ONE, lambda handler: handler.answer(200, b"<html>hello</html>"))
        self.wait_for_error(self.puller({"cam": web.url("cam.m3u8")}), "a segment is neither MPEG-TS nor MP4 nor packed audio")

    def test_a_playlist_without_anything_new(self):
        make_hls(self.folder, "film", "h264_aac")
        text = (self.folder / "film.m3u8").read_text().replace("#EXT-X-ENDLIST", "")
        web = Web(self, self.folder)
        web.answers["cam.m3u8"] = lambda handler: handler.answer(200, text.encode())
        server = self.puller({"cam": web.url("cam.m3u8")}, readTimeout="3s")
        wait_until(lambda: self.source(server)["sourceReady"], what="it is pulled")
        self.wait_for_error(server, "media playlist: it has had no new segments for a while")

    def test_a_server_that_does_not_answer(self):
        web = self.hostile(self.ONE, lambda handler: (handler.send_response(200), handler.end_headers(), wait_until(
            lambda: not self.processes, 30)))
        server = self.puller({"cam": web.url("cam.m3u8")}, readTimeout="2s")
        self.wait_for_error(server, "segment: the server does not answer")

    def test_keys_of_the_wrong_size(self):
        web = self.hostile(self.ONE.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF'))
        web.answers["key"] = lambda handler: handler.answer(200, b"x" * 17)
        self.wait_for_error(self.puller({"cam": web.url("cam.m3u8")}), "a key of 17 bytes; expected 16")
