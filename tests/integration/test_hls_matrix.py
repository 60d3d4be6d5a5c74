"""Publishers and players against each other over HLS: what is played is what was published, frame by frame; and every
segment by itself is without a fault."""

import json
import re
import signal
import subprocess
import time

import clients
import hls_check
import media
from harness import wait_until
from rtsp import wait_until_published
from test_hls import HlsTestCase, broken_rules, uris
from test_rtmp_enhanced import Publisher

PLAYED_S, AT_LEAST_S = 10, 6
GSTREAMER = {"h264": "video=h264parse", "hevc": "video=h265parse", "aac": "audio=aacparse ! audio/mpeg,stream-format=raw",
             "opus": "audio=opusparse"}


class HlsMatrixTestCase(HlsTestCase):
    def publish_by(self, server, by, fixture, path="cam"):
        log = (server.folder / "publisher.log").open("wb")
        self.addCleanup(log.close)
        if by == "rtsp":
            command = clients.ffmpeg_publisher(fixture, server.url(path), "tcp")
        else:
            command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-re", "-i", media.fixture(fixture), "-map", "0", "-c", "copy",
                       "-f", "flv", server.rtmp_url(path)]
        process = self.start(command, stdout=log, stderr=log)
        wait_until(lambda: f"] is publishing to path '{path}'" in server.log(), 20, "the stream is published")
        return process

    def players(self, server, fixture, names, by="rtsp"):
        """name → (process, output, log)"""
        url, started = self.hls_url(server, "cam/index.m3u8"), {}
        for name in names:
            output, log = server.folder / f"{name}.mkv", server.folder / f"{name}.log"
            if name == "ffmpeg":
                command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", *(["-tls_verify", "0"] if server.hls_tls else []),
                           "-i", url, "-map", "0", "-c", "copy", "-copyinkf", "-f", "matroska", "-flush_packets", "1", "-y", output]
            elif name == "gstreamer":
                command = [clients.HERE / "gstreamer_hls_reader.py", url, output, *(GSTREAMER[codec] for codec in media.codecs(fixture))]
            else:
                output = server.folder / "vlc.ts"
                command = clients.vlc_reader(fixture, by, url, "hls", output)
            with log.open("wb") as file:
                started[name] = self.start(command, stdout=file, stderr=file), output, log
        return started

    def check_played(self, fixture, players):
        for name, (process, output, log) in players.items():
            process.send_signal(signal.SIGINT)
        for name, (process, output, log) in players.items():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
            self.assertEqual(media.check(fixture, output, AT_LEAST_S), [], f"{name}: {log.read_text(errors='replace')[-2000:]}")


class Players(HlsMatrixTestCase):
    """FFmpeg, GStreamer and VLC at once, each variant, published over RTSP and RTMP."""

    long = True

    def check_variant(self, variant, by):
        server = self.hls_server(variant, rtmpDisable=False)
        self.publish_by(server, by, "h264_b_aac")
        self.get(server, "cam/index.m3u8", seconds=20)
        # GStreamer 1.22 gives up when a playlist follows one that had a single segment.
        wait_until(lambda: self.playlist(server).count("#EXTINF") > 1, what="there are two segments")
        # Debian's VLC accepts no certificate that it does not know, and has nobody to ask.
        players = self.players(server, "h264_b_aac", ["ffmpeg", "gstreamer"] + ([] if server.hls_tls else ["vlc"]), by)
        time.sleep(PLAYED_S + 2)
        self.check_played("h264_b_aac", players)

    def test_mpegts_from_rtsp(self):
        self.check_variant("mpegts", "rtsp")

    def test_mpegts_from_rtmp(self):
        self.check_variant("mpegts", "rtmp")

    def test_fmp4_from_rtsp(self):
        self.check_variant("fmp4", "rtsp")

    def test_fmp4_from_rtmp(self):
        self.check_variant("fmp4", "rtmp")

    def test_low_latency_from_rtsp(self):
        self.check_variant("lowLatency", "rtsp")

    def test_low_latency_from_rtmp(self):
        self.check_variant("lowLatency", "rtmp")


