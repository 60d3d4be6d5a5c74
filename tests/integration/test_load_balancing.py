"""Servers that send readers to others: real players follow, and get every frame from where they were sent to."""

import re

import clients
import media
from harness import TestCase, wait_until
from readings import Reading, complaints, finish
from rtsp import wait_until_published

FIXTURE = "h264_b_aac"
SECONDS = 10  # to be equal, at least


class LoadBalancing(TestCase):
    long = True

    def test_players_follow_redirects_and_fallbacks(self):
        second = self.server()
        first = self.server({"paths": {
            "redirect": {"source": "redirect", "sourceRedirect": second.url("cam")},
            "fallback-url": {"fallback": second.url("cam")},
            "fallback-path": {"fallback": "/near"},
            "all": {},
        }})
        first.folder.chmod(0o777)
        publishers = []
        for url in (second.url("cam"), first.url("near")):
            with (first.folder / f"publisher{len(publishers)}.log").open("wb") as log:
                publishers.append(self.start(clients.ffmpeg_publisher(FIXTURE, url, "tcp"), stdout=log, stderr=log))
        wait_until_published(second, "cam")
        wait_until_published(first, "near")
        readings = [
            Reading(self, first, "ffmpeg", FIXTURE, client, by, path)
            for client in clients.readers(FIXTURE) for by in ("tcp", "udp") for path in ("redirect", "fallback-url", "fallback-path")
        ]
        transports = sorted(["TCP", "UDP"] * (len(readings) // 6))

        def came_to(server, path):
            return sorted(re.findall(rf"is reading from path '{path}', 2 tracks with (\w+)", server.log()))

        wait_until(lambda: (came_to(first, "near"), came_to(second, "cam")) == (transports, sorted(2 * transports)),
                   media.SECONDS - SECONDS, "all read from where they were sent to")
        for publisher in publishers:
            self.assertEqual(publisher.wait(media.SECONDS + 10), 0)
        finish(readings)
        self.assertEqual(complaints(readings, SECONDS), {})
        self.assertEqual(len(re.findall("is reading from", first.log() + second.log())), len(readings))
