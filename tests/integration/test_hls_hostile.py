"""Slow and hostile clients of HLS: they lose their own connection, in time, and other viewers notice nothing."""

import os
import select
import socket
import subprocess
import time
from pathlib import Path

import media
from harness import wait_until
from test_hls import Collector, HlsTestCase, broken_rules, uris

IDLE = int(os.environ.get("SLUICE_IDLE_CONNECTIONS", 1000))
IDLE_BYTES = 40_000  # of memory, for each connection that says nothing or half a request


def resident(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Clients:
    """Connections that are opened and not read from, unless somebody asks what came of them."""

    def __init__(self, test, server):
        self.server, self.sockets, self.poll = server, {}, select.poll()
        test.addCleanup(self.close)

    def open(self, count, says=b"", receive_buffer=None):
        opened = []
        for _ in range(count):
            client = socket.socket()
            if receive_buffer:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.settimeout(10)
            client.connect(("127.0.0.1", self.server.hls_port))
            if says:
                client.sendall(says)
            self.sockets[client.fileno()] = client
            self.poll.register(client, select.POLLIN | select.POLLRDHUP)
            opened.append(client)
        return opened

    def ended(self):
        """How many the server has closed."""
        return sum(bool(events & (select.POLLRDHUP | select.POLLHUP | select.POLLERR)) for _, events in self.poll.poll(0))

    def send(self, data):
        """To all that take it."""
        for client in self.sockets.values():
            try:
                client.send(data)
            except OSError:
                pass

    def close(self):
        for client in self.sockets.values():
            client.close()
        self.sockets = {}


def answer_of(client):
    """All that comes until the server closes."""
    came = b""
    try:
        while data := client.recv(65536):
            came += data
    except ConnectionError:
        pass
    return came


class Hostile(HlsTestCase):
    time_limit_s = 100

    def setUp(self):
        super().setUp()
        self.sluice = self.hls_server("fmp4", workers=1, readTimeout="2s", writeTimeout="2s")
        self.publish(self.sluice)
        self.collector = Collector(self, self.sluice)
        self.collector.look()
        self.worker = self.sluice.workers("hls")[0]
        self.clients = Clients(self, self.sluice)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.worker}/fd"))

    def watch(self, seconds, meanwhile=lambda: None, every_s=0.3):
        """A viewer that takes all segments."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            meanwhile()
            self.collector.look()
            time.sleep(every_s)

    def check_nobody_noticed(self):
        self.watch(5)
        self.assertEqual(self.sluice.workers("hls")[0], self.worker)
        self.assertEqual(broken_rules(self.collector.checker), [])
        self.assertEqual(media.check("h264_b_aac", self.collector.film(), 4), [])

    def test_idle_connections_cost_little_memory(self):
        before = resident(self.worker)
        self.clients.open(IDLE // 2)
        self.clients.open(IDLE - IDLE // 2, b"GET /cam/stream.m3u8 HTTP/1.1\r\nHost: h\r\nX-Half: ")
        self.watch(1)
        grown = resident(self.worker) - before
        print(f"{IDLE} idle connections: {before} bytes of the worker, {grown} more")
        self.assertLess(grown, IDLE * IDLE_BYTES)
        wait_until(lambda: self.clients.ended() == IDLE - IDLE // 2, 20, "those with half a request are ended, the others not yet")
        self.check_nobody_noticed()

    def test_headers_that_come_slowly_end_in_408(self):
        slow = self.clients.open(100, b"GET /cam/index.m3u8 HTTP/1.1\r\nHost: h\r\n")
        self.watch(5, lambda: self.clients.send(b"X-a: b\r\n"))
        wait_until(lambda: self.clients.ended() == 100, what="all are ended")
        self.assertTrue(answer_of(slow[0]).startswith(b"HTTP/1.1 408 "))
        self.check_nobody_noticed()

    def test_bodies_are_refused_before_they_come(self):
        slow = self.clients.open(50, b"POST /cam/index.m3u8 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
        slow += self.clients.open(50, b"POST /cam/index.m3u8 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        self.watch(4, lambda: self.clients.send(b"1"))
        wait_until(lambda: self.clients.ended() == 100, what="all are ended")
        self.assertEqual({answer_of(client)[:13] for client in slow}, {b"HTTP/1.1 413 "})
        self.check_nobody_noticed()

    def test_who_does_not_read_is_sent_away(self):
        name = uris(self.playlist(self.sluice))[-1]
        request = f"GET /cam/{name} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
        before, descriptors = resident(self.worker), self.descriptors()
        self.clients.open(50, request * 500, receive_buffer=4096)
        wait_until(lambda: self.descriptors() >= descriptors + 40, what="they are accepted")  # others went meanwhile
        self.watch(1)
        self.assertLess(resident(self.worker) - before, 20_000_000)
        wait_until(lambda: self.clients.ended() == 50, 15, "all are ended, by a reset: the kernel holds nothing for them")
        self.check_nobody_noticed()

    def test_many_ranges_of_a_segment_are_not_many_answers(self):
        name = uris(self.playlist(self.sluice))[-1]
        whole = len(self.get(self.sluice, f"cam/{name}"))
        many = ",".join(f"5-{end}" for end in range(6, 1300))
        for ranges in (f"bytes=0-,{many}"[:7000], "bytes=0-0,1-1", "bytes=-1,0-", "bytes=0-,0-,0-"):
            status, headers, body = self.ask(self.sluice, f"cam/{name}", headers={"Range": ranges})
            self.assertEqual((status, len(body), headers["Content-Range"]), (200, whole, None), ranges[:30])
        status, headers, _ = self.ask(self.sluice, f"cam/{name}", headers={"Range": f"bytes={whole}-"})
        self.assertEqual((status, headers["Content-Range"]), (416, f"bytes */{whole}"))
        self.check_nobody_noticed()


class AMinute(HlsTestCase):
    long = True

    def test_what_nobody_uses_for_a_minute_ends(self):
        server = self.hls_server()
        self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", media.fixture("h264_b_aac"), "-c", "copy",
                    "-f", "rtsp", "-rtsp_transport", "tcp", server.url("cam")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server.wait_for_log("is publishing to path 'cam'")
        self.get(server, "cam/index.m3u8")
        began = time.monotonic()
        clients = Clients(self, server)
        silent = clients.open(5)
        asked = clients.open(5, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(45)
        self.assertEqual((clients.ended(), server.log().count("[muxer cam] destroyed")), (0, 0))
        server.wait_for_log(r"INF \[HLS\] \[muxer cam\] destroyed \(not used anymore\)", 40)
        self.assertGreater(time.monotonic() - began, 55)
        wait_until(lambda: clients.ended() == 10, 30, "idle connections are ended")
        self.assertEqual(answer_of(silent[0]), b"")
        self.assertTrue(answer_of(asked[0]).startswith(b"HTTP/1.1 404 "))
        self.get(server, "cam/index.m3u8")  # and comes again
        self.assertEqual(server.log().count("[muxer cam] created"), 2)
