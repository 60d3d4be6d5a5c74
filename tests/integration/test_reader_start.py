"""readerStart: keyframe. A reader begins with the newest key frame that the stream still holds, over UDP at a pace, and
what is said about its first packets is true."""

import hashlib
import re
import struct
import subprocess
import time

import clients
import media
from harness import TestCase, wait_until
from rtsp import Client, Source, UdpPair, expect, payload_number, rtcp_packets, rtp_sequence, sender_report, wait_until_published

KEYFRAME = {"readerStart": "keyframe"}


def rtp_info(response):
    """(seq, rtptime) of each track."""
    found = re.findall(r"trackID=(\d+);seq=(\d+);rtptime=(\d+)", response["RTP-Info"])
    return {int(track): (int(seq), int(time)) for track, seq, time in found}


def rtp_time(packet):
    return struct.unpack(">I", packet[4:8])[0]


class Beginning(TestCase):
    def publish(self, server, path="cam", tracks=1, group=10):
        publisher = Client(server).publish(path, tracks=tracks)
        self.addCleanup(publisher.close)
        return publisher, Source(group=group)

    def send(self, publisher, source, pictures, channel=0, size=200, pause_s=0.0):
        for _ in range(pictures):
            publisher.send_frame(channel, source.next(size))
            time.sleep(pause_s)
        publisher.request("OPTIONS", "*")  # answered once all that was received

    def reader(self, server):
        reader = Client(server)
        self.addCleanup(reader.close)
        return reader

    def test_the_newest_key_frame_comes_first_and_rtp_info_says_so(self):
        server = self.server(KEYFRAME)
        publisher, source = self.publish(server)
        self.send(publisher, source, 27)
        for _ in range(2 * server.configuration["rtspWorkers"]):
            reader = self.reader(server)
            self.assertEqual(rtp_info(reader.play("cam")), {0: (1020, 60000)})
            self.assertEqual([payload_number(reader.media_frame()) for _ in range(7)], list(range(20, 27)))
        self.send(publisher, source, 5)
        self.assertEqual([payload_number(reader.media_frame()) for _ in range(5)], list(range(27, 32)))

    def test_before_the_first_key_frame_readers_begin_live(self):
        server = self.server(KEYFRAME)
        publisher, source = self.publish(server)
        source.number = 1
        self.send(publisher, source, 5)
        reader = self.reader(server)
        reader.play("cam")
        self.send(publisher, source, 5)
        self.assertEqual([payload_number(reader.media_frame()) for _ in range(5)], list(range(6, 11)))

    def test_by_default_and_where_a_path_says_so_readers_begin_live(self):
        for configuration in ({}, {**KEYFRAME, "paths": {"all": {}, "cam": {"readerStart": "live"}}}):
            server = self.server(configuration)
            publisher, source = self.publish(server)
            self.send(publisher, source, 25)
            reader = self.reader(server)
            self.assertEqual(rtp_info(reader.play("cam"))[0][0], 1025)
            self.send(publisher, source, 5)
            self.assertEqual([payload_number(reader.media_frame()) for _ in range(5)], list(range(25, 30)))

    def test_a_path_may_begin_with_key_frames_alone(self):
        server = self.server({"paths": {"all": {}, "cam": KEYFRAME}})
        for path, first in (("cam", 20), ("other", 25)):
            publisher, source = self.publish(server, path)
            self.send(publisher, source, 25)
            reader = self.reader(server)
            reader.play(path)
            self.send(publisher, source, 1)
            self.assertEqual(payload_number(reader.media_frame()), first)

    def test_a_pause_ends_with_a_key_frame_too(self):
        server = self.server(KEYFRAME)
        publisher, source = self.publish(server)
        self.send(publisher, source, 3)
        reader = self.reader(server)
        reader.play("cam")
        expect(reader.request("PAUSE", "cam"), 200)
        reader.frames.clear()
        self.send(publisher, source, 20)
        self.assertEqual(rtp_info(expect(reader.request("PLAY", "cam"), 200)), {0: (1020, 60000)})
        self.assertEqual([payload_number(reader.media_frame()) for _ in range(3)], [20, 21, 22])

    def test_nobody_begins_before_the_publisher_s_own_pause(self):
        """He would be late by it ever after."""
        server = self.server(KEYFRAME)
        publisher, source = self.publish(server)
        self.send(publisher, source, 13)
        expect(publisher.request("PAUSE", "cam"), 200)
        expect(publisher.request("RECORD", "cam"), 200)
        self.send(publisher, source, 3)
        reader = self.reader(server)
        reader.play("cam")
        self.send(publisher, source, 7)
        self.assertEqual([payload_number(reader.media_frame()) for _ in range(7)], list(range(16, 23)))
        late = self.reader(server)
        late.play("cam")
        self.assertEqual(payload_number(late.media_frame()), 20)

    def test_what_is_said_about_other_tracks_is_what_comes(self):
        """Two tracks, of which the second's key frames come earlier than the first's."""
        server = self.server(KEYFRAME)
        publisher, source = self.publish(server, tracks=2)
        other = Source(ssrc=0x55667788, first=30000)
        other.number = 3  # its key frame comes before the first track's
        for _ in range(15):
            self.send(publisher, source, 1)
            self.send(publisher, other, 1, channel=2)
        reader = self.reader(server)
        told = rtp_info(reader.play("cam", tracks=2))
        first, reports = {}, {}
        while len(first) < 2:
            channel, data = reader.frame()
            if channel % 2 == 0:
                first.setdefault(channel // 2, data)
            else:
                reports.setdefault(channel // 2, dict(rtcp_packets(data))[200])
        self.assertEqual({track: rtp_sequence(packet) for track, packet in first.items()},
                         {track: seq for track, (seq, _) in told.items()})
        self.assertEqual([payload_number(first[track]) for track in (0, 1)], [10, 13])
        self.assertEqual(told[0][1], rtp_time(first[0]))
        self.assertEqual(sorted(reports), [0, 1])
        for track, report in reports.items():  # they are about the same moment as RTP-Info
            self.assertLess(abs(struct.unpack(">I", report[16:20])[0] - told[track][1]), 90000)

    def test_what_is_said_goes_by_the_publishers_clock_where_reports_do(self):
        """Its pictures were taken 2 s before its report, which comes with the last of them."""
        server = self.server({**KEYFRAME, "paths": {"all": {"useAbsoluteTimestamp": True}}})
        publisher, source = self.publish(server, tracks=2, group=10**9)
        other = Source(ssrc=0x55667788, first=30000, group=10**9)
        for _ in range(60):
            self.send(publisher, source, 1, pause_s=0.03)
            self.send(publisher, other, 1, channel=2)
        ntp = 4_133_980_800 << 32
        for channel, each in ((1, source), (3, other)):
            publisher.send_frame(channel, sender_report(each.ssrc, 3000 * 59, ntp=ntp))
        self.send(publisher, source, 1)
        self.send(publisher, other, 1, channel=2)
        reader = self.reader(server)
        told = rtp_info(reader.play("cam", tracks=2))
        reports = {}
        while len(reports) < 2:
            channel, data = reader.frame()
            if channel % 2 == 1:
                reports.setdefault(channel // 2, dict(rtcp_packets(data))[200])
        for track, report in reports.items():
            at, time_told = struct.unpack(">QI", report[8:20])
            self.assertAlmostEqual((ntp - at) / 2**32, (3000 * 59 - time_told) / 90000, places=3)
            self.assertAlmostEqual(time_told, told[track][1], delta=9000)
        self.assertLess(abs(told[1][1] - told[0][1]), 45000)  # the reports did not come at quite the same time

    def test_a_ring_that_was_replaced_still_has_the_key_frame(self):
        server = self.server({**KEYFRAME, "readBufferCount": 256})
        publisher, source = self.publish(server, group=10**9)
        for _ in range(30):
            self.send(publisher, source, 50, size=1300)
            time.sleep(0.02)  # a writer that waits for its larger ring is not outrun
            fresh = self.reader(server)
            fresh.play("cam")
            self.assertEqual([payload_number(fresh.media_frame()) for _ in range(40)], list(range(40)))
            fresh.close()

    def test_over_udp_what_was_held_comes_at_a_pace(self):
        server = self.server(KEYFRAME)
        publisher, source = self.publish(server, group=10**9)
        self.send(publisher, source, 60, pause_s=0.02)
        pair = UdpPair()
        self.addCleanup(pair.close)
        reader = self.reader(server)
        self.assertEqual(rtp_info(reader.play("cam", transports=[pair.transport])), {0: (1000, 0)})
        numbers, times = [], []
        for _ in range(60):
            numbers.append(payload_number(pair.rtp.recv(2000)))
            times.append(time.monotonic())
        self.assertEqual(numbers, list(range(60)))
        # It took 1.2 s to come in: the server can't have sent it in much less than half of that.
        self.assertGreater(times[-1] - times[0], 0.45)
        self.send(publisher, source, 5)
        self.assertEqual([payload_number(pair.rtp.recv(2000)) for _ in range(5)], list(range(60, 65)))

    def test_over_udp_the_rest_comes_after_the_publisher_has_gone(self):
        server = self.server(KEYFRAME)
        publisher, source = self.publish(server, group=10**9)
        self.send(publisher, source, 60, pause_s=0.02)
        pair = UdpPair()
        self.addCleanup(pair.close)
        reader = self.reader(server)
        reader.play("cam", transports=[pair.transport])
        expect(publisher.request("TEARDOWN", "cam"), 200)
        self.assertEqual([payload_number(pair.rtp.recv(2000)) for _ in range(60)], list(range(60)))
        server.wait_for_log(r"destroyed \(terminated\)")


class Pictures(TestCase):
    """Real players in the midst of a group of pictures of 8 s: the first frame is a key frame, and whole."""

    long = True

    def publish(self):
        server = self.server(KEYFRAME)
        self.start(clients.PUBLISHERS["ffmpeg"]("long_gop", server.url("cam"), "tcp"))
        wait_until_published(server, "cam")
        time.sleep(4)
        return server

    def check(self, frames):
        source = media.decoded("long_gop")
        self.assertIn(frames[0], source[::240], "the first frame is no key frame of the source's")
        start = source.index(frames[0])
        wanted = source[start : start + len(frames)]
        self.assertEqual(frames, wanted)

    def ffmpeg(self, transport):
        server, started = self.publish(), time.monotonic()
        reader = self.start(
            ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-xerror", "-err_detect", "explode",
             "-analyzeduration", "200000", "-rtsp_transport", transport, "-buffer_size", "2000000", "-i", server.url("cam"),
             "-map", "0:v", "-fps_mode", "passthrough", "-frames:v", "200", "-flush_packets", "1", "-f", "framemd5", "-"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        frames = []
        for line in reader.stdout:
            if line.startswith("#"):
                continue
            if not frames:
                print(f"ffmpeg over {transport}: first frame after {time.monotonic() - started:.2f} s")
            frames.append(line.split(",")[5].strip())
        self.assertEqual(reader.wait(20), 0, reader.stderr.read())
        self.assertEqual(len(frames), 200)
        self.check(frames)

    def test_ffmpeg_over_tcp(self):
        self.ffmpeg("tcp")

    def test_ffmpeg_over_udp(self):
        self.ffmpeg("udp")

    def gstreamer(self, transport):
        server, started = self.publish(), time.monotonic()
        output = server.folder / "frames"
        size = 320 * 240 * 3 // 2
        reader = self.start(
            ["gst-launch-1.0", "-q", "rtspsrc", f"location={server.url('cam')}", f"protocols={transport}", "latency=200",
             "udp-buffer-size=2000000", "!", "application/x-rtp,media=video", "!", "rtph264depay", "!", "h264parse", "!",
             "avdec_h264", "output-corrupt=true", "!", "video/x-raw,format=I420", "!", "filesink", "buffer-mode=unbuffered",
             f"location={output}"])
        length = lambda: output.stat().st_size // size if output.exists() else 0
        wait_until(lambda: length() > 0, 30, "a frame")
        print(f"gstreamer over {transport}: first frame after {time.monotonic() - started:.2f} s")
        wait_until(lambda: length() >= 200, 60, "200 frames")
        self.assertIsNone(reader.poll())
        data = output.read_bytes()[: 200 * size]
        self.check([hashlib.md5(data[i : i + size]).hexdigest() for i in range(0, len(data), size)])

    def test_gstreamer_over_tcp(self):
        self.gstreamer("tcp")

    def test_gstreamer_over_udp(self):
        self.gstreamer("udp")

    def aligned(self, name, transport):
        """Both tracks, as the player puts them together: what was said about the first packets is what it goes by."""
        server = self.publish()
        output = server.folder / "out.mkv"
        reader = self.start(clients.READERS[name]("long_gop", "ffmpeg", server.url("cam"), transport, output))
        wait_until(lambda: output.exists() and output.stat().st_size > 300_000, 60, "some seconds of media")
        reader.send_signal(2)
        reader.wait(20)
        offsets = {}
        for codec in media.codecs("long_gop"):
            source = dict(media.frame_times(media.fixture("long_gop"), codec))
            times = [(frame, at) for frame, at in media.frame_times(output, codec) if frame in source]
            offsets[codec] = times[5][1] - source[times[5][0]]
        print(f"{name} over {transport}: audio is {offsets['aac'] - offsets['h264']:+.3f} s off")
        self.assertLess(abs(offsets["aac"] - offsets["h264"]), 1)  # the key frame was 4 s old

    def test_ffmpeg_keeps_tracks_together_over_tcp(self):
        self.aligned("ffmpeg", "tcp")

    def test_ffmpeg_keeps_tracks_together_over_udp(self):
        self.aligned("ffmpeg", "udp")

    def test_gstreamer_keeps_tracks_together_over_udp(self):
        self.aligned("gstreamer", "udp")
