"""What tests of pulled streams have in common: servers that pull, and what there is to be pulled."""

import threading

import clients
import media
from harness import TestCase
from rtsp import Client, Source, payload_number, wait_until_published


class Feed(threading.Thread):
    """Publishes numbered pictures, fifty a second, until it is stopped."""

    def __init__(self, server, path, tracks=1):
        super().__init__(daemon=True)
        self.client = Client(server).publish(path, tracks)
        self.source, self.stopping = Source(), threading.Event()
        self.start()

    def run(self):
        while not self.stopping.wait(0.02):
            self.client.send_frame(0, self.source.next())

    def stop(self):
        self.stopping.set()
        self.join(5)
        self.client.close()


class PullTestCase(TestCase):
    def puller(self, *upstreams, path="cam", configuration=None, **parameters):
        paths = {}
        for i, upstream in enumerate(upstreams):
            url = upstream if isinstance(upstream, str) else upstream.url(path)
            paths[path if i == 0 else f"{path}{i}"] = {"source": url, **parameters}
        return self.server({"paths": paths, "api": True, **(configuration or {})})

    def feed(self, server, path="cam", tracks=1):
        feed = Feed(server, path, tracks)
        self.addCleanup(feed.stop)
        return feed

    def reader(self, server, path="cam", **more):
        wait_until_published(server, path)
        client = Client(server, **more)
        self.addCleanup(client.close)
        client.play(path)
        return client

    def ready(self, server, path="cam"):
        return server.api().paths()[path]["sourceReady"]

    def check_numbers(self, client, count=50):
        numbers = [payload_number(client.media_frame()) for _ in range(count)]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + count)))

    def check_film(self, fixture, first, last):
        """Published by FFmpeg at the one, read at the other by FFmpeg. The end of the film is the end for all, if there is
        no sourceReconnectGrace."""
        output = last.folder / "read.mkv"
        with (last.folder / "publisher.log").open("wb") as log:
            publisher = self.start(clients.ffmpeg_publisher(fixture, first.url("cam"), "tcp"), stdout=log, stderr=log)
        wait_until_published(last, "cam")
        reader = self.start(clients.ffmpeg_reader(fixture, "ffmpeg", last.url("cam"), "tcp", output))
        self.assertEqual(publisher.wait(media.SECONDS + 10), 0)
        self.assertEqual(reader.wait(15), 0)
        self.assertEqual(media.check(fixture, output), [])
