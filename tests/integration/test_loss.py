"""A publisher over UDP on a network that loses, repeats and reorders: what the readers get, and what is counted, to the
packet."""

import os
import random
import re
import signal
import struct
import subprocess
import time
import unittest

from harness import TestCase
from namespaces import Network
from rtsp import Client, UdpPair, expect, rtcp_packets, rtp, sender_report

FIRST = 65000  # sequence numbers come around
SSRC = 77
PER_FRAME = 3
BURST = 240  # divisible by it; fewer than a socket holds, and than a worker takes in one turn
WINDOW = 64  # of the reorder buffer
MISORDER = 100  # what is older than that is not believed


def packet(number):
    """Packet of a picture that has three; every 30th one is an IDR, as FU-A."""
    picture, part = divmod(number, PER_FRAME)
    kind = 5 if picture % 30 == 0 else 1
    fragment = bytes([0x7C, (0x80, 0, 0x40)[part] | kind])
    return rtp(FIRST + number, 3000 * picture, fragment + struct.pack(">I", number) + bytes(200), SSRC, marker=part == 2)


def number_of(data):
    return struct.unpack(">I", data[14:18])[0]


class Plan:
    """One burst as the network delivers it: numbers in the order of arrival. Its first and last ones arrive in order."""

    def __init__(self, chance, first, late):
        numbers = range(first, first + BURST)
        inner = list(numbers[8:-8])
        marked = chance.sample(inner, 60)
        self.lost, doubled, displaced = set(marked[:12]), marked[12:24], marked[24:]
        # (position, tie) → number: who is displaced comes so much later.
        arrivals = [(number, 0, number) for number in numbers if number not in self.lost and number not in displaced]
        self.late = set()
        for i, number in enumerate(displaced):
            by = chance.randrange(1, WINDOW // 2)
            if late and i < 3 and number + WINDOW + 25 < numbers[-1]:
                by = chance.randrange(WINDOW + 20, MISORDER - 10)  # with losses between, too
                self.late.add(number)
            arrivals.append((min(number + by, numbers[-1]) if number not in self.late else number + by, 1, number))
        for number in doubled:
            arrivals.append((min(number + chance.choice((0, 0, 3, 30)), numbers[-1]), 2, number))
        self.duplicates = len(doubled)
        self.arrivals = [number for _, _, number in sorted(arrivals)]
        self.delivered = [number for number in numbers if number not in self.lost and number not in self.late]


@unittest.skipUnless(os.geteuid() == 0, "network namespaces need root")
class Loss(TestCase):
    def setUp(self):
        super().setUp()
        self.network = Network(self)
        self.sluice = self.server({"logLevel": "debug", "readTimeout": "60s"}, **self.network.server)
        self.publisher, self.pair = Client(self.sluice), UdpPair()
        self.readers = [Client(self.sluice) for _ in range(2)]
        for thing in (self.publisher, self.pair, *self.readers):
            self.addCleanup(thing.close)
        expect(self.publisher.announce("cam"), 200)
        self.pair.connect(expect(self.publisher.setup("cam", 0, self.pair.transport, record=True), 200), self.sluice.host)
        expect(self.publisher.request("RECORD", "cam"), 200)
        for reader in self.readers:
            reader.play("cam")

    def send_at_once(self, packets):
        """All arrive at one instant, for whoever looks at a clock: the workers are stopped meanwhile, too shortly for
        anyone to miss them."""
        workers = self.sluice.workers().values()
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        for each in packets:
            self.pair.rtp.send(each)
        for worker in workers:
            os.kill(worker, signal.SIGCONT)

    def check_readers(self, expected):
        for reader in self.readers:
            self.assertEqual([number_of(reader.media_frame()) for _ in expected], expected)

    def check_statistics(self, received, lost, late, duplicates):
        expect(self.publisher.request("TEARDOWN", "cam"), 200)
        line = self.sluice.wait_for_log(r"packets of track 0: (\d+) received, (\d+) lost, (\d+) late, (\d+) duplicates, 0 foreign")
        self.assertEqual([int(text) for text in line.groups()], [received, lost, late, duplicates])

    def report(self, highest):
        """The receiver report that tells of all packets up to this one: (lost in all, extended highest number)."""
        self.pair.rtcp.settimeout(15)
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            for kind, data in rtcp_packets(self.pair.rtcp.recv(2048)):
                if kind != 201 or data[0] & 31 == 0:
                    continue
                source, lost, number = struct.unpack(">III", data[8:20])
                self.assertEqual(source, SSRC)
                lost = (lost & 0xFFFFFF) - ((lost & 0x800000) << 1)
                if number == FIRST + highest:
                    return lost
        raise AssertionError("no receiver report on the last packet")

    def check_plans(self, late):
        chance = random.Random(2326)
        plans = [Plan(chance, first, late) for first in range(0, 10 * BURST, BURST)]
        for plan in plans:
            self.send_at_once(packet(number) for number in plan.arrivals)
            self.check_readers(plan.delivered)
        if late:
            self.assertTrue(any(plan.late for plan in plans))
        self.pair.rtcp.send(sender_report(SSRC, 0))
        total = len(plans) * BURST
        lost = sum(len(plan.lost) for plan in plans)
        late = sum(len(plan.late) for plan in plans)
        duplicates = sum(plan.duplicates for plan in plans)
        # By RFC 3550 late ones are not lost, and duplicates make up for lost ones.
        self.assertEqual(self.report(total - 1), lost - duplicates)
        self.check_statistics(total - lost - late, lost + late, late, duplicates)

    def test_what_comes_out_of_order_is_put_right(self):
        self.check_plans(late=False)

    def test_what_comes_too_late_is_left_out(self):
        self.check_plans(late=True)

    def test_what_the_kernel_drops_is_counted(self):
        rules = (
            "add table inet loss",
            "add chain inet loss input { type filter hook input priority 0; }",
            f"add rule inet loss input udp dport {self.sluice.rtp_port} numgen inc mod 17 5 counter drop",
        )
        nft = [*self.network.server_prefix, "nft"]
        for rule in rules:
            subprocess.run([*nft, rule], check=True, timeout=20)
        total = 10 * BURST
        numbers = []
        for first in range(0, total, BURST):
            self.send_at_once(packet(number) for number in range(first, first + BURST))
        dropped = lambda: int(re.search(r"counter packets (\d+)", subprocess.check_output([*nft, "list", "ruleset"], text=True))[1])
        last = total - 1
        while numbers[-1:] != [last]:
            numbers.append(number_of(self.readers[0].media_frame()))
        self.assertEqual(numbers, sorted(set(numbers)))
        missing = sorted(set(range(total)) - set(numbers))
        self.assertEqual(len(missing), dropped())
        self.assertEqual({after - before for before, after in zip(missing, missing[1:])}, {17})
        self.assertEqual([number_of(self.readers[1].media_frame()) for _ in numbers], numbers)
        self.pair.rtcp.send(sender_report(SSRC, 0))
        self.assertEqual(self.report(last), len(missing))
        self.check_statistics(total - len(missing), len(missing), 0, 0)
