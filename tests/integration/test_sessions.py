"""Publishing and reading: what arrives, reports, timeouts, overrides, sessions on more than one connection."""

import re
import struct
import threading
import time

import rtsp
from harness import TestCase, wait_until
from rtsp import Client, Source, UdpPair, expect, payload_number, rtcp_packets, rtp_sequence, rtp_ssrc

SENDER_REPORT, RECEIVER_REPORT = 200, 201


class Background(threading.Thread):
    """Repeats a step until the test ends; its exception is the test's."""

    def __init__(self, test, step, every_s):
        super().__init__(daemon=True)
        self.step, self.every_s, self.error, self.ended = step, every_s, None, threading.Event()
        test.addCleanup(self.finish)
        self.start()

    def run(self):
        try:
            while not self.ended.wait(self.every_s):
                self.step()
        except Exception as error:  # told by finish
            self.error = error

    def finish(self):
        self.ended.set()
        self.join(10)
        if self.error:
            raise self.error


class Sessions(TestCase):
    configuration = {}

    def setUp(self):
        super().setUp()
        self.sluice = self.server(self.configuration)

    def client(self, slot=None):
        client = Client(self.sluice) if slot is None else Client.on_slot(self.sluice, slot)
        self.addCleanup(client.close)
        return client

    def pair(self):
        pair = UdpPair()
        self.addCleanup(pair.close)
        return pair

    def publish_by_udp(self, path, slot=None):
        client, pair = self.client(slot), self.pair()
        expect(client.announce(path), 200)
        pair.connect(expect(client.setup(path, 0, pair.transport, record=True), 200))
        expect(client.request("RECORD", path), 200)
        return client, pair

    def read_by_udp(self, path, slot=None):
        client, pair = self.client(slot), self.pair()
        pair.connect(expect(client.setup(path, 0, pair.transport), 200))
        expect(client.request("PLAY", path), 200)
        return client, pair


