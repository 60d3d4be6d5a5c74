"""Readers by UDP multicast, in a network of their own: what is on the wire, and who gets it."""

import re
import socket
import struct
import time

from harness import TestCase, kill_quietly, wait_until
from namespaces import Network, Wire
from rtsp import Client, Source, expect, payload_number, rtcp_packets, rtp_sequence, wait_until_published

MULTICAST = "RTP/AVP;multicast"
REPORT_INTERVAL_S = 5


def group_of(response):
    """(address, RTP port, RTCP port) of the answer to a SETUP."""
    match = re.match(r"RTP/AVP;multicast;destination=([0-9.]+);port=(\d+)-(\d+);ttl=16(;ssrc=[0-9A-F]{8})?$", response["Transport"])
    if not match:
        raise AssertionError(f"not a multicast transport: {response}")
    return match.group(1), int(match.group(2)), int(match.group(3))


def receiver_report():
    return struct.pack(">BBHI", 0x80, 201, 1, 0x12345678)


class MulticastTestCase(TestCase):
    def network(self, cables=1, configuration=None):
        self.net = Network(self, cables)
        self.wires = [Wire(self, f"c{i}") for i in range(cables)]
        self.wire = self.wires[0]
        self.sluice = self.server(configuration, **self.net.server)

    def client(self, slot=None, **more):
        client = Client(self.sluice, **more) if slot is None else Client.on_slot(self.sluice, slot, **more)
        self.addCleanup(client.close)
        return client

    def publish(self, path="cam", slot=None):
        publisher, source = self.client(slot), Source()
        publisher.publish(path)
        return publisher, source

    def read(self, path="cam", slot=None, track=0, **more):
        """(client, its group), playing."""
        reader = self.client(slot, **more)
        group = group_of(expect(reader.setup(path, track, MULTICAST), 200))
        response = expect(reader.request("PLAY", path), 200)
        self.assertIn(";timeout=60", response["Session"])
        return reader, group

    def flow(self, publisher, source, group, wire=None):
        """Publishes until a packet is on the wire; how many datagrams there were before that."""
        wire = wire or self.wire
        before = len(wire.datagrams)

        def arrives():
            publisher.send_frame(0, source.next())
            return wire.sent_to(*group[:2], before)

        wait_until(arrives, what="a packet on the wire")
        return before

    def check_once_each(self, wires, source, before, group):
        """Each packet since the first that arrived, to the last that was published: once, in order."""
        for wire, first in zip(wires, before):
            last = (source.first + source.number - 1) & 0xFFFF
            wait_until(lambda: (found := wire.sent_to(*group[:2], first)) and rtp_sequence(found[-1]) == last, what="the last packet")
            numbers = [payload_number(packet) for packet in wire.sent_to(*group[:2], first)]
            self.assertEqual(numbers, list(range(numbers[0], source.number)))


