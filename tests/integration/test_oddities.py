"""What real cameras, encoders and players do beside the standards, where a live server is needed to see it."""

from harness import TestCase
from rtsp import Client, Source, UdpPair, expect, payload_number, rtp

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
