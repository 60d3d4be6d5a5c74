"""What real cameras, encoders and players do beside the standards, where a live server is needed to see it."""

import select
import socket
import threading
import time

from harness import TestCase
from rtsp import Client, Source, UdpPair, expect, payload_number, rtcp_packets, rtp, sender_report

SESSION = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
VIDEO = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"


class SectionsThatCannotBeCarried(TestCase):
    NAMES = ["text", "video", "control", "audio"]
    SDP = (
        SESSION
        + "m=text 0 RTP/AVP 98\r\na=rtpmap:98 t140\r\na=control:text\r\n"
        + VIDEO + "a=control:video\r\n"
        + "m=application 0 TCP/BFCP *\r\na=control:control\r\n"
        + "m=audio 0 RTP/AVP 0\r\na=control:audio\r\n"
    )

    def publish(self, sluice, names, pairs):
        publisher = Client(sluice)
        self.addCleanup(publisher.close)
        expect(publisher.announce("cam", sdp=self.SDP), 200)
        for name in names:
            number = self.NAMES.index(name)
            transport = pairs[number].transport if pairs else f"RTP/AVP/TCP;unicast;interleaved={2 * number}-{2 * number + 1}"
            answer = expect(publisher.request("SETUP", f"cam/{name}", {"Transport": transport + ";mode=record"}), 200)
            if pairs:
                pairs[number].connect(answer)
        expect(publisher.request("RECORD", "cam"), 200)
        return publisher

    def check(self, names, over_udp):
        sluice = self.server()
        pairs = [UdpPair() for _ in self.NAMES] if over_udp else None
        for pair in pairs or []:
            self.addCleanup(pair.close)
        publisher = self.publish(sluice, names, pairs)
        sluice.wait_for_log(r"what can't be carried is ignored: clock rate of track 0 is not known")
        sluice.wait_for_log(r"what can't be carried is ignored: track 2 is not plain RTP but TCP/BFCP")
        sluice.wait_for_log(rf"is publishing to path 'cam', 2 tracks with {'UDP' if over_udp else 'TCP'}")

        def send(name, packet, rtcp=False):
            number = self.NAMES.index(name)
            if not pairs:
                return publisher.send_frame(2 * number + rtcp, packet)
            (pairs[number].rtcp if rtcp else pairs[number].rtp).send(packet)

        with Client(sluice) as reader:
            sdp = expect(reader.request("DESCRIBE", "cam"), 200).body.decode()
            self.assertEqual(sdp.count("m="), 2)
            self.assertIn("m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:trackID=1", sdp)
            reader.play("cam", 2)
            media = lambda: next(frame for frame in iter(reader.frame, None) if frame[0] % 2 == 0)
            video = Source()
            for number in range(30):
                for name in ("text", "control"):  # no RTP at all, RTP, RTCP, an empty one
                    if name in names:
                        send(name, (b"\0rubbish", rtp(number, 0, b"x"), b"")[number % 3])
                        send(name, b"rubbish", rtcp=True)
                send("video", video.next())
                self.assertEqual(media()[0], 0)
                send("audio", rtp(number, 160 * number, b"tone", ssrc=9, payload_type=0))
                channel, packet = media()
                self.assertEqual((channel, packet[12:]), (2, b"tone"))
            expect(publisher.request("GET_PARAMETER", "cam"), 200)
            expect(reader.setup("cam", 2), 400)

    def test_are_set_up_and_fed_over_tcp(self):
        self.check(self.NAMES, False)

    def test_are_set_up_and_fed_over_udp(self):
        self.check(self.NAMES, True)

    def test_need_not_be_set_up(self):
        self.check(["audio", "video"], False)

    def test_of_a_lone_one_the_reason_is_told(self):
        sluice = self.server()
        with Client(sluice) as publisher:
            expect(publisher.announce("cam", sdp=SESSION + "m=application 9 udp wms\r\n"), 400)
        sluice.wait_for_log("invalid SDP: track 0 is not plain RTP but udp")


