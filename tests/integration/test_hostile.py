"""Clients that mean harm: they may lose their own connection, and nothing else changes."""

import os
import re
import resource
import socket
import time
from pathlib import Path

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
            expect(first.setup("cam", 0, "RTP/AVP/TCP;multicast;interleaved=0-1"), 461)
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

    def test_a_flood_of_requests_with_large_answers(self):
        announcer = Client(self.sluice)
        self.addCleanup(announcer.close)
        sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
        for track in range(16):
            sdp += f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 XYZ/90000\r\na=fmtp:96 {'a' * 900}\r\na=control:trackID={track}\r\n"
        expect(announcer.announce("large", sdp=sdp), 200)
        for track in range(16):
            expect(announcer.setup("large", track, record=True), 200)
        expect(announcer.request("RECORD", "large"), 200)
        request = f"DESCRIBE {self.sluice.url('large')} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()
        connections = self.connections(1500)
        for _ in range(3):
            for connection in connections:
                self.try_send(connection, request)
            time.sleep(0.2)
        self.check_nobody_noticed()

    def test_a_flood_of_connections_to_be_handed_over(self):
        body = bytes(120_000)
        connections = self.connections(1000)
        for i, connection in enumerate(connections):
            session = (12345 << 6) | i % 2
            head = f"GET_PARAMETER {self.sluice.url('a')} RTSP/1.0\r\nCSeq: 1\r\nSession: {session}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.settimeout(0.2)
            self.try_send(connection, head.encode() + body[:-1])
        for connection in connections:
            self.try_send(connection, b"x")
        time.sleep(1)
        self.check_nobody_noticed()

    def connections(self, count):
        connections = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", self.sluice.rtsp_port), 5)
            self.addCleanup(connection.close)
            connections.append(connection)
        return connections

    def try_send(self, connection, data):
        try:
            connection.sendall(data)
        except OSError:
            pass  # the server may have closed it


class Limits(TestCase):
    def test_without_descriptors_new_clients_are_refused_and_the_others_stay(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))  # of this test's process, too
        sluice = self.server({"rtspWorkers": 1})
        sluice.wait_for_log(r"WAR maxSessions is 20000, but a process may have 600 files open")
        publisher, source, reader = Client(sluice).publish("cam"), Source(), Client(sluice)
        reader.play("cam")
        worker = sluice.workers()[0]
        clients, refused = [], 0
        for _ in range(450):
            clients.append(Client(sluice, timeout_s=3))
            try:
                status = clients[-1].request("OPTIONS", "cam").status
            except (Closed, ConnectionResetError):
                status = 503
            if status == 503:
                refused += 1
                clients.pop().close()
                if refused == 20:
                    break
        self.assertEqual(refused, 20)
        self.assertGreater(len(clients), 200)
        for _ in range(20):
            publisher.send_frame(0, source.next())
            self.assertEqual(payload_number(reader.media_frame()), source.number - 1)
        self.assertEqual(sluice.workers()[0], worker)
        for client in clients:
            client.close()
        wait_until(lambda: self.answers(sluice), what="clients are served again")
        self.assertLess(len(sluice.log()), 1_000_000)

    def answers(self, sluice):
        try:
            with Client(sluice) as client:
                return client.request("OPTIONS", "cam").status == 200
        except (Closed, ConnectionResetError):
            return False

    def test_memory_of_input_is_bounded_and_given_back(self):
        sluice = self.server({"rtspWorkers": 1, "maxMemory": "64M"})
        half = f"ANNOUNCE {sluice.url('x')} RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 100000\r\n\r\n".encode() + bytes(90_000)
        worker = sluice.workers()[0]
        before, clients = shared_kib(worker), []
        for _ in range(300):
            clients.append(Client(sluice))
            try:
                clients[-1].send(half)
            except OSError:
                pass
        time.sleep(0.5)
        self.assertLess(shared_kib(worker) - before, 20 * 1024)
        for client in clients:
            client.close()
        wait_until(lambda: shared_kib(worker) - before < 1024, 15, "the memory is given back")


def shared_kib(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(re.search(rf"^{name}: +(\d+) kB", text, re.M).group(1)) for name in ("Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty"))