class Media(Sessions):
    def test_packets_go_unchanged_from_each_worker_to_each(self):
        for written in (0, 1):
            for read in (0, 1):
                with self.subTest(written=written, read=read):
                    path, source = f"cam{written}{read}", Source()
                    publisher, reader = self.client(written).publish(path), self.client(read)
                    udp, pair = self.read_by_udp(path, read)
                    reader.play(path)
                    sent = [source.next(size) for size in (0, 1, 700, 1400) * 25]
                    for packet in sent:
                        publisher.send_frame(0, packet)
                    self.assertEqual([reader.media_frame() for _ in sent], sent)
                    self.assertEqual([pair.rtp.recv(2048) for _ in sent], sent)
                    publisher.close()

    def test_each_track_has_its_channel(self):
        publisher, reader, sources = self.client().publish("cam", tracks=3), self.client(), [Source(ssrc) for ssrc in (1, 2, 3)]
        for track, channel in enumerate((6, 0, 10)):
            expect(reader.setup("cam", track, f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"), 200)
        expect(reader.request("PLAY", "cam"), 200)
        sent = []
        for i in range(30):
            publisher.send_frame(2 * (i % 3), sources[i % 3].next())
            sent.append((6, 0, 10)[i % 3])
        got = []
        while len(got) < 30:
            channel, data = reader.frame()
            if channel % 2 == 0:
                got.append(channel)
                self.assertEqual(rtp_ssrc(data), {6: 1, 0: 2, 10: 3}[channel])
        self.assertEqual(got, sent)

    def test_a_reader_may_take_only_some_tracks(self):
        publisher, reader, sources = self.client().publish("cam", tracks=2), self.client(), [Source(1), Source(2)]
        expect(reader.setup("cam", 1, "RTP/AVP/TCP;unicast;interleaved=0-1"), 200)
        expect(reader.request("PLAY", "cam"), 200)
        for i in range(20):
            publisher.send_frame(2 * (i % 2), sources[i % 2].next())
        for number in range(10):
            data = reader.media_frame()
            self.assertEqual((rtp_ssrc(data), payload_number(data)), (2, number))

    def test_a_reader_gets_all_that_is_sent_after_the_answer_to_play(self):
        publisher, reader, source = self.client(0).publish("cam"), self.client(1), Source()
        reader.play("cam")
        for number in range(200):
            publisher.send_frame(0, source.next())
            self.assertEqual(payload_number(reader.media_frame()), number)
            expect(reader.request("PAUSE", "cam"), 200)
            expect(reader.request("PLAY", "cam"), 200)

    def test_udp_publishers_reach_tcp_readers_in_order(self):
        publisher, pair = self.publish_by_udp("cam", 0)
        reader, source = self.client(1), Source()
        reader.play("cam")
        packets = [source.next() for _ in range(40)]
        for first, second in zip(packets[::2], packets[1::2]):
            for packet in (second, first) if rtp_sequence(first) > 1010 else (first, second):
                pair.rtp.send(packet)
                time.sleep(0.001)
        self.assertEqual([reader.media_frame() for _ in range(40)], packets)

    def test_unknown_senders_are_dropped(self):
        publisher, pair = self.publish_by_udp("cam")
        reader, stranger, source = self.client(), self.pair(), Source()
        reader.play("cam")
        stranger.rtp.connect(("127.0.0.1", self.sluice.rtp_port))
        for number in range(50):
            stranger.rtp.send(Source(ssrc=number).next())
            pair.rtp.send(source.next())
            self.assertEqual(payload_number(reader.media_frame()), number)

    def test_play_tells_sequence_and_time_and_setup_the_ssrc(self):
        publisher, source = self.client().publish("cam"), Source(ssrc=0xABCDEF01)
        early = self.client()
        self.assertNotIn("ssrc", expect(early.setup("cam"), 200)["Transport"])
        self.assertEqual(expect(early.request("PLAY", "cam"), 200)["RTP-Info"], "")
        for _ in range(21):
            publisher.send_frame(0, source.next())
        early.media_frame()
        reader = self.client()
        self.assertIn("ssrc=ABCDEF01", expect(reader.setup("cam"), 200)["Transport"])
        information = expect(reader.request("PLAY", "cam"), 200)["RTP-Info"]
        self.assertRegex(information, rf"^url={self.sluice.url('cam')}/trackID=0;seq=\d+;rtptime=\d+$")
        publisher.send_frame(0, source.next())
        first = reader.media_frame()
        self.assertEqual(information.partition("seq=")[2].split(";")[0], str(rtp_sequence(first)))

    def test_pause_and_play_go_on_with_what_is_live(self):
        publisher, reader, source = self.client().publish("cam"), self.client(), Source()
        reader.play("cam")
        publisher.send_frame(0, source.next())
        self.assertEqual(payload_number(reader.media_frame()), 0)
        expect(reader.request("PAUSE", "cam"), 200)
        for _ in range(5):
            publisher.send_frame(0, source.next())
        self.assertIsNone(reader.frame(0.5))
        expect(reader.request("PLAY", "cam"), 200)
        publisher.send_frame(0, source.next())
        self.assertEqual(payload_number(reader.media_frame()), 6)

    def test_requests_are_answered_between_interleaved_frames(self):
        publisher, reader, source = self.client().publish("cam"), self.client(), Source()
        reader.play("cam")
        background = Background(self, lambda: publisher.send_frame(0, source.next()), 0.002)
        for _ in range(100):
            expect(reader.request("GET_PARAMETER", "cam"), 200)
            expect(reader.request("OPTIONS", "cam"), 200)
        background.finish()
        numbers = [payload_number(data) for channel, data in reader.frames if channel == 0]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_large_payloads_from_tcp_reach_udp_readers_in_small_packets(self):
        publisher, source = self.client().publish("cam"), Source()
        reader, pair = self.read_by_udp("cam")
        unit = bytes([0x65]) + bytes(i & 0xFF for i in range(20_000))
        publisher.send_frame(0, rtsp.rtp(500, 9000, unit))
        rebuilt, packets = b"", 0
        while True:
            packet = pair.rtp.recv(65536)
            self.assertLessEqual(len(packet), 1472)
            indicator, header = packet[12], packet[13]
            self.assertEqual(indicator & 0x1F, 28)  # FU-A, RFC 6184 section 5.8
            if header & 0x80:
                self.assertEqual(rtp_sequence(packet), 500)
                rebuilt = bytes([indicator & 0xE0 | header & 0x1F])
            rebuilt += packet[14:]
            packets += 1
            if header & 0x40:
                break
        self.assertEqual(rebuilt, unit)
        self.assertGreater(packets, 13)


class Reports(Sessions):
    def wait_for_report(self, take, kind):
        """take() gives RTCP; until one of this kind."""
        deadline = time.monotonic() + 25
        while time.monotonic() < deadline:
            for found, data in rtcp_packets(take() or b""):
                if found == kind:
                    return data
        raise AssertionError("no report within 25 s")

    def test_readers_get_sender_reports_and_publishers_receiver_reports(self):
        publishers = {"tcp": self.client().publish("tcp"), "udp": None}
        publishers["udp"], udp_pair = self.publish_by_udp("udp")
        sources = {"tcp": Source(ssrc=0xAAAA0001), "udp": Source(ssrc=0xAAAA0002)}
        started = time.monotonic()

        def publish():
            publishers["tcp"].send_frame(0, sources["tcp"].next())
            udp_pair.rtp.send(sources["udp"].next())
            if sources["tcp"].number % 20 == 5:
                publishers["tcp"].send_frame(1, rtsp.sender_report(0xAAAA0001, 3000 * sources["tcp"].number))
                udp_pair.rtcp.send(rtsp.sender_report(0xAAAA0002, 3000 * sources["udp"].number))

        Background(self, publish, 1 / 30)
        wait_until(lambda: time.monotonic() - started > 0.5)
        tcp_reader = self.client()
        tcp_reader.play("udp")
        udp_reader, reader_pair = self.read_by_udp("tcp")

        def interleaved_rtcp(client):
            channel, data = client.frame(1) or (None, b"")
            return data if channel == 1 else b""

        report = self.wait_for_report(lambda: interleaved_rtcp(tcp_reader), SENDER_REPORT)
        self.check_sender_report(report, 0xAAAA0002, sources["udp"])
        report = self.wait_for_report(lambda: reader_pair.rtcp.recv(2048), SENDER_REPORT)
        self.check_sender_report(report, 0xAAAA0001, sources["tcp"])
        report = self.wait_for_report(lambda: udp_pair.rtcp.recv(2048), RECEIVER_REPORT)
        while len(report) < 32:  # the first, empty one opens the way
            report = self.wait_for_report(lambda: udp_pair.rtcp.recv(2048), RECEIVER_REPORT)
        self.assertEqual(struct.unpack(">I", report[8:12])[0], 0xAAAA0002)
        self.assertEqual(report[12], 0)  # nothing lost

        report = self.wait_for_report(lambda: interleaved_rtcp(publishers["tcp"]), RECEIVER_REPORT)
        self.assertEqual(struct.unpack(">I", report[8:12])[0], 0xAAAA0001)

    def check_sender_report(self, report, ssrc, source):
        _, seconds, _, rtp_time, packets, octets = struct.unpack(">IIIIII", report[4:28])
        self.assertEqual(struct.unpack(">I", report[4:8])[0], ssrc)
        self.assertLess(abs(seconds - 2208988800 - time.time()), 5)
        self.assertLess(abs(rtp_time - 3000 * source.number), 90_000 * 3)
        self.assertGreater(packets, 0)
        self.assertGreater(octets, packets * 100)

    def test_reports_that_can_not_be_read_are_ignored_but_not_such_packets(self):
        """What GStreamer's rtspclientsink sends at its end, over TLS: two of its threads write at once."""
        publisher, source = self.client(0).publish("cam"), Source()
        reader = self.client(1)
        reader.play("cam")
        torn = rtsp.sender_report(0x11223344, 3000)[:-4]
        for report in (torn, b"", b"\x80", b"rubbish", torn):
            publisher.send_frame(1, report)
            reader.send_frame(1, report)
            publisher.send_frame(0, source.next())
            self.assertEqual(payload_number(reader.media_frame()), source.number - 1)
        expect(publisher.request("OPTIONS", "cam"), 200)
        expect(reader.request("OPTIONS", "cam"), 200)
        ignored = r"\[RTSP\] \[session \d+\] RTCP packets that can't be read are ignored: invalid RTCP packet: the length"
        self.assertEqual(len(re.findall(ignored, self.sluice.log())), 2)

        publisher.send_frame(0, b"rubbish")
        publisher.wait_until_closed(5)
        reader.wait_until_closed(5)
        self.sluice.wait_for_log(r"\[conn .*\] closed \(invalid RTP packet")
        self.sluice.wait_for_log(r"(?s)(\[session \d+\] 5 RTCP packets could not be read.*){2}")

    def test_udp_publishers_are_greeted(self):
        _, pair = self.publish_by_udp("cam")
        self.assertEqual(pair.rtp.recv(2048)[0] >> 6, 2)
        self.assertEqual(pair.rtcp.recv(2048)[1], RECEIVER_REPORT)

    def test_lost_packets_are_reported_to_udp_publishers(self):
        publisher, pair = self.publish_by_udp("cam")
        source = Source(ssrc=0xAAAA0003)

        def publish():
            packet = source.next()
            if source.number % 10 != 7:
                pair.rtp.send(packet)
            if source.number % 20 == 5:
                pair.rtcp.send(rtsp.sender_report(0xAAAA0003, 3000 * source.number))

        Background(self, publish, 1 / 60)
        report = b""
        while len(report) < 32:
            report = self.wait_for_report(lambda: pair.rtcp.recv(2048), RECEIVER_REPORT)
        self.assertGreater(report[12], 0)  # of 256
        lost = struct.unpack(">I", b"\0" + report[13:16])[0]
        self.assertTrue(source.number / 20 <= lost <= source.number / 5, (lost, source.number))


class Ownership(Sessions):
    def test_a_new_publisher_displaces_the_old_one_and_its_readers(self):
        old, reader = self.client(0).publish("cam"), self.client(1)
        reader.play("cam")
        new = self.client(1)
        expect(new.announce("cam"), 200)
        old.wait_until_closed(5)
        reader.wait_until_closed(5)
        self.sluice.wait_for_log(r"\[path cam\] closing existing publisher")
        expect(new.setup("cam", 0, record=True), 200)
        expect(new.request("RECORD", "cam"), 200)
        again, source = self.client(0), Source()
        again.play("cam")
        new.send_frame(0, source.next())
        self.assertEqual(payload_number(again.media_frame()), 0)

    def test_a_path_is_not_ready_before_record(self):
        publisher = self.client()
        expect(publisher.announce("cam"), 200)
        expect(self.client().request("DESCRIBE", "cam"), 404)
        expect(publisher.setup("cam", 0, record=True), 200)
        expect(self.client().request("DESCRIBE", "cam"), 404)
        expect(publisher.request("RECORD", "cam"), 200)
        expect(self.client().request("DESCRIBE", "cam"), 200)

    def test_readers_end_with_their_publisher(self):
        for end in ("TEARDOWN", "PAUSE", "close"):
            publisher, reader = self.client(0).publish("cam"), self.client(1)
            reader.play("cam")
            publisher.close() if end == "close" else expect(publisher.request(end, "cam"), 200)
            reader.wait_until_closed(5)
            publisher.close()

    def test_a_paused_publisher_may_record_again(self):
        publisher, source = self.client(), Source()
        publisher.publish("cam")
        expect(publisher.request("PAUSE", "cam"), 200)
        expect(self.client().request("DESCRIBE", "cam"), 404)
        expect(publisher.request("RECORD", "cam"), 200)
        reader = self.client()
        reader.play("cam")
        publisher.send_frame(0, source.next())
        self.assertEqual(payload_number(reader.media_frame()), 0)

    def test_teardown_of_a_tcp_reader_leaves_the_stream_to_others(self):
        publisher, source = self.client().publish("cam"), Source()
        first, second = self.client(), self.client()
        first.play("cam")
        second.play("cam")
        expect(first.request("TEARDOWN", "cam"), 200)
        self.sluice.wait_for_log(r"destroyed \(teared down by 127\.0\.0\.1:\d+\)")
        publisher.send_frame(0, source.next())
        self.assertEqual(payload_number(second.media_frame()), 0)


class Timeouts(Sessions):
    configuration = {"readTimeout": "3s"}

    def test_a_silent_udp_publisher_ends(self):
        publisher, pair = self.publish_by_udp("cam")
        pair.rtp.send(Source().next())
        self.sluice.wait_for_log(r"destroyed \(no UDP packets received in a while\)", 20)
        expect(self.client().request("DESCRIBE", "cam"), 404)

    def test_a_silent_tcp_publisher_ends(self):
        publisher = self.client().publish("cam")
        publisher.send_frame(0, Source().next())
        publisher.wait_until_closed(20)
        expect(self.client().request("DESCRIBE", "cam"), 404)

    def test_publishers_that_send_do_not_time_out(self):
        tcp = self.client().publish("tcp")
        udp, pair = self.publish_by_udp("udp")
        reader, source = self.client(), Source()
        reader.play("tcp")  # and a TCP reader that is silent does not
        for _ in range(20):
            packet = source.next()
            tcp.send_frame(0, packet)
            pair.rtp.send(packet)
            time.sleep(0.25)
        for path in ("tcp", "udp"):
            expect(self.client().request("DESCRIBE", path), 200)
        for number in range(20):
            self.assertEqual(payload_number(reader.media_frame()), number)

    def test_a_reader_that_does_not_read_is_closed_and_hurts_no_one(self):
        slow_server = self.server({"writeTimeout": "2s"})
        publisher, source = Client(slow_server).publish("cam"), Source()
        stuck, reader = Client(slow_server, receive_buffer=4096), Client(slow_server)
        for client in (publisher, stuck, reader):
            self.addCleanup(client.close)
        stuck.play("cam")
        reader.play("cam")
        started = time.monotonic()
        number = 0
        while "destroyed" not in slow_server.log():
            self.assertLess(time.monotonic() - started, 30, f"after {source.number} packets of 1300 bytes")
            for _ in range(50):
                publisher.send_frame(0, source.next(1300))
            for _ in range(50):
                self.assertEqual(payload_number(reader.media_frame()), number)
                number += 1
        self.assertEqual(slow_server.log().count("destroyed"), 1)


class Connections(Sessions):
    """Sessions with UDP outlive their connection, and any connection reaches them, in any worker."""

    def test_udp_readers_outlive_their_connection_and_end_by_teardown_from_either_worker(self):
        publisher, source = self.client(0).publish("cam"), Source()
        for mine in (0, 1):
            for other in (0, 1):
                with self.subTest(session=mine, connection=other):
                    reader, pair = self.read_by_udp("cam", mine)
                    reader.close()
                    time.sleep(0.3)
                    publisher.send_frame(0, source.next())
                    self.assertEqual(payload_number(pair.rtp.recv(2048)), source.number - 1)
                    again = self.client(other)
                    again.session = reader.session
                    expect(again.request("GET_PARAMETER", "cam"), 200)
                    expect(again.request("OPTIONS", "cam"), 200)
                    expect(again.request("TEARDOWN", "cam"), 200)
                    expect(again.request("OPTIONS", "cam", session=False), 200)
                    publisher.send_frame(0, source.next())
                    pair.rtp.settimeout(0.5)
                    with self.assertRaises(OSError):
                        while payload_number(pair.rtp.recv(2048)) != source.number - 1:
                            pass

    def test_udp_publishers_outlive_their_connection(self):
        publisher, pair = self.publish_by_udp("cam", 0)
        publisher.close()
        time.sleep(0.3)
        reader, source = self.client(1), Source()
        reader.play("cam")
        pair.rtp.send(source.next())
        self.assertEqual(payload_number(reader.media_frame()), 0)
        again = self.client(1)
        again.session = publisher.session
        expect(again.request("TEARDOWN", "cam"), 200)
        reader.wait_until_closed(5)

    def test_requests_sent_behind_the_one_that_moves_are_answered_in_order(self):
        self.client(0).publish("cam")
        reader, _ = self.read_by_udp("cam", 0)
        reader.close()
        again = self.client(1)
        url = self.sluice.url("cam")
        again.send(f"OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n" + "".join(
            f"GET_PARAMETER {url} RTSP/1.0\r\nCSeq: {i}\r\nSession: {reader.session}\r\n\r\n" for i in range(2, 30)))
        for i in range(1, 30):
            response = expect(again.response(), 200)
            self.assertEqual(response["CSeq"], str(i))

    def test_a_session_id_sent_back_with_its_timeout_is_found(self):
        self.client(0).publish("cam")
        reader, _ = self.read_by_udp("cam")
        reader.session += ";timeout=60"
        expect(reader.request("GET_PARAMETER", "cam"), 200)

    def test_a_tcp_session_belongs_to_its_connection(self):
        self.client(0).publish("cam")
        for slot in (0, 1):
            reader = self.client(0)
            reader.play("cam")
            other = self.client(slot)
            other.session = reader.session
            self.assertIn(other.request("GET_PARAMETER", "cam").status, (400, 454))
            expect(reader.request("GET_PARAMETER", "cam"), 200)

    def test_a_connection_has_one_session(self):
        publisher = self.client().publish("cam")
        other = self.client().publish("cam2")
        session, publisher.session = publisher.session, other.session
        self.assertIn(publisher.request("GET_PARAMETER", "cam").status, (400, 454))


class Dialogues(Sessions):
    """What players say that differs from the clients that the tests run, word for word in what matters."""

    def test_the_dialogue_of_vlc(self):
        # VLC's library is live555: trailing slashes, Accept, Range, and keep-alive by GET_PARAMETER.
        publisher = self.client(0).publish("cam", tracks=2)
        agent = {"User-Agent": "LibVLC/3.0.18 (LIVE555 Streaming Media v2016.11.28)"}
        for by in ("tcp", "udp"):
            with self.subTest(by):
                player, sources, pairs = self.client(1), [Source(1), Source(2)], [self.pair(), self.pair()]
                expect(player.request("OPTIONS", "cam", agent), 200)
                described = expect(player.request("DESCRIBE", "cam", {**agent, "Accept": "application/sdp"}), 200)
                base = described["Content-Base"]
                for track in (0, 1):
                    self.assertIn(f"a=control:trackID={track}\r\n", described.body.decode())
                    transport = pairs[track].transport if by == "udp" else f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
                    response = expect(player.request("SETUP", f"{base}trackID={track}", {**agent, "Transport": transport}), 200)
                    if by == "udp":
                        pairs[track].connect(response)
                expect(player.request("PLAY", base, {**agent, "Range": "npt=0.000-"}), 200)
                for i in range(20):
                    publisher.send_frame(2 * (i % 2), sources[i % 2].next())
                for number in range(10):
                    if by == "udp":
                        packets = [pair.rtp.recv(2048) for pair in pairs]
                    else:
                        packets = [player.media_frame(), player.media_frame()]
                    self.assertEqual([(rtp_ssrc(p), payload_number(p)) for p in packets], [(1, number), (2, number)])
                expect(player.request("GET_PARAMETER", base, agent), 200)
                expect(player.request("TEARDOWN", base, agent), 200)