class FurtherPayloadTypes(TestCase):
    def test_are_dropped_and_told_once(self):
        sluice = self.server()
        sdp = SESSION + VIDEO.replace("AVP 96", "AVP 96 97") + "a=rtpmap:97 H264/90000\r\na=control:trackID=0\r\n"
        with Client(sluice) as publisher, Client(sluice) as reader:
            expect(publisher.announce("cam", sdp=sdp), 200)
            expect(publisher.setup("cam", record=True), 200)
            expect(publisher.request("RECORD", "cam"), 200)
            reader.play("cam")
            video = Source()
            for round in range(2):
                for number in range(10):
                    publisher.send_frame(0, rtp(number, 0, b"\x65other", payload_type=97))
                    publisher.send_frame(0, video.next())
                    self.assertEqual(payload_number(reader.media_frame()), video.number - 1)
                if round == 0:
                    sluice.wait_for_log("packets of payload type 97 are dropped: that of track 0 is 96")
        self.assertEqual(sluice.log().count("packets of payload type"), 1)


class Clients(TestCase):
    def test_that_leave_the_channels_to_the_server(self):
        sluice = self.server()
        with Client(sluice) as publisher, Client(sluice) as reader:
            expect(publisher.announce("cam", 2), 200)
            for track in range(2):
                answer = expect(publisher.setup("cam", track, "RTP/AVP/TCP;unicast"), 200)  # without a mode, too
                self.assertIn(f"interleaved={2 * track}-{2 * track + 1}", answer["Transport"])
            expect(publisher.request("RECORD", "cam"), 200)
            for track in range(2):
                expect(reader.setup("cam", track, "RTP/AVP/TCP"), 200)
            expect(reader.request("PLAY", "cam/"), 200)
            sources = [Source(ssrc=1), Source(ssrc=2)]
            for _ in range(20):
                for track, source in enumerate(sources):
                    publisher.send_frame(2 * track, source.next())
                    self.assertEqual(payload_number(reader.media_frame()), source.number - 1)

    def test_that_name_no_session_or_a_wrong_one(self):
        sluice = self.server()
        with Client(sluice) as publisher:
            sdp = (SESSION + VIDEO + "a=control:trackID=0").encode()  # the last line does not end
            headers = {"content-type": "application/sdp; charset=utf-8", "Session": ""}
            expect(publisher.request("ANNOUNCE", "cam", headers, sdp), 200)
            transport = {"Transport": "RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=0-1;mode=record", "Session": "null"}
            expect(publisher.request("SETUP", "cam/trackID=0", transport, session=False), 200)
            publisher.session += ";timeout=60"
            expect(publisher.request("RECORD", "cam/"), 200)
            with Client(sluice) as reader:
                reader.play("cam")
                publisher.send_frame(0, Source().next())
                reader.media_frame()
                expect(publisher.request("TEARDOWN", "cam", session=False), 200)
                reader.wait_until_closed(10)
            expect(publisher.announce("cam"), 200)  # the connection is of use again
        sluice.wait_for_log("is publishing to path 'cam'")
        sluice.wait_for_log(r"destroyed \(teared down by")