class OneSender(MulticastTestCase):
    def send_burst(self, publisher, source, count=400):
        for i in range(count):
            publisher.send_frame(0, source.next(1000 if i % 10 else 1300))
            if i % 20 == 19:
                time.sleep(0.005)

    def test_readers_of_two_workers_and_every_packet_once(self):
        self.network()
        publisher, source = self.publish(slot=0)
        (_, group), (_, other) = (self.read(slot=slot) for slot in (1, 0))
        self.assertEqual((group, other), (("224.1.0.1", 8002, 8003),) * 2)
        before = self.flow(publisher, source, group)
        self.send_burst(publisher, source)
        self.check_once_each([self.wire], source, [before], group)
        self.sluice.wait_for_log(r"is reading from path 'cam', 1 track with UDP-multicast")

    def test_a_reader_that_joined_the_group_gets_the_packets_and_a_sender_report(self):
        self.network()
        publisher, source = self.publish()
        publisher.send_frame(0, source.next())
        reader = self.client()
        group = group_of(expect(reader.setup("cam", 0, MULTICAST), 200))
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for one, port in zip(sockets, group[1:]):
            self.addCleanup(one.close)
            one.bind((group[0], port))
            one.settimeout(10)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group[0]) + socket.inet_aton("10.77.0.2"))
        answer = expect(reader.request("PLAY", "cam"), 200)
        self.assertIn(f"seq={source.first + 1};", answer["RTP-Info"])
        report, sender = sockets[1].recvfrom(2048)
        self.assertEqual([kind for kind, _ in rtcp_packets(report)], [200, 202])
        self.assertEqual(sender, ("10.77.0.1", group[2]))
        publisher.send_frame(0, source.next())
        packet, sender = sockets[0].recvfrom(2048)
        self.assertEqual((payload_number(packet), sender), (source.number - 1, ("10.77.0.1", group[1])))

    def test_all_begin_with_what_is_sent_to_all_and_are_told_so(self):
        self.network(configuration={"readerStart": "keyframe"})
        publisher, source = self.publish()
        for _ in range(15):
            publisher.send_frame(0, source.next())
        publisher.request("OPTIONS", "*")  # all is in the ring
        reader = self.client()
        group = group_of(expect(reader.setup("cam", 0, MULTICAST), 200))
        answer = expect(reader.request("PLAY", "cam"), 200)
        self.assertIn(f"seq={source.first + source.number};", answer["RTP-Info"])
        before = self.flow(publisher, source, group)
        self.check_once_each([self.wire], source, [before], group)

    def test_every_packet_once_on_each_of_two_networks(self):
        self.network(cables=2)
        publisher, source = self.publish()
        (first, group), (_, other) = self.read(), self.read(host="10.77.1.1")
        self.assertEqual(group, other)
        before = [self.flow(publisher, source, group, wire) for wire in self.wires]
        self.send_burst(publisher, source)
        self.check_once_each(self.wires, source, before, group)
        expect(first.request("TEARDOWN", "cam"), 200)
        self.wait_until_silent(publisher, source, group, self.wires[0])
        self.flow(publisher, source, group, self.wires[1])

    def test_readers_on_a_machine_without_a_network_use_its_loopback_interface(self):
        Network(self, cables=0)
        self.wire = Wire(self, "lo")
        self.sluice = self.server()
        publisher, source = self.publish()
        _, group = self.read()
        before = self.flow(publisher, source, group)
        self.send_burst(publisher, source)
        self.check_once_each([self.wire], source, [before], group)

    def wait_until_silent(self, publisher, source, group, wire):
        witness = self.client()
        witness.play("cam")

        def silent():
            before = len(wire.datagrams)
            for _ in range(5):
                publisher.send_frame(0, source.next())
                while payload_number(witness.media_frame()) != source.number - 1:
                    pass
            time.sleep(0.1)
            return not wire.sent_to(*group[:2], before)

        wait_until(silent, what="nothing on the wire any more")
        witness.close()

    def test_the_group_is_sent_to_only_while_somebody_plays(self):
        self.network()
        publisher, source = self.publish()
        readers = [self.read(slot=slot) for slot in (0, 1)]
        group = readers[0][1]
        self.flow(publisher, source, group)
        expect(readers[0][0].request("TEARDOWN", "cam"), 200)
        before = self.flow(publisher, source, group)
        self.send_burst(publisher, source, 100)
        self.check_once_each([self.wire], source, [before], group)
        expect(readers[1][0].request("PAUSE", "cam"), 200)
        self.wait_until_silent(publisher, source, group, self.wire)
        expect(readers[1][0].request("PLAY", "cam"), 200)
        before = self.flow(publisher, source, group)
        self.check_once_each([self.wire], source, [before], group)
        expect(readers[1][0].request("TEARDOWN", "cam"), 200)
        self.wait_until_silent(publisher, source, group, self.wire)
        _, next_group = self.read()
        self.assertEqual(next_group[0], "224.1.0.2")

    def test_the_senders_worker_dies(self):
        self.network()
        publisher, source = self.publish(slot=1)
        self.read(slot=0)  # the first to play: its worker sends
        survivor, group = self.read(slot=1)
        self.flow(publisher, source, group)
        for _ in range(3):
            old = self.sluice.workers()[0]
            kill_quietly(old)
            wait_until(lambda: self.sluice.workers().get(0, old) != old, what="a successor")
            before = self.flow(publisher, source, group)
            self.send_burst(publisher, source, 100)
            self.check_once_each([self.wire], source, [before], group)
        expect(survivor.request("GET_PARAMETER", "cam"), 200)
        self.read(slot=0)
        before = self.flow(publisher, source, group)
        self.send_burst(publisher, source, 100)
        self.check_once_each([self.wire], source, [before], group)

    def test_another_slot_sends_when_the_senders_is_given_up(self):
        self.network()
        publisher, source = self.publish(slot=0)
        reader, group = self.read(slot=1)
        self.flow(publisher, source, group)
        path = self.sluice.folder / "sluice.yml"
        path.write_text(path.read_text().replace('"rtspWorkers": 2', '"rtspWorkers": 1'))
        self.sluice.wait_for_log("rtspWorkers")
        before = self.flow(publisher, source, group)
        self.send_burst(publisher, source)
        wait_until(lambda: len(self.wire.sent_to(*group[:2], before)) >= 300, what="packets of the other slot")
        before = self.flow(publisher, source, group)
        self.send_burst(publisher, source)
        self.check_once_each([self.wire], source, [before], group)
        expect(reader.request("TEARDOWN", "cam"), 200)

    def test_a_ring_that_grows(self):
        self.network(configuration={"readBufferCount": 64})
        publisher, source = self.publish(slot=0)
        _, group = self.read(slot=1)
        before = self.flow(publisher, source, group)
        for _ in range(30):
            self.send_burst(publisher, source, 100)
        self.check_once_each([self.wire], source, [before], group)

    def test_a_stream_that_ends(self):
        self.network()
        publisher, source = self.publish()
        reader, group = self.read()
        before = self.flow(publisher, source, group)
        for _ in range(50):
            publisher.send_frame(0, source.next())
        expect(publisher.request("TEARDOWN", "cam"), 200)
        self.check_once_each([self.wire], source, [before], group)
        self.sluice.wait_for_log(r"\[session \d+\] destroyed \(terminated\)")
        publisher, source = self.publish()
        _, group = self.read()
        self.assertEqual(group[0], "224.1.0.2")
        before = self.flow(publisher, source, group)
        self.check_once_each([self.wire], source, [before], group)


