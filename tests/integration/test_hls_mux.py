"""What the segmenter makes of fixtures, without a server: FFmpeg and GStreamer read every segment and the whole without
a complaint, and find the frames and times that went in."""

import subprocess
import tempfile
from pathlib import Path

import hls_mux
import media
from harness import TestCase

SECONDS = 8
ORIGIN_S = 10  # that the segmenter adds to all times
TICK_S = 1 / 90000
PART_MS = 200
GSTREAMER = {
    "h264": "h264parse ! avdec_h264", "hevc": "h265parse ! avdec_h265", "vp9": "vp9dec", "aac": "aacparse ! avdec_aac",
    "opus": "opusparse ! opusdec",
}


def ffmpeg_says(*arguments):
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-xerror", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout, done.stderr


class MuxTest(TestCase):
    def mux(self, fixture, variant, tracks=("v", "a"), part_ms=0):
        """The folder with what was made, and the lines that it was made with."""
        folder = Path(tempfile.mkdtemp(dir=self.folder()))
        maps = [argument for track in tracks for argument in ("-map", f"0:{track}")]
        source = folder / "source.mp4"
        media.ffmpeg("-i", media.fixture(fixture), *maps, "-c", "copy", "-t", SECONDS, source)
        recording = folder / "recording"
        hls_mux.record(source, recording)
        with recording.open("rb") as stream:
            done = subprocess.run([media.ROOT / "build/release/tests/hls_mux", variant, "1000", str(part_ms), folder],
                                  stdin=stream, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return folder, done.stdout.splitlines()

    def folder(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        return holder.name

    def segments(self, folder, variant):
        """Each as it can be read alone, and all of them in a row."""
        kind = "ts" if variant == "mpegts" else "mp4"
        section = b"" if variant == "mpegts" else (folder / "init0.mp4").read_bytes()
        bodies = [path.read_bytes() for path in sorted(folder.glob(f"seg*.{kind}"), key=lambda path: int(path.stem[3:]))]
        alone = []
        for number, body in enumerate(bodies):
            alone.append(folder / f"alone{number}.{kind}")
            alone[-1].write_bytes(section + body)
        whole = folder / f"whole.{kind}"
        whole.write_bytes(section + b"".join(bodies))
        return alone, whole

    def times(self, path):
        """kind → [(PTS, DTS)] of the packets, in s."""
        found = {}
        streams = hls_mux.probe(path, "-show_streams")["streams"]
        for packet in hls_mux.probe(path, "-show_packets")["packets"]:
            kind = streams[packet["stream_index"]]["codec_type"]
            found.setdefault(kind, []).append((float(packet["pts_time"]), float(packet["dts_time"])))
        return found

    def check(self, fixture, variant, tracks=("v", "a"), part_ms=0):
        folder, lines = self.mux(fixture, variant, tracks, part_ms)
        alone, whole = self.segments(folder, variant)
        self.assertGreaterEqual(len(alone), SECONDS - 1)
        for path in [*alone[:-1], whole]:  # the last may hold too little to be recognised
            _, said = ffmpeg_says("-i", path, "-map", "0", "-f", "null", "-")
            self.assertEqual(said, "", path.name)
        codecs = [codec for codec in media.codecs(fixture) if media.kind(codec)[0] in tracks]
        sent, got = media.contents(folder / "source.mp4", codecs), media.contents(whole, codecs)
        for codec, before, after in zip(codecs, sent, got):
            self.assert_run(codec, before, after)
        self.compare_times(folder / "source.mp4", whole, variant)
        self.gstreamer(whole, codecs)
        self.check_parts([line.split() for line in lines if line.startswith("part ")])

    def assert_run(self, codec, before, after):
        """Everything from some frame on, which may be that at which video begins."""
        self.assertGreaterEqual(len(after), len(before) - 5, codec)
        self.assertEqual(after, before[len(before) - len(after):], codec)

    def compare_times(self, source, whole, variant):
        sent, got = self.times(source), self.times(whole)
        for kind, after in got.items():
            before = sent[kind][len(sent[kind]) - len(after):]
            # Only the first frame of a packet has a time of its own there; the fixture's are rounded to milliseconds.
            tolerance = 2 if kind == "video" or variant != "mpegts" else 95
            for wanted, found in zip(before, after):
                self.assertAlmostEqual(found[0], wanted[0] + ORIGIN_S, delta=tolerance * TICK_S, msg=kind)
                self.assertAlmostEqual(found[1], wanted[1] + ORIGIN_S, delta=tolerance * TICK_S, msg=kind)

    def gstreamer(self, whole, codecs):
        demuxer = "tsdemux" if whole.suffix == ".ts" else "qtdemux"
        branches = " ".join(f"d. ! queue ! {GSTREAMER[codec]} ! fakesink" for codec in codecs)
        command = f"gst-launch-1.0 -q filesrc location={whole} ! {demuxer} name=d {branches}".split()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), " ".join(command))

    def check_parts(self, parts):
        last = {segment: number for _, segment, number, *_ in parts}
        for _, segment, number, duration, _, _, target in parts:
            if target == "0":
                continue
            self.assertLessEqual(int(duration), int(target) + 1)
            if last[segment] != number:
                self.assertGreaterEqual(100 * int(duration) + 100, 85 * int(target))

    def test_mpegts(self):
        for fixture in ("h264_aac", "h264_b_aac", "h264_pyramid_aac"):
            with self.subTest(fixture):
                self.check(fixture, "mpegts")

    def test_fmp4(self):
        for fixture in ("h264_b_aac", "h264_pyramid_aac", "h265_aac", "h264_opus"):
            with self.subTest(fixture):
                self.check(fixture, "fmp4")

    def test_low_latency(self):
        for fixture in ("h264_b_aac", "h264_pyramid_aac", "h265_aac", "h264_opus"):
            with self.subTest(fixture):
                self.check(fixture, "lowLatency", part_ms=PART_MS)

    def test_one_track_alone(self):
        for variant, part_ms in (("mpegts", 0), ("fmp4", 0), ("lowLatency", PART_MS)):
            for tracks in (("v",), ("a",)):
                with self.subTest(variant=variant, tracks=tracks):
                    self.check("h264_b_aac", variant, tracks, part_ms)
