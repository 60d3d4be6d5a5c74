"""UDP: which addresses media goes between."""

from harness import TestCase
from rtsp import Client, Source, UdpPair, expect, payload_number


class Addresses(TestCase):
    def test_media_goes_between_the_addresses_of_the_rtsp_connection(self):
        sluice = self.server()
        source = Source()
        for host in ("127.0.0.1", "127.0.0.2"):
            pair = UdpPair()
            with Client(sluice, host=host) as publisher, Client(sluice) as reader:
                expect(publisher.announce(host), 200)
                answer = expect(publisher.setup(host, 0, pair.transport, record=True), 200)
                expect(publisher.request("RECORD", host), 200)
                self.assertEqual(pair.rtp.recvfrom(100)[1][0], host)  # it opens the way through a NAT
                reader.play(host)
                port = int(answer["Transport"].partition("server_port=")[2].split("-")[0])
                for _ in range(20):
                    pair.rtp.sendto(source.next(), (host, port))
                    self.assertEqual(payload_number(reader.media_frame()), source.number - 1)
                other = UdpPair()
                with Client(sluice, host=host) as by_udp:
                    by_udp.play(host, transports=[other.transport])
                    pair.rtp.sendto(source.next(), (host, port))
                    packet, sender = other.rtp.recvfrom(2048)
                    self.assertEqual((payload_number(packet), sender[0]), (source.number - 1, host))
                other.close()
            pair.close()

    def test_ports_in_use_are_refused_in_every_worker(self):
        sluice = self.server()
        pair = UdpPair()
        publishers = [Client(sluice).publish(path) for path in ("a", "b")]
        first = Client.on_slot(sluice, 0)
        for thing in (pair, first, *publishers):
            self.addCleanup(thing.close)
        first.play("a", transports=[pair.transport])
        for slot in (0, 1):
            with Client.on_slot(sluice, slot) as second:
                expect(second.setup("a", 0, pair.transport), 400)
            with Client.on_slot(sluice, slot) as second:  # of another stream they may be shared
                expect(second.setup("b", 0, pair.transport), 200)
            with Client.on_slot(sluice, slot) as second:
                expect(second.announce("c"), 200)
                expect(second.setup("c", 0, pair.transport, record=True), 400)
        sluice.wait_for_log(rf"UDP ports {pair.port} and {pair.port + 1} are already in use by another reader")
        expect(first.request("TEARDOWN", "a"), 200)
        with Client.on_slot(sluice, 1) as second:
            expect(second.setup("a", 0, pair.transport), 200)