class Requests(MulticastTestCase):
    def test_it_is_refused_where_it_is_not_offered(self):
        self.network(configuration={"protocols": ["udp", "tcp"]})
        publisher, _ = self.publish()
        reader = self.client()
        expect(reader.setup("cam", 0, MULTICAST), 461)
        self.assertIn("c=IN IP4 0.0.0.0\r\n", expect(reader.request("DESCRIBE", "cam?vlcmulticast"), 200).body.decode())
        expect(reader.setup("cam", 0), 200)
        other = self.client()
        expect(other.announce("other"), 200)
        expect(other.setup("other", 0, MULTICAST, record=True), 461)

    def test_publishing_by_it_is_refused(self):
        self.network()
        publisher = self.client()
        expect(publisher.announce("cam"), 200)
        expect(publisher.setup("cam", 0, MULTICAST, record=True), 461)
        expect(publisher.setup("cam", 0, record=True), 200)

    def test_the_ranges_address_is_described_to_vlc(self):
        self.network(configuration={"multicastIPRange": "239.5.0.0/30"})
        self.publish()
        for query, address in (("?vlcmulticast", "239.5.0.0"), ("?a=b&vlcmulticast=1", "239.5.0.0"), ("?xvlcmulticast", "0.0.0.0"), ("", "0.0.0.0")):
            body = expect(self.client().request("DESCRIBE", "cam" + query), 200).body.decode()
            self.assertIn(f"c=IN IP4 {address}\r\n", body)

    def test_tracks_cannot_mix_transports(self):
        self.network()
        self.client().publish("cam", 2)
        for first, second in ((MULTICAST, None), (None, MULTICAST), (MULTICAST, "RTP/AVP;unicast;client_port=35000-35001")):
            reader = self.client()
            expect(reader.setup("cam", 0, first), 200)
            expect(reader.setup("cam", 1, second), 400)
        reader = self.client()
        groups = [group_of(expect(reader.setup("cam", track, MULTICAST), 200)) for track in (1, 0)]
        self.assertEqual(len({group[0] for group in groups}), 2)

    def test_groups_are_counted_up_and_run_out(self):
        self.network(configuration={"multicastIPRange": "224.5.0.0/30", "multicastRTPPort": 9000, "multicastRTCPPort": 9001})
        for path, tracks in (("a", 2), ("b", 1), ("c", 2)):
            self.client().publish(path, tracks)
        (a, first), (b, second) = self.read("a"), self.read("b")
        self.assertEqual((first, second), (("224.5.0.1", 9000, 9001), ("224.5.0.3", 9000, 9001)))
        refused = self.client()
        expect(refused.setup("c", 0, MULTICAST), 503)
        self.sluice.wait_for_log(r"closed \(no multicast groups left: multicastIPRange 224.5.0.0/30 is too small\)")
        expect(a.request("TEARDOWN", "a"), 200)
        _, third = wait_until(lambda: self.try_to_read("c"), what="groups that are free again")
        self.assertEqual(third[0], "224.5.0.0")
        expect(b.request("TEARDOWN", "b"), 200)

    def try_to_read(self, path):
        reader = self.client()
        response = reader.setup(path, 0, MULTICAST)
        return (reader, group_of(response)) if response.status == 200 else None

    def test_a_changed_range_is_for_streams_that_are_read_anew(self):
        self.network()
        publisher, source = self.publish("a")
        self.publish("b")
        _, group = self.read("a")
        path = self.sluice.folder / "sluice.yml"
        path.write_text(path.read_text().replace('"rtspWorkers"', '"multicastIPRange": "239.9.0.0/16", "multicastRTPPort": 9002, "multicastRTCPPort": 9003, "rtspWorkers"'))
        self.sluice.wait_for_log("multicastIPRange")
        self.assertEqual(self.read("b")[1], ("239.9.0.1", 9002, 9003))
        self.assertEqual(self.read("a")[1], group)
        before = self.flow(publisher, source, group)
        self.check_once_each([self.wire], source, [before], group)


