"""The matrix: clients that publish and read × transports × codecs. Each publication is read by every client by every
transport at once, by each transport in both workers: the publisher's and the other. What they read is what was
published, frame by frame. In a network of its own, since multicast needs one.

    publish    FFmpeg, GStreamer           by TCP, UDP, TLS
    read       FFmpeg, GStreamer, VLC      by TCP, UDP, multicast, TLS (VLC where it can: see clients.py)
    codecs     H264 with and without B-frames, H265, VP8, VP9, MJPEG; AAC, Opus, PCMA, PCMU"""

import re
import subprocess
import time

import clients
import media
from harness import TestCase, unread_bytes, wait_until
from namespaces import Network
from readings import Reading, complaints, finish
from rtsp import Client, wait_until_published
from tls import make_certificate

FIXTURES = ("h264_b_aac", "h264_opus", "h265_aac", "vp8_pcma", "vp9_mjpeg_pcmu")
SECONDS = 10  # to be equal, at least
BEGIN_S = 4  # of a reader, from its connection to its first whole picture
ATTEMPTS = 3


def all_tracks_flow(sluice, path, tracks):
    """Whether each track brings a dozen packets soon; the slowest has 30 a second."""
    with Client(sluice) as client:
        client.play(path, tracks)
        counts, until = [0] * tracks, time.monotonic() + 3
        while min(counts) < 12 and time.monotonic() < until:
            frame = client.frame(0.5)
            if frame and frame[0] % 2 == 0:
                counts[frame[0] // 2] += 1
        return min(counts) >= 12


class TryAgain(Exception):
    """The test could not be done, for no fault of the server's."""


class Matrix(TestCase):
    long = True
    time_limit_s = 220

    def check(self, publisher, transport, fixture):
        self.network, self.certificate = Network(self), make_certificate()
        for attempt in range(ATTEMPTS):
            try:
                return self.publish_and_read(publisher, transport, fixture)
            except TryAgain as reason:
                print(f"attempt {attempt + 1}: {reason}")
                self.servers[-1].close()
        self.fail(f"{ATTEMPTS} attempts failed")

    def publish_and_read(self, publisher, transport, fixture):
        certificate, key = self.certificate
        sluice = self.server({"encryption": "optional"}, files={"server.crt": certificate, "server.key": key}, **self.network.server)
        sluice.folder.chmod(0o777)
        process, path = self.start_publisher(publisher, fixture, transport, sluice)
        started = time.monotonic()
        readings = [
            Reading(self, sluice, publisher, fixture, client, by, path)
            for client in clients.readers(fixture) for by in clients.READ_BY[client]
        ]
        self.settle(readings, started + media.SECONDS - SECONDS - BEGIN_S)
        stuck = self.wait_for_end(publisher, process, sluice)
        finish(readings)
        found = complaints(readings, SECONDS)
        if found and stuck:
            raise TryAgain("the publisher got stuck")
        self.assertEqual(found, {}, "\n" + "\n".join(f"{name}: {line}" for name, lines in found.items() for line in lines))

    def start_publisher(self, publisher, fixture, transport, sluice):
        """(process, path). One track of GStreamer 1.22's rtspclientsink gets stuck at its first packet one time in ten,
        whatever the server does (a race in its own preroll: its queue has stopped by the time RECORD is answered). Such a
        one is started again."""
        for attempt in range(8):
            path = f"cam{attempt}"
            url = sluice.secure_url(path) if transport == "tls" else sluice.url(path)
            with (sluice.folder / "publisher.log").open("wb") as log:
                process = self.start(clients.PUBLISHERS[publisher](fixture, url, transport), stdout=log, stderr=log)
            wait_until_published(sluice, path)
            if all_tracks_flow(sluice, path, len(media.codecs(fixture))):
                by = "RTSPS" if transport == "tls" else "RTSP"
                self.assertRegex(sluice.log(), rf"\[{by}\] \[session \d+\] is publishing to path '{path}', \d tracks with {'UDP' if transport == 'udp' else 'TCP'}")
                return process, path
            self.assertEqual(publisher, "gstreamer", "published, but no media came")
            process.kill()
            process.wait()
        raise AssertionError("GStreamer got stuck eight times")

    def settle(self, readings, until):
        """Waits until all have come to a worker. The kernel spreads connections: where all that read by one transport came
        to the same worker, one is started again."""
        while True:
            unsettled = [reading.name for reading in readings if not reading.settled()]
            for transport in {reading.transport for reading in readings}:
                same = [reading for reading in readings if reading.transport == transport]
                slots = {reading.slot for reading in same}
                if len(slots) == 1 and slots != {None}:
                    same[0].restart()
                    unsettled.append(same[0].name)
            if not unsettled:
                return
            if time.monotonic() > until:
                raise TryAgain(f"too late to read for {SECONDS} s: {unsettled}")
            time.sleep(0.02)

    def wait_for_end(self, publisher, process, sluice):
        """Whether the publisher got stuck: GStreamer's rtspclientsink also stops in the midst of a stream or does not end
        with it, now and then: it sends nothing more, and the server has read all that it sent."""
        try:
            process.wait(media.SECONDS + 10)
        except subprocess.TimeoutExpired:
            self.assertEqual(publisher, "gstreamer", "it should have ended with the file")
            ports = {sluice.rtsp_port, sluice.rtsps_port, sluice.rtp_port, sluice.rtp_port + 1}
            unread = [unread_bytes(ports, sluice.pid) for _ in range(3)]
            self.assertIn(0, unread, "the server does not read what the publisher sends")
            process.kill()
            process.wait()
            return True
        self.check_end_of_publisher(publisher, process.returncode, (sluice.folder / "publisher.log").read_text(errors="replace"), sluice)
        return False

    def check_end_of_publisher(self, publisher, status, text, sluice):
        """GStreamer's rtspclientsink may write a last report to the connection that it has just closed itself, after
        TEARDOWN was answered, and takes that for an error. Over TLS two of its threads write at once what belongs together:
        report and TEARDOWN come mixed, which no server can tell apart, or TEARDOWN does not come before its end."""
        if publisher != "gstreamer" or status != 1 or "Received end-of-file" not in text:
            return self.assertEqual(status, 0, text)
        log = sluice.log()
        by, session = re.findall(r"\[(RTSPS?)\] \[session (\d+)\] is publishing", log)[-1]
        if by == "RTSPS" and f"[session {session}] destroyed (not in use)" in log:
            address = re.search(rf"\[session {session}\] created by (\S+)", log)[1]
            self.assertRegex(log, rf"\[conn {re.escape(address)}\] closed \((EOF|invalid .*)\)")
        else:
            self.assertRegex(log, rf"\[session {session}\] destroyed \(teared down by ")


def add_tests():
    for publisher in clients.PUBLISHERS:
        for transport in clients.PUBLISH_BY:
            for fixture in FIXTURES:

                def test(self, arguments=(publisher, transport, fixture)):
                    self.check(*arguments)

                setattr(Matrix, f"test_{fixture}_from_{publisher}_by_{transport}", test)


add_tests()
