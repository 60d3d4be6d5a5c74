"""Pictures that are larger than the ring is at first: none loses its front, the first one included."""

import threading
import time

from rtmp import VIDEO, VIDEO_CONFIGURATION, Client, picture
from test_rtmp import RtmpClients

LARGE = 3 << 20  # bytes; the ring has 1 MiB by default, an RTMP message at most 4


class Pictures(threading.Thread):
    """Publishes `count` numbered pictures, twenty a second, a key frame every `group`. Those in `large` are large ones."""

    def __init__(self, server, count, large, group):
        super().__init__(daemon=True)
        self.count, self.large, self.group, self.error = count, large, group, None
        self.client = Client(server).publish("cam", video=False)
        self.client.set_chunk_size(65536)
        self.client.send_media(VIDEO, VIDEO_CONFIGURATION, 0)
        self.start()

    def run(self):
        try:
            started = time.monotonic()
            for number in range(self.count):
                time.sleep(max(0, started + number / 20 - time.monotonic()))
                large = number in self.large
                self.client.send_media(VIDEO, picture(number, large or number % self.group == 0, LARGE if large else 100), number * 50)
        except OSError as error:
            self.error = error


class LargePictures(RtmpClients):
    def pictures(self, sluice, count, large, group=20):
        pictures = Pictures(sluice, count, large, group)
        self.addCleanup(pictures.client.close)
        return pictures

    def numbers(self, client, last):
        """Of what comes up to the last, as number_of() finds them: none is torn."""
        found = []
        while not found or found[-1] < last:
            found.append(client.next_frame()[2])
        return found

    def in_both_workers(self, sluice):
        readers = [self.player(sluice)]
        while len({reader.slot() for reader in readers}) < 2:
            readers.append(self.player(sluice))
        return readers

    def test_one_that_comes_to_readers_that_are_there(self):
        sluice = self.rtmp_server()
        pictures = self.pictures(sluice, 130, (105,))
        for reader in self.in_both_workers(sluice):
            found = self.numbers(reader, 125)
            self.assertLess(found[0], 105, "it began too late to tell anything")
            self.assertEqual(found, list(range(found[0], found[0] + len(found))))
        pictures.join(20)
        self.assertIsNone(pictures.error)

    def test_the_first_one(self):
        sluice = self.rtmp_server({"readerStart": "keyframe"})
        pictures = self.pictures(sluice, 60, (0,), group=1000)
        self.assertEqual(self.numbers(self.player(sluice), 50), list(range(51)))
        pictures.join(20)
        self.assertIsNone(pictures.error)

    def test_where_no_larger_ring_is_to_be_had_the_stream_goes_on(self):
        sluice = self.rtmp_server({"ringMaxSize": "1M"})
        pictures = self.pictures(sluice, 100, (0, 30))
        reader = self.player(sluice)
        found = self.numbers(reader, 95)
        self.assertEqual(found[-30:], list(range(found[-1] - 29, found[-1] + 1)))
        pictures.join(20)
        self.assertIsNone(pictures.error)
