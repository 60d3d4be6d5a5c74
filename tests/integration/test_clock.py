"""Whose clock sender reports carry: that of the server, or with useAbsoluteTimestamp the publisher's."""

import json
import struct
import time

from harness import TestCase, wait_until
from rtsp import NTP_OF_1970, Client, Source, UdpPair, expect, ntp_now, rtcp_packets, sender_report

CLOCK_RATE = 90000
START_OF_2031 = (1924992000 + NTP_OF_1970) << 32
QUARTER = 1 << 30
TRACKS = 2


class Line:
    """NTP and RTP times of one track, as its report (ntp, rtp_time) relates them."""

    def __init__(self, ntp, rtp_time):
        self.ntp, self.rtp_time = ntp, rtp_time

    def holds(self, ntp, rtp_time):
        ticks = (rtp_time - self.rtp_time) % 2**32
        return ticks < 3600 * CLOCK_RATE and ntp == (self.ntp + (ticks << 32) // CLOCK_RATE) % 2**64


LINES = [Line(START_OF_2031, 1000), Line(START_OF_2031 + QUARTER, 2**32 - 500)]
STEPPED = [Line(START_OF_2031 - (3600 << 32), 70000), Line((2**32 - 1) << 32, 80000)]  # the latter ends an era of NTP


def report_of(rtcp):
    """(NTP time, RTP time) of a compound packet."""
    kind, packet = next(rtcp_packets(rtcp))
    if kind != 200:
        raise AssertionError(f"RTCP packet of type {kind}")
    return struct.unpack(">QI", packet[8:20])


class TcpReader:
    def __init__(self, sluice, slot):
        self.client = Client.on_slot(sluice, slot)
        self.client.play("cam", TRACKS)

    def report(self, track):
        while True:
            frame = self.client.frame(15)
            if frame is None:
                raise AssertionError("no report")
            if frame[0] == 2 * track + 1:
                return report_of(frame[1])

    def close(self):
        self.client.close()


class UdpReader:
    def __init__(self, sluice, slot):
        self.pairs = [UdpPair(15) for _ in range(TRACKS)]
        self.client = Client.on_slot(sluice, slot)
        self.client.play("cam", TRACKS, [pair.transport for pair in self.pairs])

    def report(self, track):
        return report_of(self.pairs[track].rtcp.recv(2048))

    def close(self):
        self.client.close()
        for pair in self.pairs:
            pair.close()


READERS = [(kind, slot) for kind in (TcpReader, UdpReader) for slot in (0, 1)]


class Clock(TestCase):
    def configured(self, absolute):
        return self.server({"paths": {"cam": {"useAbsoluteTimestamp": absolute}}})

    def turn(self, sluice, absolute):
        sluice.configuration["paths"]["cam"]["useAbsoluteTimestamp"] = absolute
        reloads = sluice.log().count("changed paths: cam")
        (sluice.folder / "sluice.yml").write_text(json.dumps(sluice.configuration))
        wait_until(lambda: sluice.log().count("changed paths: cam") > reloads, what="the server reloads")

    def published(self, sluice, over_udp=False):
        """Tracks with a picture each, and no report yet."""
        self.sources = [Source(ssrc=100 + track) for track in range(TRACKS)]
        self.publisher = Client(sluice)
        self.pairs = [UdpPair() for _ in range(TRACKS)] if over_udp else None
        for thing in (self.publisher, *(self.pairs or [])):
            self.addCleanup(thing.close)
        expect(self.publisher.announce("cam", TRACKS), 200)
        for track in range(TRACKS):
            transport = self.pairs[track].transport if over_udp else None
            answer = expect(self.publisher.setup("cam", track, transport, record=True), 200)
            if over_udp:
                self.pairs[track].connect(answer)
        expect(self.publisher.request("RECORD", "cam"), 200)
        with Client(sluice) as witness:
            witness.play("cam", TRACKS)
            for track, source in enumerate(self.sources):
                self.send(track, source.next())
                witness.media_frame()

    def send(self, track, packet, rtcp=False):
        if self.pairs is None:
            return self.publisher.send_frame(2 * track + rtcp, packet)
        (self.pairs[track].rtcp if rtcp else self.pairs[track].rtp).send(packet)

    def say(self, lines):
        for track, line in enumerate(lines):
            self.send(track, sender_report(100 + track, line.rtp_time, ntp=line.ntp), rtcp=True)

    def reader(self, sluice, kind, slot):
        reader = kind(sluice, slot)
        self.addCleanup(reader.close)
        return reader

    def assert_servers_clock(self, reader, since):
        for track in range(TRACKS):
            ntp, _ = reader.report(track)
            self.assertTrue(since <= ntp <= ntp_now(), f"track {track}: {ntp:x}")

    def wait_for_lines(self, reader, lines):
        """The reports that come along with the stream, until those of the lines come."""
        for track, line in enumerate(lines):
            wait_until(lambda: line.holds(*reader.report(track)), what=f"a report of track {track} on its line", every_s=0)

    def check(self, over_udp):
        sluice = self.configured(True)
        self.published(sluice, over_udp)
        since = ntp_now()
        early = [self.reader(sluice, *which) for which in READERS]
        for reader in early:
            self.assert_servers_clock(reader, since)  # the publisher has not told its own
        said = time.monotonic()
        self.say(LINES)
        for reader in early:
            self.wait_for_lines(reader, LINES)
        for which in READERS:
            reader = self.reader(sluice, *which)
            for track, line in enumerate(LINES):  # the first reports of a reader
                ntp, rtp_time = reader.report(track)
                self.assertTrue(line.holds(ntp, rtp_time), f"track {track}: {ntp:x} {rtp_time}")
                passed = (rtp_time - line.rtp_time) % 2**32 / CLOCK_RATE
                self.assertLessEqual(passed, time.monotonic() - said)
        self.say(STEPPED)
        for track, source in enumerate(self.sources):
            self.send(track, source.next())
        for which in READERS:
            # Over UDP the reports may be under way still.
            def stepped():
                reader = which[0](sluice, which[1])
                reports = [reader.report(track) for track in range(TRACKS)]
                reader.close()
                return all(line.holds(*report) for line, report in zip(STEPPED, reports))

            wait_until(stepped, what="reports on the new lines")

    def test_of_a_publisher_over_tcp(self):
        self.check(False)

    def test_of_a_publisher_over_udp(self):
        self.check(True)

    def test_without_it_and_when_it_is_turned_on_and_off(self):
        sluice = self.configured(False)
        self.published(sluice)
        self.say(LINES)
        self.publisher.request("GET_PARAMETER", "cam")
        since = ntp_now()
        readers = [self.reader(sluice, *which) for which in READERS]
        for reader in readers:
            self.assert_servers_clock(reader, since)
        self.turn(sluice, True)
        for reader in readers:
            self.wait_for_lines(reader, LINES)
        since = ntp_now()
        self.turn(sluice, False)
        for reader in readers:
            for track in range(TRACKS):
                wait_until(lambda: since <= reader.report(track)[0] <= ntp_now(), what="the server's clock", every_s=0)
        for which in READERS:
            self.assert_servers_clock(self.reader(sluice, *which), since)
