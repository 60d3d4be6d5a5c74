"""Clients that mean harm: they may lose their own connection, and nothing else changes."""

import os
import time

from harness import TestCase, wait_until
from rtsp import Client, Closed, Source, UdpPair, expect, payload_number


class Hostile(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server({"rtspWorkers": 2})
        self.publisher, self.source = Client(self.sluice).publish("cam"), Source()
        self.reader = Client(self.sluice)
        self.reader.play("cam")
        self.workers = [self.sluice.workers()[slot] for slot in (0, 1)]
        self.addCleanup(self.publisher.close)
        self.addCleanup(self.reader.close)

    def check_nobody_noticed(self):
        for _ in range(20):
            self.publisher.send_frame(0, self.source.next())
            self.assertEqual(payload_number(self.reader.media_frame()), self.source.number - 1)
        self.assertEqual([self.sluice.workers()[slot] for slot in (0, 1)], self.workers)

    def test_more_input_than_a_message_holds_behind_a_request_for_another_worker(self):
        frame = b"$\x09" + (60000).to_bytes(2, "big") + bytes(60000)
        for attempt in range(24):
            client = Client(self.sluice, timeout_s=2)
            session = (1234567 << 6) | attempt % 2
            request = f"GET_PARAMETER {self.sluice.url('cam')} RTSP/1.0\r\nCSeq: 1\r\nSession: {session}\r\n\r\n"
            try:
                client.send(frame * 40 + request.encode() + frame * 5)
            except OSError:
                pass  # the server may close it at any time
            client.close()
        self.check_nobody_noticed()

    def test_two_connections_set_up_one_session_at_once(self):
        def descriptors():
            return [len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers]

        before = descriptors()
        for _ in range(30):
            first, second = Client(self.sluice), Client(self.sluice)
            expect(first.setup("cam", 0, "RTP/AVP;multicast"), 461)
            second.session = first.session
            expect(second.request("OPTIONS", "cam"), 200)
            pairs = [UdpPair(), UdpPair()]
            for client, pair in zip((first, second), pairs):
                client.send_request("SETUP", self.sluice.url("cam/trackID=0"), {"Transport": pair.transport})
            statuses = []
            for client in (first, second):
                try:
                    statuses.append(client.response().status)
                except (Closed, ConnectionResetError):
                    statuses.append(None)
            self.assertLessEqual(statuses.count(200), 1, statuses)
            for thing in (first, second, *pairs):
                thing.close()
        wait_until(lambda: descriptors() <= before, 15, f"descriptors as before: {before}")
        self.check_nobody_noticed()

    def test_hundreds_of_half_requests_do_not_cost_the_publisher_its_buffer(self):
        server = self.server({"rtspWorkers": 1, "maxSessions": 200})
        publisher, source = Client(server).publish("cam"), Source()
        reader = Client(server)
        reader.play("cam")
        half = f"ANNOUNCE {server.url('x')} RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 100000\r\n\r\n".encode() + bytes(8000)
        clients = []
        for _ in range(190):
            clients.append(Client(server))
            clients[-1].send(half)
        time.sleep(0.5)
        for _ in range(200):
            publisher.send_frame(0, source.next(1300))
            self.assertEqual(payload_number(reader.media_frame()), source.number - 1)
        for client in [*clients, publisher, reader]:
            client.close()
