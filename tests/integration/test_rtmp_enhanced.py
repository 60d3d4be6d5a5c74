"""Enhanced RTMP in either direction, with a client of our own, since Debian's FFmpeg does not speak it: what is read is
what was published, frame by frame and to the millisecond, as test_rtmp_matrix.py has it."""

import threading
import time

import enhanced
import media
from rtmp import Client, Closed
from rtsp import wait_until_published
from test_rtmp_matrix import DISPLACED_BY_REPORTS_MS, RtmpTestCase

SECONDS = 9  # of the fixture that are published over RTMP
CHUNK = 60000


class Publisher(threading.Thread):
    """Publishes a fixture in real time, then leaves. `clock`: the timestamp of what comes after so many ms."""

    def __init__(self, sluice, name, path="cam", clock=lambda ms: ms):
        super().__init__(daemon=True)
        self.clock = clock
        self.messages, self.error = list(enhanced.messages(name, SECONDS)), None
        self.client = Client(sluice).begin("publish", path, fourCcList=["*"])
        self.client.wait_for_status("NetStream.Publish.Start")
        self.client.set_chunk_size(CHUNK)
        self.start()

    def run(self):
        try:
            started = time.monotonic()
            for kind, timestamp, payload in self.messages:
                time.sleep(max(0, started + timestamp / 1000 - time.monotonic()))
                self.client.send_media(kind, payload, self.clock(timestamp))
        except OSError as error:
            self.error = error
        self.client.close()


class Reader(threading.Thread):
    """Plays until the stream ends."""

    def __init__(self, sluice, codecs, path="cam", **facts):
        super().__init__(daemon=True)
        self.played, self.error = enhanced.Played(codecs), None
        self.client = Client(sluice).play(path, **(enhanced.facts(codecs, **facts)))
        self.start()

    def run(self):
        try:
            while True:
                self.played.take(*self.client.next_media())
        except Closed:
            pass
        except (AssertionError, OSError, KeyError) as error:
            self.error = error


class Enhanced(RtmpTestCase):
    def finish(self, publisher, *readers):
        publisher.join(SECONDS + 20)
        self.assertIsNone(publisher.error)
        for reader in readers:
            reader.join(10)
            self.assertIsNone(reader.error)
            self.assertFalse(reader.is_alive(), "the reader was not told that the stream has ended")
            reader.client.close()

    def check_rtmp_to_rtmp(self, fixture):
        """In the publisher's worker and in the other, announced as in either version."""
        sluice, codecs = self.rtmp_server(), media.codecs(fixture)
        publisher = Publisher(sluice, fixture)
        wait_until_published(sluice, "cam")
        readers = [Reader(sluice, codecs, version=1), Reader(sluice, codecs, version=2)]
        slots = {reader.client.slot() for reader in readers}
        while len(slots) < 2:
            readers.append(Reader(sluice, codecs))
            slots.add(readers[-1].client.slot())
        self.finish(publisher, *readers)
        source = enhanced.sources(fixture, SECONDS)
        for reader in readers:
            self.assertEqual(self.compare(source, reader.played.frames, codecs, True), [])
        return source, readers

    def check_rtmp_to_rtsp(self, fixture, options=()):
        sluice, codecs = self.rtmp_server(), media.codecs(fixture)
        publisher = Publisher(sluice, fixture)
        wait_until_published(sluice, "cam")
        output = sluice.folder / "read"
        process = self.read(sluice.url("cam"), codecs, output, output_options=options)
        self.finish(publisher)
        self.assertEqual(process.wait(10), 0, output.with_suffix(".log").read_text())
        complaints = self.check(fixture, output.read_text(), codecs, False, DISPLACED_BY_REPORTS_MS)
        self.assertEqual(complaints, [], output.with_suffix(".log").read_text()[-2000:])

    def check_rtsp_to_rtmp(self, fixture, options=()):
        sluice, codecs = self.rtmp_server(), media.codecs(fixture)
        process = self.publish(sluice, fixture, "rtsp", seconds=SECONDS, options=options)
        reader = Reader(sluice, codecs)
        self.assertEqual(process.wait(SECONDS + 20), 0, (sluice.folder / "publisher.log").read_text())
        reader.join(10)
        self.assertIsNone(reader.error)
        self.assertEqual(self.compare(enhanced.sources(fixture, SECONDS + 1), reader.played.frames, codecs, False), [])

    def test_h265_aac_from_rtmp_to_rtmp(self):
        self.check_rtmp_to_rtmp("h265_aac")

    def test_h265_opus_from_rtmp_to_rtmp(self):
        self.check_rtmp_to_rtmp("h265_opus")

    def test_av1_opus_from_rtmp_to_rtmp(self):
        self.check_rtmp_to_rtmp("av1_opus")

    def test_vp9_opus_from_rtmp_to_rtmp(self):
        self.check_rtmp_to_rtmp("vp9_opus")

    def test_h265_aac_from_rtmp_to_rtsp(self):
        self.check_rtmp_to_rtsp("h265_aac")

    def test_h265_opus_from_rtmp_to_rtsp(self):
        self.check_rtmp_to_rtsp("h265_opus")

    def test_vp9_opus_from_rtmp_to_rtsp(self):
        self.check_rtmp_to_rtsp("vp9_opus", ["-copyinkf"])  # FFmpeg's depacketizer does not tell key frames

    def test_h265_aac_from_rtsp_to_rtmp(self):
        self.check_rtsp_to_rtmp("h265_aac")

    def test_h265_opus_from_rtsp_to_rtmp(self):
        self.check_rtsp_to_rtmp("h265_opus")

    def test_vp9_opus_from_rtsp_to_rtmp(self):
        self.check_rtsp_to_rtmp("vp9_opus", ("-strict", "experimental"))

    def test_several_sounds_for_who_takes_them(self):
        """Opus, FLAC and AC-3 beside H264; who does not say that it takes several gets the first."""
        sluice, codecs = self.rtmp_server(), media.codecs("three_sounds")
        publisher = Publisher(sluice, "three_sounds")
        wait_until_published(sluice, "cam")
        several, one = Reader(sluice, codecs, multitrack=True), Reader(sluice, codecs)
        flac, none = Reader(sluice, ("h264", "flac")), Reader(sluice, ("h264",), version=1)
        self.finish(publisher, several, one, flac, none)
        source = enhanced.sources("three_sounds", SECONDS)
        self.assertEqual(self.compare(source, several.played.frames, codecs, True), [])
        self.assertEqual(several.played.tracks, {"h264": 0, "opus": 0, "flac": 1, "ac3": 2})
        self.assertEqual(several.played.configurations["flac"], enhanced.packets("three_sounds", SECONDS)[0]["flac"])
        for reader, tracks in ((one, ("h264", "opus")), (flac, ("h264", "flac")), (none, ("h264",))):
            self.assertEqual(self.compare(source, reader.played.frames, tracks, True), [])
            self.assertEqual(set(reader.played.tracks), set(tracks))

    def test_what_the_server_says_of_itself(self):
        """Only to who speaks of enhanced RTMP."""
        sluice = self.rtmp_server()
        with Client(sluice).connect() as old, Client(sluice).connect(**enhanced.facts(["hevc"], 2)) as new:
            self.assertNotIn("videoFourCcInfoMap", old.server_facts)
            self.assertEqual(set(new.server_facts["videoFourCcInfoMap"]), {"avc1", "hvc1", "av01", "vp09", "vp08"})
            self.assertEqual(set(new.server_facts["audioFourCcInfoMap"]), {"mp4a", "Opus", "fLaC", "ac-3", ".mp3"})
