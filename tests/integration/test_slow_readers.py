"""Readers that can't keep up over TCP: what they get is whole access units in order, and where the stream overtook them
they go on at a random access point."""

import os
import re
import signal
import struct
import subprocess
import time

import clients
from h264 import AccessUnits
from harness import TestCase
from rtsp import Client, Source, UdpPair, expect, parameter_sets_of, payload_number, rtp, rtp_sequence, wait_until_published


class SlowReaders(TestCase):
    def start_server(self, configuration):
        return self.server(configuration)

    def reader(self, server):
        return Client(server, receive_buffer=65536)

    def check(self, channel, tracks=1):
        """Reads in bursts with pauses while 8 MB go by, through a ring of 1 MB."""
        server = self.start_server({"rtspWorkers": 2, "ringMaxSize": "1M", "writeTimeout": "20s"})
        publisher, source = Client(server).publish("cam", tracks=tracks), Source()
        slow = self.reader(server)
        self.addCleanup(publisher.close)
        self.addCleanup(slow.close)
        expect(slow.setup("cam", 0, f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"), 200)
        expect(slow.request("PLAY", "cam"), 200)
        numbers = []
        for _ in range(6):
            for _ in range(1000):
                publisher.send_frame(0, source.next(1300))
                if source.number % 10 == 0:  # the readers' workers get to look in time, also on a busy machine
                    time.sleep(0.005)
            for _ in range(60):
                numbers.append(self.take(slow, channel))
        publisher.send_frame(0, source.next(1300))
        while numbers[-1] != source.number - 1:
            numbers.append(self.take(slow, channel))
        self.assertEqual(numbers[0], 0)
        gaps = [(a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1]
        for before, after in gaps:
            self.assertGreater(after, before)
            self.assertTrue(after % 10 == 0 or after == source.number - 1, f"went on at {after}, no random access point")
        self.assertNotEqual(gaps, [], "it was never overtaken: the test tests nothing")

    def test_where_the_ring_holds_no_whole_group_of_pictures_it_waits_for_the_next(self):
        group = 1000  # 1.3 MB
        server = self.server({"ringMaxSize": "1M", "writeTimeout": "20s"})
        publisher, source = Client(server).publish("cam"), Source(group=group)
        slow = Client(server, receive_buffer=65536)
        self.addCleanup(publisher.close)
        self.addCleanup(slow.close)
        slow.play("cam")
        for _ in range(6 * group + group // 2):
            publisher.send_frame(0, source.next(1300))
            if source.number % 10 == 0:
                time.sleep(0.005)
        numbers = [self.take(slow, 0)]
        while numbers[-1] < 6 * group:
            numbers.append(self.take(slow, 0))
        gaps = [(a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1]
        self.assertNotEqual(gaps, [], "it was never overtaken: the test tests nothing")
        for _, after in gaps:
            self.assertEqual(after % group, 0)

    def test_a_track_that_brings_little_does_not_end_who_waits(self):
        """Its unit counts as begun until its next one, while the ring turns over several times."""
        group = 8000  # 10.4 MB
        server = self.server({"ringMaxSize": "1M", "writeTimeout": "20s"})
        publisher, source = Client(server).publish("cam", tracks=2), Source(group=group)
        slow = Client(server, receive_buffer=65536)
        self.addCleanup(publisher.close)
        self.addCleanup(slow.close)
        slow.play("cam", 2)
        publisher.send_frame(2, rtp(1, 1, b"\x65little", 0x99))
        self.assertEqual(slow.media_frame()[-6:], b"little")
        for _ in range(group + 1):
            publisher.send_frame(0, source.next(1300))
            if source.number % 10 == 0:
                time.sleep(0.005)
            if source.number >= 6000:  # more than the kernels and the ring hold: from here on it reads
                slow.frame(0.0001)
        self.assertNotIn("destroyed", server.log())
        slow.frames.clear()
        publisher.send_frame(2, rtp(2, 2, b"\x65more", 0x99))
        while (frame := slow.frame(10))[0] != 2:
            pass
        self.assertEqual(frame[1][-4:], b"more")
        self.assertRegex(server.log(), "too slow")

    def take(self, client, channel):
        while True:
            frame = client.frame(10)
            self.assertIsNotNone(frame)
            if frame[0] != channel:
                self.assertEqual(frame[0], channel + 1)  # sender reports
                continue
            number = payload_number(frame[1])
            self.assertEqual(rtp_sequence(frame[1]), (1000 + number) & 0xFFFF)
            return number

    def test_a_slow_reader_gets_whole_packets_and_skips_to_random_access_points(self):
        self.check(channel=0)

    def test_a_slow_reader_with_channels_of_its_own_does_too(self):
        self.check(channel=4)

    def test_a_slow_reader_of_one_of_two_tracks_does_too(self):
        self.check(channel=0, tracks=2)


class Overtaken(TestCase):
    """The reading worker is stopped in the midst of an access unit, while so many bytes go through a ring of 1 MiB."""

    def begin(self, transport):
        self.shop = self.server({"ringMaxSize": "1M", "writeTimeout": "20s"})
        self.publisher = Client.on_slot(self.shop, 0).publish("cam")
        self.reader = Client.on_slot(self.shop, 1)
        self.addCleanup(self.publisher.close)
        self.addCleanup(self.reader.close)
        self.pair = UdpPair()
        self.addCleanup(self.pair.close)
        self.reader.play("cam", transports=[self.pair.transport] if transport == "udp" else None)
        self.number = 0

    def send(self, packets):
        """Of pictures of four packets each, every tenth one an IDR."""
        for _ in range(packets):
            picture, part = divmod(self.number, 4)
            kind = 5 if picture % 10 == 0 else 1
            fragment = (0x80 if part == 0 else 0) | (0x40 if part == 3 else 0) | kind
            payload = bytes([0x7C, fragment]) + struct.pack(">I", self.number) + bytes(1300)
            self.publisher.send_frame(0, rtp(self.number, 3000 * picture, payload, marker=part == 3))
            self.number += 1
        self.publisher.request("OPTIONS", "*")  # all is in the ring

    def take(self, transport):
        packet = self.reader.media_frame() if transport == "tcp" else self.pair.rtp.recv(2000)
        return struct.unpack(">I", packet[14:18])[0]

    def stopped(self, packets):
        worker = self.shop.workers()[1]
        os.kill(worker, signal.SIGSTOP)
        try:
            self.send(packets)
        finally:
            os.kill(worker, signal.SIGCONT)

    def check(self, transport):
        self.begin(transport)
        self.send(6)
        self.assertEqual([self.take(transport) for _ in range(6)], list(range(6)))
        self.stopped(650)  # 0.85 MB
        self.assertEqual([self.take(transport) for _ in range(2)], [6, 7])
        newest = 40 * ((self.number - 1) // 40)
        self.assertEqual([self.take(transport) for _ in range(8)], list(range(newest, newest + 8)))
        expect(self.reader.request("TEARDOWN", "cam"), 200)
        self.shop.wait_for_log(rf"was too slow: {newest - 8} packets left out in 1 gap\n.*destroyed")

    def test_over_tcp_what_was_begun_is_completed(self):
        self.check("tcp")

    def test_over_udp_what_was_begun_is_completed(self):
        self.check("udp")

    def test_where_it_can_not_be_completed_the_session_ends(self):
        self.begin("tcp")
        self.send(6)
        self.assertEqual([self.take("tcp") for _ in range(6)], list(range(6)))
        self.stopped(900)  # 1.2 MB
        self.assertEqual(self.reader.wait_until_closed(10), b"")
        self.shop.wait_for_log("overtaken by the stream in the midst of an access unit")


class Throttled(TestCase):
    """A stream of 8 Mbit/s through a small ring to clients that take less."""

    long = True

    def publish(self, **configuration):
        server = self.server({"readerStart": "keyframe", "readBufferCount": 256, "ringMaxSize": "1M", **configuration})
        self.start(clients.PUBLISHERS["ffmpeg"]("noise", server.url("cam"), "tcp"))
        self.sdp = wait_until_published(server, "cam")
        return server

    def reader(self, server, transport=None, **more):
        reader = Client(server, receive_buffer=65536, **more)
        self.addCleanup(reader.close)
        expect(reader.setup("cam", 0, transport), 200)
        expect(reader.request("PLAY", "cam"), 200)
        return reader

    @staticmethod
    def take(reader, bytes_per_s, seconds):
        """Frames, read at this rate."""
        frames, started, taken = [], time.monotonic(), 0
        while time.monotonic() < started + seconds:
            frame = reader.frame(5)
            if frame is None:
                break
            frames.append(frame)
            taken += len(frame[1])
            time.sleep(max(0, started + taken / bytes_per_s - time.monotonic()))
        return frames

    def decode(self, units):
        """The number of pictures; any complaint of the decoder is a failure."""
        done = subprocess.run(
            ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-err_detect", "explode", "-xerror", "-f", "h264",
             "-i", "-", "-fps_mode", "passthrough", "-f", "framemd5", "-"],
            input=units.annex_b(parameter_sets_of(self.sdp)), capture_output=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr.decode()), (0, ""))
        return sum(not line.startswith(b"#") for line in done.stdout.splitlines())

    def check(self, transport, channel, **configuration):
        server = self.publish(**configuration)
        reader = self.reader(server, transport, segment=1400)
        frames = self.take(reader, 600_000, 15)
        units = AccessUnits()
        for number, data in frames:
            self.assertIn(number, (channel, channel + 1))
            if number == channel:
                units.add(data)
        self.assertTrue(units.begins_with_idr(0))
        self.assertGreater(len(units.gaps), 2, "it was never too slow: the test tests nothing")
        for index, _ in units.gaps:
            if index == len(units.units):
                continue  # the unit after it was not read to its end
            self.assertTrue(units.begins_with_idr(index), f"unit {index} comes after a gap and is no key frame")
        self.assertEqual(self.decode(units), len(units.units))
        reader.close()
        line = server.wait_for_log(r"\[session (\d+)\] was too slow: (\d+) packets left out in (\d+) gaps?\n.*\[session \1\] destroyed")
        self.assertEqual(len(re.findall(rf"WAR .*session {line.group(1)}\] is too slow", server.log())), 1, server.log())
        # What the server has skipped may still have been on its way to the client.
        self.assertGreaterEqual(int(line.group(3)), len(units.gaps))
        self.assertGreaterEqual(int(line.group(2)), sum(missing for _, missing in units.gaps))

    def test_what_a_throttled_client_gets_decodes_without_errors(self):
        self.check(None, 0)

    def test_with_channels_of_its_own_too(self):
        self.check("RTP/AVP/TCP;unicast;interleaved=6-7", 6)

    def test_one_that_stops_reading_is_dropped_and_others_notice_nothing(self):
        server = self.publish(writeTimeout="2s")
        stopped, reading = self.reader(server), self.reader(server)
        units = AccessUnits()
        closed = lambda: "write timeout: the client does not read" in server.log()
        deadline = time.monotonic() + 20
        while not closed() and time.monotonic() < deadline:
            number, data = reading.frame()
            if number == 0:
                units.add(data)
        self.assertTrue(closed(), server.log())
        self.assertEqual(units.gaps, [])
        stopped.wait_until_closed(10)

    def test_a_trickle_is_progress(self):
        """Far less than what makes a socket writable within writeTimeout."""
        server = self.publish(writeTimeout="3s")
        trickling = self.reader(server)
        self.take(trickling, 50_000, 14)
        self.assertEqual(expect(trickling.request("OPTIONS", "cam"), 200).status, 200)
        self.assertNotIn("write timeout", server.log())