class Streams(HlsMatrixTestCase):
    """What else a stream may consist of, played by FFmpeg, and by GStreamer where it can."""

    def check_stream(self, variant, fixture, players=("ffmpeg", "gstreamer"), by="rtsp", codecs=None):
        server = self.hls_server(variant, rtmpDisable=False)
        if by == "enhanced":
            publisher = Publisher(server, fixture)
            self.addCleanup(publisher.join)
            wait_until_published(server, "cam")
        else:
            self.publish_by(server, by, fixture)
        multivariant = self.get(server, "cam/index.m3u8", seconds=20).decode()
        wait_until(lambda: self.playlist(server).count("#EXTINF") > 1, what="there are two segments")
        started = self.players(server, fixture, players, by)
        time.sleep(PLAYED_S if by != "enhanced" else 6)
        if by == "enhanced":
            publisher.join(30)
            for name, (process, output, log) in started.items():
                process.wait(60)
                self.assertEqual(media.check(fixture, output, 3), [], log.read_text(errors="replace")[-2000:])
        else:
            self.check_played(fixture, started)
        self.assertEqual(re.search(r'CODECS="([^"]*)"', multivariant).group(1), codecs)
        return multivariant

    def test_video_alone_in_mpegts(self):
        text = self.check_stream("mpegts", "h264", codecs="avc1.64000d")
        self.assertIn("RESOLUTION=320x240,FRAME-RATE=30.000", text)

    def test_video_alone_in_fmp4(self):
        self.check_stream("fmp4", "h264", codecs="avc1.64000d")

    def test_audio_alone_in_mpegts(self):
        self.check_stream("mpegts", "aac", ("ffmpeg",), codecs="mp4a.40.2")

    def test_audio_alone_in_fmp4(self):
        self.check_stream("fmp4", "aac", codecs="mp4a.40.2")

    def test_audio_alone_with_low_latency(self):
        self.check_stream("lowLatency", "aac", ("ffmpeg",), codecs="mp4a.40.2")

    def test_opus_alone(self):
        self.check_stream("fmp4", "opus", ("ffmpeg",), codecs="opus")

    def test_h265_aac(self):
        self.check_stream("fmp4", "h265_aac", ("ffmpeg",), codecs="hvc1.1.6.L60.90,mp4a.40.2")

    def test_h264_mp3_in_mpegts(self):
        self.check_stream("mpegts", "h264_mp3", ("ffmpeg",), by="rtmp", codecs="avc1.64000d,mp4a.40.34")

    def test_h264_mp3_in_fmp4(self):
        self.check_stream("fmp4", "h264_mp3", ("ffmpeg",), codecs="avc1.64000d,mp4a.40.34")

    def test_h264_ac3_in_mpegts(self):
        self.check_stream("mpegts", "h264_ac3", ("ffmpeg",), codecs="avc1.64000d,ac-3", by="enhanced")

    def test_h264_ac3_in_fmp4(self):
        self.check_stream("fmp4", "h264_ac3", ("ffmpeg",), codecs="avc1.64000d,ac-3", by="enhanced")

    def test_vp9_opus(self):
        self.check_stream("fmp4", "vp9_opus", ("ffmpeg",), codecs="vp09.00.20.08,opus", by="enhanced")

    def test_av1_opus(self):
        self.check_stream("fmp4", "av1_opus", ("ffmpeg",), codecs="av01.0.00M.08,opus", by="enhanced")


