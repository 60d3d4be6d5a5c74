"""FFmpeg and GStreamer publish, by TCP and by UDP, what FFmpeg made; FFmpeg, GStreamer and VLC read it by TCP and by
UDP, each in the worker that the publisher is not in. What they read is what was published, frame by frame."""

import signal
import subprocess
import time

import clients
import media
from harness import TestCase, descendants, kill_quietly, unread_bytes, wait_until, wait_until_none
from rtsp import Client, wait_until_published

SECONDS = 10  # to be equal, at least


class Reading:
    """A reader on a given slot. The kernel spreads connections, so it is started until it came to the right one."""

    def __init__(self, test, server, publisher, fixture, name, transport, path, output, slot):
        self.test, self.name, self.output = test, f"{name} by {transport}", output
        self.log_path = output.with_suffix(".log")
        self.command = clients.READERS[name](fixture, publisher, server.url(path), transport, output)
        self.server, self.slot, self.process = server, slot, None

    def start(self):
        self.output.unlink(missing_ok=True)
        with self.log_path.open("wb") as log:
            self.process = self.test.start(self.command, stdout=log, stderr=log)

    def restart(self):
        for pid in [self.process.pid, *descendants(self.process.pid)]:
            kill_quietly(pid)
        self.process.wait(5)
        self.start()

    def settle(self):
        """True once it reads from the right worker; starts it again if it came to the other."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()}")
        slot = self.server.slot_of_client_process(self.process.pid)
        if slot is None:
            return False
        if slot != self.slot:
            self.restart()
            return False
        return True

    def log(self):
        return self.log_path.read_text(errors="replace")[-3000:]


def all_tracks_flow(sluice, path, tracks=2):
    """Whether each track brings a dozen packets soon; the slowest has 30 a second."""
    with Client(sluice) as client:
        client.play(path, tracks)
        counts, until = [0] * tracks, time.monotonic() + 3
        while min(counts) < 12 and time.monotonic() < until:
            frame = client.frame(0.5)
            if frame and frame[0] % 2 == 0:
                counts[frame[0] // 2] += 1
        return min(counts) >= 12


def finish(readings):
    """After the end of the stream: most end by themselves, those that read by UDP do not all learn of it."""
    for number in (None, signal.SIGINT, signal.SIGKILL):
        left = [reading.process.pid for reading in readings if reading.process.poll() is None]
        for pid in {pid for reader in left if number for pid in [reader, *descendants(reader)]}:
            kill_quietly(pid, number)
        wait_until_none(lambda: [reading for reading in readings if reading.process.poll() is None], 3 if number is None else 8)


class Matrix(TestCase):
    long = True
    time_limit_s = 220

    def start_publisher(self, publisher, fixture, transport, log_path, sluice):
        """One track of GStreamer 1.22's rtspclientsink gets stuck at its first packet one time in ten, whatever the server
        does (a race in its own preroll: its queue has stopped by the time RECORD is answered). Such a one is started again."""
        for attempt in range(8):
            path = f"cam{attempt}"
            with log_path.open("wb") as log:
                command = clients.PUBLISHERS[publisher](fixture, sluice.url(path), transport)
                process = self.start(command, stdout=log, stderr=log)
            wait_until_published(sluice, path)
            if all_tracks_flow(sluice, path):
                return process, path
            self.assertEqual(publisher, "gstreamer", "published, but no media came")
            process.kill()
            process.wait()
        raise AssertionError("GStreamer got stuck eight times")

    def check_end_of_publisher(self, publisher, status, text, sluice):
        """GStreamer's rtspclientsink may write a last report to the connection that it has just closed itself, after
        TEARDOWN was answered, and takes that for an error."""
        if publisher == "gstreamer" and status == 1 and "Received end-of-file" in text:
            self.assertRegex(sluice.log(), r"destroyed \(teared down by ")
        else:
            self.assertEqual(status, 0, text)

    def check(self, publisher, transport, fixture):
        """GStreamer's rtspclientsink also stops in the midst of a stream or does not end with it, now and then: it sends
        nothing more, and the server has read all that it sent. What was read then need not be whole; it is tried again."""
        for _ in range(3):
            complaints, stuck = self.publish_and_read(publisher, transport, fixture)
            if not complaints or not stuck:
                break
        self.assertEqual(complaints, {})

    def publish_and_read(self, publisher, transport, fixture):
        """({reader: what is wrong with what it read}, whether the publisher got stuck)."""
        sluice = self.server()
        sluice.folder.chmod(0o777)
        publisher_log = sluice.folder / "publisher.log"
        process, path = self.start_publisher(publisher, fixture, transport, publisher_log, sluice)
        other = 1 - wait_until(lambda: (slot := sluice.slot_of_client_process(process.pid)) is not None and (slot,), what="the publisher's worker")[0]
        started = time.monotonic()
        readings = [
            Reading(self, sluice, publisher, fixture, name, by, path, sluice.folder / f"{name}-{by}.out", other)
            for name in clients.readers() for by in ("tcp", "udp")
        ]
        for reading in readings:
            reading.start()
        unsettled = readings
        while unsettled:
            unsettled = [reading for reading in unsettled if not reading.settle()]
            self.assertLess(time.monotonic() - started, media.SECONDS - SECONDS - 1, [reading.name for reading in unsettled])
            time.sleep(0.01)
        stuck = False
        try:
            process.wait(media.SECONDS + 10)
            self.check_end_of_publisher(publisher, process.returncode, publisher_log.read_text(errors="replace"), sluice)
        except subprocess.TimeoutExpired:
            self.assertEqual(publisher, "gstreamer", "it should have ended with the file")
            unread = [unread_bytes({sluice.rtsp_port, sluice.rtp_port, sluice.rtp_port + 1}) for _ in range(3)]
            self.assertIn(0, unread, "the server does not read what the publisher sends")
            stuck = True
            process.kill()
            process.wait()
        finish(readings)
        complaints = {}
        for reading in readings:
            try:
                found = media.check(fixture, reading.output, SECONDS)
            except AssertionError as error:
                found = [str(error)]
            if found:
                complaints[reading.name] = [*found, reading.log()]
        sluice.close()
        return complaints, stuck


def add_tests():
    for publisher in clients.PUBLISHERS:
        for transport in ("tcp", "udp"):
            for fixture in media.FIXTURES:
                if fixture in ("large_gop", "noise"):
                    continue

                def test(self, arguments=(publisher, transport, fixture)):
                    self.check(*arguments)

                setattr(Matrix, f"test_{fixture}_from_{publisher}_by_{transport}", test)


add_tests()