class KeepAlive(MulticastTestCase):
    long = True

    def test_receiver_reports_keep_a_session_alive(self):
        self.network()
        publisher, source = self.publish()
        (alive, group), (silent, _) = self.read(slot=1), self.read(slot=1, source="10.77.0.3")
        ports = {name: client.port for name, client in (("alive", alive), ("silent", silent))}
        sessions = {name: re.search(rf"\[session (\d+)\] created by 10.77.0.\d:{port}", self.sluice.log()).group(1) for name, port in ports.items()}
        session = alive.session
        alive.close()  # outlived by the session
        silent.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reports:
            reports.bind(("10.77.0.2", 0))
            deadline, next_report = time.monotonic() + 90, 0
            gone = re.compile(rf"\[session {sessions['silent']}\] destroyed \(no RTSP requests received in a while\)")
            while not gone.search(self.sluice.log()):
                self.assertLess(time.monotonic(), deadline, "the silent session has not timed out")
                if time.monotonic() >= next_report:
                    next_report = time.monotonic() + REPORT_INTERVAL_S
                    publisher.send_frame(0, source.next())
                    reports.sendto(receiver_report(), (group[0], group[2]))
                time.sleep(0.2)
        self.assertNotIn(f"[session {sessions['alive']}] destroyed", self.sluice.log())
        again = self.client()
        again.session = session
        expect(again.request("GET_PARAMETER", "cam"), 200)