class Segments(HlsMatrixTestCase):
    """Each file of a run by itself, as ffprobe sees it: no warning, and DTS that follow on each other."""

    def packets(self, path):
        done = subprocess.run(["ffprobe", "-v", "warning", "-show_entries", "packet=stream_index,dts_time,pts_time,duration_time", "-of", "json", path],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""), path)
        return json.loads(done.stdout)["packets"]

    def check_segments(self, variant):
        server = self.hls_server(variant)
        self.publish_by(server, "rtsp", "h264_b_aac")
        self.get(server, "cam/index.m3u8", seconds=20)
        checker, files, initial = hls_check.Checker(), {}, b""
        until = time.monotonic() + PLAYED_S
        while time.monotonic() < until:
            text = self.playlist(server)
            checker.add(time.time(), text)
            for name in uris(text):
                if name not in files:
                    files[name] = self.get(server, f"cam/{name}")
            if mapped := re.search(r'#EXT-X-MAP:URI="([^"]+)"', text):
                initial = initial or self.get(server, f"cam/{mapped.group(1)}")
            time.sleep(0.3)
        self.assertEqual(broken_rules(checker), [])
        self.assertGreater(len(files), 7)
        last = {}
        for name, body in files.items():
            path = server.folder / name
            path.write_bytes(initial + body)
            for packet in self.packets(path):
                stream, dts = packet["stream_index"], float(packet["dts_time"])
                self.assertGreater(dts, last.get(stream, -1), f"{name}: stream {stream}")
                self.assertLessEqual(dts - last.get(stream, dts), 0.1, f"a hole before {name}: stream {stream}")
                self.assertGreaterEqual(float(packet["pts_time"]), dts, name)
                last[stream] = dts

    def test_of_mpegts(self):
        self.check_segments("mpegts")

    def test_of_fmp4(self):
        self.check_segments("fmp4")

    def test_of_low_latency(self):
        self.check_segments("lowLatency")


class ChangingParameters(HlsMatrixTestCase):
    """A picture that becomes larger: a discontinuity, a new initialisation section, and segments that decode."""

    SMALL, LARGE = (320, 240), (640, 480)

    def publish_growing(self, server):
        pictures = b""
        for width, height in (self.SMALL, self.LARGE):
            part = server.folder / f"{width}.h264"
            media.ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate=30:duration=7", *media.X264, "-bf", "0", "-f", "h264", part)
            pictures += part.read_bytes()
        growing = server.folder / "growing.h264"
        growing.write_bytes(pictures)
        self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "h264", "-framerate", "30", "-i", growing, "-c", "copy", "-f", "rtsp",
                    "-rtsp_transport", "tcp", server.url("cam")])
        wait_until(lambda: "] is publishing to path 'cam'" in server.log(), 20, "the stream is published")

    def size(self, path):
        done = subprocess.run(["ffprobe", "-v", "warning", "-select_streams", "v", "-show_entries", "frame=width,height", "-of", "csv=p=0", path],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ""), path)
        sizes = {tuple(map(int, line.strip(",").split(","))) for line in done.stdout.split()}
        self.assertEqual(len(sizes), 1, path)
        return sizes.pop()

    def check_change(self, variant):
        server = self.hls_server(variant)
        self.publish_growing(server)
        self.get(server, "cam/index.m3u8", seconds=20)
        checker, files, marked = hls_check.Checker(), {}, set()
        until = time.monotonic() + 12
        while time.monotonic() < until and not (marked and len(files) > list(files).index(min(marked)) + 2):
            text = self.playlist(server)
            checker.add(time.time(), text)
            initial, discontinuity = b"", False
            for line in text.split("\n"):
                if mapped := re.match(r'#EXT-X-MAP:URI="([^"]+)"', line):
                    initial = self.get(server, f"cam/{mapped.group(1)}")
                discontinuity |= line == "#EXT-X-DISCONTINUITY"
                if line and not line.startswith("#"):
                    if line not in files:
                        files[line] = initial + self.get(server, f"cam/{line}")
                    if discontinuity:
                        marked.add(line)
                    discontinuity = False
            time.sleep(0.3)
        self.assertEqual(broken_rules(checker), [])
        self.assertEqual(len(marked), 1)
        sizes = {}
        for name, body in files.items():
            (server.folder / name).write_bytes(body)
            sizes[name] = self.size(server.folder / name)
        change = list(files).index(marked.pop())
        self.assertEqual(list(sizes.values()), [self.SMALL] * change + [self.LARGE] * (len(files) - change))
        self.assertIn("RESOLUTION=640x480", self.get(server, "cam/index.m3u8").decode())

    def test_in_mpegts(self):
        self.check_change("mpegts")

    def test_in_fmp4(self):
        self.check_change("fmp4")

    def test_in_low_latency(self):
        self.check_change("lowLatency")
