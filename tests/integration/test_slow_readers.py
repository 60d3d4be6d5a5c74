"""Readers that can't keep up over TCP: what they get is whole packets in order, and where the stream overtook them they
go on at a random access point."""

import time

from harness import TestCase
from rtsp import Client, Source, expect, payload_number, rtp_sequence


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
                if source.number % 50 == 0:
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
