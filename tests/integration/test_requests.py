"""What each request is answered with, and what malformed, slow and half-open clients get."""

import socket
import time

import rtsp
from harness import TestCase, close_with_reset
from rtsp import Client, Source, UdpPair, description, expect

METHODS = {"DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "RECORD", "PAUSE", "GET_PARAMETER", "TEARDOWN"}


class Requests(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server({"readTimeout": "3s"})

    def client(self):
        client = Client(self.sluice)
        self.addCleanup(client.close)
        return client

    def closed_with(self, reason):
        self.sluice.wait_for_log(r"closed \(" + reason)

    def test_options_lists_the_methods(self):
        client = self.client()
        for path in ("", "cam", "*"):
            response = expect(client.request("OPTIONS", path), 200)
            self.assertLessEqual(METHODS, set(response["Public"].split(", ")))
            self.assertIn("sluice", response["Server"])

    def test_describe_without_a_publisher_is_404_and_closes(self):
        client = self.client()
        expect(client.request("DESCRIBE", "cam"), 404)
        client.wait_until_closed(5)
        self.closed_with("no one is publishing to path 'cam'")

    def test_invalid_path_names_are_400(self):
        for path, reason in (
            ("", "cannot be empty"),
            ("/cam", "can't begin with a slash"),
            ("cam/", "can't end with a slash"),
            ("c@m", "can contain only alphanumeric characters, underscore, dot, tilde, minus or slash"),
        ):
            client = self.client()
            expect(client.request("DESCRIBE", path), 400)
            client.wait_until_closed(5)
            self.closed_with(f"invalid path name: {reason}")

    def test_setup_without_a_publisher_is_404(self):
        client = self.client()
        expect(client.setup("cam"), 404)
        client.wait_until_closed(5)

    def test_an_unknown_session_is_454_and_closes(self):
        for method in ("PLAY", "RECORD", "PAUSE", "TEARDOWN", "GET_PARAMETER", "OPTIONS"):
            client = self.client()
            expect(client.request(method, "cam", {"Session": "12345"}), 454)
            client.wait_until_closed(5)
        self.closed_with("session not found")

    def test_a_missing_cseq_is_400_and_closes(self):
        for headers in ("", "CSeq: 1\r\nCSeq: 1\r\n"):
            client = self.client()
            client.send(f"OPTIONS {self.sluice.url('cam')} RTSP/1.0\r\n{headers}\r\n")
            response = client.response()
            self.assertEqual((response.status, response["CSeq"]), (400, ""))
            client.wait_until_closed(5)
        self.closed_with("CSeq is missing")

    def test_cseq_is_echoed_as_sent(self):
        client = self.client()
        client.send(f"OPTIONS {self.sluice.url('cam')} RTSP/1.0\r\ncseq:   000777\r\n\r\n")
        self.assertEqual(client.response()["CSeq"], "000777")

    def test_unknown_methods_are_501_and_keep_the_connection(self):
        client = self.client()
        for method in ("REDIRECT", "FLY", "options"):
            expect(client.request(method, "cam"), 501)
        expect(client.request("OPTIONS", "cam"), 200)

    def test_methods_that_need_a_session_keep_the_connection_without_one(self):
        client = self.client()
        for method in ("PLAY", "RECORD", "PAUSE", "TEARDOWN"):
            self.assertIn(client.request(method, "cam").status, (454, 455), method)
        expect(client.request("OPTIONS", "cam"), 200)

    def test_get_parameter_without_a_session_is_200(self):
        client = self.client()
        expect(client.request("GET_PARAMETER", "cam"), 200)
        expect(client.request("OPTIONS", "cam"), 200)

    def test_get_and_set_parameter_in_a_session_are_200(self):
        client = self.client().publish("cam")
        response = expect(client.request("GET_PARAMETER", "cam"), 200)
        self.assertEqual(response["Content-Type"], "text/parameters")
        self.assertEqual(response["Session"].split(";")[0], client.session)
        expect(client.request("SET_PARAMETER", "cam"), 200)

    def test_requests_may_come_a_byte_at_a_time_and_many_at_once(self):
        client = self.client()
        for byte in f"OPTIONS {self.sluice.url('cam')} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode():
            client.send(bytes([byte]))
        expect(client.response(), 200)
        client.send("".join(f"OPTIONS {self.sluice.url('cam')} RTSP/1.0\r\nCSeq: {i}\r\n\r\n" for i in range(50)))
        self.assertEqual([client.response()["CSeq"] for _ in range(50)], [str(i) for i in range(50)])

    def test_what_is_oversized_or_malformed_closes_the_connection_without_an_answer(self):
        url = self.sluice.url("cam")
        for name, data in {
            "method": "A" * 65 + f" {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            "url": f"OPTIONS {url}{'a' * 2100} RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            "header name": f"OPTIONS {url} RTSP/1.0\r\n{'A' * 513}: 1\r\nCSeq: 1\r\n\r\n",
            "header value": f"OPTIONS {url} RTSP/1.0\r\nA: {'1' * 2049}\r\nCSeq: 1\r\n\r\n",
            "header count": f"OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\n" + "".join(f"A{i}: 1\r\n" for i in range(260)) + "\r\n",
            "body": f"OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\nContent-Length: {128 * 1024 + 1}\r\n\r\n",
            "negative body": f"OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n",
            "version": f"OPTIONS {url} RTSP/2.0\r\nCSeq: 1\r\n\r\n",
            "http": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "scheme": "OPTIONS http://localhost/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            "fragment": f"OPTIONS {url}#1 RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            "no line end": "A" * 100_000,
            "binary": bytes(range(1, 36)) * 200,
        }.items():
            with self.subTest(name):
                client = Client(self.sluice)
                try:
                    client.send(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                self.assertEqual(client.wait_until_closed(2), b"")  # sooner than readTimeout
                client.close()
        self.assertTrue(self.sluice.answers())

    def test_limits_themselves_are_accepted(self):
        client = self.client()
        headers = {f"A{i}": "1" for i in range(250)} | {"B" * 512: "1", "C": "2" * 2048}
        expect(client.request("OPTIONS", "cam", headers), 200)
        expect(client.request("OPTIONS", "cam", body=b"x" * 128 * 1024), 200)

    def test_a_half_open_request_is_closed_after_read_timeout(self):
        for part in ("", "OPTIONS rtsp://", "OPTIONS rtsp://localhost/cam RTSP/1.0\r\nCSeq: 1\r\n"):
            client = self.client()
            started = time.monotonic()
            client.send(part)
            client.wait_until_closed(20)
            self.assertGreater(time.monotonic() - started, 1.5)

    def test_a_request_that_never_ends_is_closed_after_read_timeout(self):
        client = self.client()
        started = time.monotonic()
        client.send("OPTIONS rtsp://localhost/cam RTSP/1.0\r\n")
        with self.assertRaises(OSError):  # a header a second keeps no request alive
            while time.monotonic() - started < 20:
                client.send("A: 1\r\n")
                time.sleep(0.5)
        self.assertLess(time.monotonic() - started, 19)

    def test_a_body_that_never_comes_is_closed_after_read_timeout(self):
        client = self.client()
        client.send(f"ANNOUNCE {self.sluice.url('cam')} RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 500\r\n\r\nv=0")
        client.wait_until_closed(20)

    def test_others_notice_nothing_of_bad_clients(self):
        publisher, reader, source = self.client().publish("cam"), self.client(), Source()
        reader.play("cam")
        numbers = []
        for i in range(60):
            publisher.send_frame(0, source.next())
            bad = socket.create_connection(("127.0.0.1", self.sluice.rtsp_port), 5)
            bad.sendall((b"\x00\xff$\x00\xff\xff" * 500, b"OPTIONS ", b"\r\n" * 200, b"$\x00\x00\x00" * 50)[i % 4])
            close_with_reset(bad)
            while len(numbers) <= i:
                channel, packet = reader.frame()
                if channel == 0:
                    numbers.append(rtsp.payload_number(packet))
        self.assertEqual(numbers, list(range(60)))


class Announce(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server()

    def refused(self, reason, headers=None, sdp=None, path="cam"):
        with Client(self.sluice) as client:
            body = description() if sdp is None else sdp
            response = client.request("ANNOUNCE", path, {"Content-Type": "application/sdp"} if headers is None else headers, body.encode())
            self.assertEqual(response.status, 400, reason)
            client.wait_until_closed(5)
        self.sluice.wait_for_log(r"closed \(.*" + reason)

    def test_refusals_name_the_reason(self):
        self.refused("Content-Type header is missing", headers={})
        self.refused("unsupported Content-Type header", headers={"Content-Type": "text/plain"})
        self.refused("invalid SDP", sdp="this is no SDP")
        self.refused("invalid SDP", sdp=description().replace("a=rtpmap:96 H264/90000\r\n", ""))
        self.refused("invalid SDP", sdp=description(0))
        self.refused("invalid track path", sdp=description(1, self.sluice.url("other") + "/trackID={}"))

    def test_only_announced_tracks_can_be_recorded(self):
        with Client(self.sluice) as client:
            expect(client.announce("cam", tracks=2), 200)
            expect(client.setup("cam", 5, "RTP/AVP/TCP;unicast;interleaved=0-1", record=True), 400)
            client.wait_until_closed(5)

    def test_record_needs_all_tracks(self):
        with Client(self.sluice) as client:
            expect(client.announce("cam", tracks=2), 200)
            expect(client.setup("cam", 0, record=True), 200)
            expect(client.request("RECORD", "cam"), 400)
        self.sluice.wait_for_log("not all announced tracks have been setup")

    def test_the_description_comes_back(self):
        with Client(self.sluice) as publisher, Client(self.sluice) as reader:
            publisher.publish("some/path-1.~_x", tracks=2)
            response = expect(reader.request("DESCRIBE", "some/path-1.~_x"), 200)
            self.assertEqual(response["Content-Type"], "application/sdp")
            self.assertEqual(response["Content-Base"], self.sluice.url("some/path-1.~_x") + "/")
            sdp = response.body.decode()
            self.assertEqual(sdp.count("m=video 0 RTP/AVP 96\r\n"), 2)
            self.assertEqual(sdp.count("a=rtpmap:96 H264/90000\r\n"), 2)
            for line in ("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=Stream", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:trackID=0", "a=control:trackID=1"):
                self.assertIn(line + "\r\n", sdp)


class Setup(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server()
        self.publisher = Client(self.sluice).publish("cam", tracks=2)
        self.addCleanup(self.publisher.close)

    def setup_with(self, transport, status, path="cam/trackID=0", keep=False):
        with Client(self.sluice) as client:
            response = expect(client.request("SETUP", path, {"Transport": transport}), status)
            if status == 400 and not keep:
                client.wait_until_closed(5)
            if status == 461:
                expect(client.request("OPTIONS", "cam"), 200)
            return response

    def test_answers_name_the_transport(self):
        response = self.setup_with("RTP/AVP/TCP;unicast;interleaved=4-5", 200)
        self.assertTrue(response["Transport"].startswith("RTP/AVP/TCP;unicast;interleaved=4-5"), response)
        self.assertTrue(response["Session"])
        response = self.setup_with("RTP/AVP;unicast;client_port=35000-35001", 200)
        ports = f"{self.sluice.rtp_port}-{self.sluice.rtp_port + 1}"
        self.assertTrue(response["Transport"].startswith(f"RTP/AVP;unicast;client_port=35000-35001;server_port={ports}"), response)
        self.assertIn(";timeout=60", response["Session"])
        self.setup_with("RTP/AVP/UDP;unicast;client_port=35002-35003", 200)

    def test_the_first_acceptable_alternative_is_taken(self):
        response = self.setup_with("RTP/SAVP;unicast;client_port=1-2,RTP/AVP/TCP;unicast;interleaved=0-1", 200)
        self.assertIn("RTP/AVP/TCP", response["Transport"])

    def test_bad_transports_are_refused(self):
        self.setup_with("RTP/AVP;unicast", 400)
        self.setup_with("RTP/AVP/TCP;unicast;interleaved=1-2", 400)
        self.setup_with("RTP/AVP/TCP;unicast;interleaved=0-5", 400)
        self.setup_with("RTP/AVP/TCP;multicast;interleaved=0-1", 461)
        self.setup_with("", 400)
        self.setup_with("RTP/AVP/TCP;unicast;interleaved=0-1", 400, "cam/trackID=7")
        self.setup_with("RTP/AVP/TCP;unicast;interleaved=0-1", 400, "cam")

    def test_tracks_cannot_mix_transports_paths_or_channels(self):
        for second, path in (
            ("RTP/AVP;unicast;client_port=35000-35001", "cam/trackID=1"),
            ("RTP/AVP/TCP;unicast;interleaved=0-1", "cam/trackID=1"),
            ("RTP/AVP/TCP;unicast;interleaved=2-3", "cam/trackID=0"),
            ("RTP/AVP/TCP;unicast;interleaved=2-3", "cam2/trackID=1"),
        ):
            with Client(self.sluice) as client:
                expect(client.setup("cam", 0), 200)
                expect(client.request("SETUP", path, {"Transport": second}), 400)
                client.wait_until_closed(5)

    def test_disabled_transports_are_461_and_keep_the_connection(self):
        only_tcp = self.server({"protocols": ["tcp"]})
        with Client(only_tcp) as publisher, Client(only_tcp) as reader:
            publisher.publish("cam")
            expect(reader.setup("cam", 0, "RTP/AVP;unicast;client_port=35000-35001"), 461)
            expect(reader.setup("cam", 0), 200)
        only_udp = self.server({"protocols": ["udp"]})
        with Client(only_udp) as client:
            expect(client.announce("cam"), 200)
            expect(client.setup("cam", 0, record=True), 461)
            pair = UdpPair()
            self.addCleanup(pair.close)
            expect(client.setup("cam", 0, pair.transport, record=True), 200)