class TranslatingRelay:
    """A NAT between publishers and the server: datagrams to a port of `ports` go on to it, each sender's from a port of
    its own that the sender never named; what comes back goes to the sender."""

    def __init__(self, ports):
        self.ended = threading.Event()
        self.outside = {}  # (inside socket, sender) → socket
        self.inside = {}
        for port in ports:
            each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.bind(("127.0.0.1", 0))
            self.inside[each] = port
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def port_for(self, port):
        return next(each.getsockname()[1] for each, target in self.inside.items() if target == port)

    def run(self):
        while not self.ended.is_set():
            readable = select.select([*self.inside, *self.outside.values()], [], [], 0.02)[0]
            for each in readable:
                try:
                    data, sender = each.recvfrom(65536)
                except OSError:
                    continue
                if each in self.inside:
                    self.send_on(each, sender, data)
                    continue
                (inside, sender), = (key for key, value in self.outside.items() if value is each)
                inside.sendto(data, sender)

    def send_on(self, inside, sender, data):
        if (inside, sender) not in self.outside:
            self.outside[inside, sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.outside[inside, sender].bind(("127.0.0.1", 0))
        self.outside[inside, sender].sendto(data, ("127.0.0.1", self.inside[inside]))

    def rebind(self):
        """As when the NAT forgets: from now on everything comes from yet other ports."""
        self.outside = {}

    def close(self):
        self.ended.set()
        self.thread.join()
        for each in (*self.inside, *self.outside.values()):
            each.close()


class TranslatedPorts(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server()
        self.relay = TranslatingRelay([self.sluice.rtp_port, self.sluice.rtp_port + 1])
        self.addCleanup(self.relay.close)

    def publisher(self, path, slot, tracks):
        """Its sockets send to the relay."""
        client = Client.on_slot(self.sluice, slot)
        pairs = [UdpPair() for _ in range(tracks)]
        for thing in (client, *pairs):
            self.addCleanup(thing.close)
        sections = [VIDEO, "m=audio 0 RTP/AVP 0\r\n"][:tracks]
        sdp = SESSION + "".join(f"{section}a=control:trackID={i}\r\n" for i, section in enumerate(sections))
        expect(client.announce(path, sdp=sdp), 200)
        for track, pair in enumerate(pairs):
            expect(client.setup(path, track, pair.transport, record=True), 200)
            pair.rtp.connect(("127.0.0.1", self.relay.port_for(self.sluice.rtp_port)))
            pair.rtcp.connect(("127.0.0.1", self.relay.port_for(self.sluice.rtp_port + 1)))
        expect(client.request("RECORD", path), 200)
        return client, pairs

    def packets(self, ssrc, track, number):
        if track == 0:
            return rtp(number, 3000 * number, b"\x65" + bytes([ssrc]), ssrc)
        return rtp(number, 160 * number, bytes([ssrc]), ssrc, payload_type=0)

    def wait_for_media(self, reader, pairs, ssrcs, first):
        """Until packets of each track come out with the SSRC they went in with; the next number."""
        missing, number = set(range(len(pairs))), first
        for number in range(first, first + 1000):
            for track, pair in enumerate(pairs):
                pair.rtp.send(self.packets(ssrcs[track], track, number))
                pair.rtcp.send(sender_report(ssrcs[track], 0))
            while frame := reader.frame(0.02):
                if frame[0] % 2 == 0:
                    self.assertEqual(frame[1][-1], ssrcs[frame[0] // 2])
                    missing.discard(frame[0] // 2)
            if not missing:
                return number + 1
        raise AssertionError(f"nothing of tracks {missing}")

    def check(self, slot):
        _, pairs = self.publisher("cam", slot, 2)
        reader = Client.on_slot(self.sluice, 1 - slot)
        self.addCleanup(reader.close)
        reader.play("cam", 2)
        number = self.wait_for_media(reader, pairs, (10, 11), 1)
        for track in range(2):
            self.sluice.wait_for_log(rf"RTP of track {track} comes from port \d+, not {pairs[track].port}\n")
        # What belongs to nobody stays outside, also beside a known SSRC from elsewhere.
        stranger = UdpPair()
        self.addCleanup(stranger.close)
        stranger.rtp.connect(("127.0.0.1", self.sluice.rtp_port))
        for _ in range(5):
            stranger.rtp.send(self.packets(99, 0, number))
        number = self.wait_for_media(reader, pairs, (10, 11), number)
        self.relay.rebind()
        moves = self.sluice.log().count("comes from port")
        number = self.wait_for_media(reader, pairs, (10, 11), number)
        self.assertGreater(self.sluice.log().count("comes from port"), moves)
        # Receiver reports find the way back.
        deadline = time.monotonic() + 30
        while True:
            number = self.wait_for_media(reader, pairs, (10, 11), number)
            pairs[0].rtcp.settimeout(0.1)
            try:
                kinds = [kind for kind, _ in rtcp_packets(pairs[0].rtcp.recv(2048))]
            except TimeoutError:
                kinds = []
            if 201 in kinds:
                break
            self.assertLess(time.monotonic(), deadline, "no receiver report")

    def test_are_followed_where_the_base_is_drained(self):
        self.check(0)

    def test_are_followed_in_the_other_worker(self):
        self.check(1)

    def test_of_two_publishers_behind_one_address(self):
        """The second's come to it, too, once the first has all of its own; never to each other."""
        _, first = self.publisher("one", 0, 1)
        readers = {path: Client(self.sluice) for path in ("one", "two")}
        for reader in readers.values():
            self.addCleanup(reader.close)
        readers["one"].play("one")
        number = self.wait_for_media(readers["one"], first, (10,), 1)
        _, second = self.publisher("two", 1, 1)
        readers["two"].play("two")
        number = self.wait_for_media(readers["two"], second, (20,), number)
        self.relay.rebind()
        number = self.wait_for_media(readers["one"], first, (10,), number)
        self.wait_for_media(readers["two"], second, (20,), number)

    def test_of_two_silent_publishers_are_not_guessed(self):
        _, first = self.publisher("one", 0, 1)
        _, second = self.publisher("two", 1, 1)
        for number in range(20):  # twice as long as it takes for one
            for ssrc, pairs in ((10, first), (20, second)):
                pairs[0].rtp.send(self.packets(ssrc, 0, number))
            time.sleep(0.1)
        self.assertNotIn("comes from port", self.sluice.log())


class ForgedSenders(TestCase):
    """Every reader knows the SSRC, and where a datagram came from is easily forged."""

    def begin(self):
        sluice = self.server()
        publisher, pair, self.thief = Client(sluice), UdpPair(), UdpPair()
        for thing in (publisher, pair, self.thief):
            self.addCleanup(thing.close)
        expect(publisher.announce("cam"), 200)
        pair.connect(expect(publisher.setup("cam", 0, pair.transport, record=True), 200))
        self.thief.rtp.connect(pair.rtp.getpeername())
        expect(publisher.request("RECORD", "cam"), 200)
        reader = Client(sluice)
        self.addCleanup(reader.close)
        reader.play("cam")
        return sluice, pair, reader, Source()

    def send(self, pair, source, pictures):
        for _ in range(pictures):
            try:
                pair.rtp.send(source.next())
            except ConnectionRefusedError:
                pass
            time.sleep(0.02)

    def test_take_no_publisher_s_place(self):
        sluice, pair, reader, source = self.begin()
        for _ in range(3):
            self.send(pair, source, 50)
            self.thief.rtp.send(rtp(9, 9, b"\x41evil"))
        self.send(pair, source, 50)
        for number in range(source.number):
            self.assertEqual(payload_number(reader.media_frame()), number)
        self.assertNotIn("comes from port", sluice.log())

    def test_who_was_silent_comes_back(self):
        """The place is taken while it is silent, and free again once the other is."""
        sluice, pair, reader, source = self.begin()
        self.send(pair, source, 5)
        time.sleep(1.2)
        self.thief.rtp.send(rtp(source.first + source.number, 9, b"\x41evil"))
        sluice.wait_for_log(rf"RTP of track 0 comes from port {self.thief.port}, not {pair.port}\n")
        self.send(pair, source, 150)
        sluice.wait_for_log(rf"RTP of track 0 comes from port {pair.port}, not {self.thief.port}\n")
        while payload_number(reader.media_frame()) != source.number - 1:
            pass
