"""RTMP clients that mean harm, or are just abrupt: the worker goes on, and its memory has bounds."""

import os
import re
import resource
import socket
import struct
import time
from pathlib import Path

from harness import PATIENCE_S, TestCase, descendants, title, wait_until

SPS = bytes.fromhex("67640020acd9405005bb0110000003001000000303c0f1831960")
PPS = bytes.fromhex("68ebe3cb22c0")
AVC = b"\x01" + SPS[1:4] + b"\xff\xe1" + struct.pack(">H", len(SPS)) + SPS + b"\x01" + struct.pack(">H", len(PPS)) + PPS
VIDEO_CONFIGURATION = b"\x17\x00\x00\x00\x00" + AVC
AUDIO_CONFIGURATIONS = (b"\xaf\x00\x12\x10", b"\xaf\x00\x11\x90")  # AAC of 44.1 and of 48 kHz
AUDIO, VIDEO, COMMAND = 8, 9, 20
NULL = b"\x05"
SILENT, SILENT_KB = 3000, 8  # connections that say nothing, and what each may take of memory


def number(value):
    return b"\x00" + struct.pack(">d", value)


def text(value):
    return b"\x02" + struct.pack(">H", len(value)) + value.encode()


def message(chunk_stream, kind, stream, timestamp, payload):
    """In one chunk of format 0: the client has announced chunks that are large enough."""
    head = bytes([chunk_stream]) + timestamp.to_bytes(3, "big") + len(payload).to_bytes(3, "big") + bytes([kind])
    return head + struct.pack("<I", stream) + payload


def command(name, *values, stream=0):
    return message(3, COMMAND, stream, 0, text(name) + b"".join(values))


def frame(timestamp, bytes_count=1000):
    nal = b"\x65" + os.urandom(bytes_count)
    return message(6, VIDEO, 1, timestamp, b"\x17\x01\x00\x00\x00" + struct.pack(">I", len(nal)) + nal)


def kinds_of_messages(received):
    """Of the messages that are whole, in order: what a server sends in chunks of 64 KiB."""
    kinds, headers, left, position = [], {}, {}, 0
    while position < len(received):
        format_, chunk_stream = received[position] >> 6, received[position] & 63
        size = {0: 11, 1: 7, 2: 3, 3: 0}[format_]
        header = received[position + 1 : position + 1 + size]
        if format_ <= 1:
            headers[chunk_stream] = (int.from_bytes(header[3:6], "big"), header[6])
        length, kind = headers[chunk_stream]
        part = min(left.get(chunk_stream) or length, 65536)
        position += 1 + size + part
        left[chunk_stream] = (left.get(chunk_stream) or length) - part
        if left[chunk_stream] == 0 and position <= len(received):
            kinds.append(kind)
    return kinds


class RawClient:
    def __init__(self, server, receive_buffer=None, byte_by_byte=False):
        self.socket, self.byte_by_byte = socket.socket(), byte_by_byte
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", server.rtmp_port))
        self.send(b"\x03" + bytes(8) + os.urandom(1528))
        answer = b""
        while len(answer) < 3073:
            answer += self.socket.recv(3073 - len(answer))
        self.send(answer[1:1537] + message(2, 1, 0, 0, struct.pack(">I", 1 << 24)))
        url = f"rtmp://127.0.0.1:{server.rtmp_port}/live"
        properties = b"".join(struct.pack(">H", len(k)) + k + v for k, v in ((b"app", text("live")), (b"tcUrl", text(url))))
        self.send(command("connect", number(1), b"\x03" + properties + b"\x00\x00\x09"))
        self.receive_until(b"NetConnection.Connect.Success")

    def send(self, data):
        if not self.byte_by_byte:
            return self.socket.sendall(data)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            self.socket.sendall(data[at : at + 1])

    def receive_until(self, pattern):
        received = b""
        while pattern not in received:
            more = self.socket.recv(65536)
            if not more:
                raise AssertionError(f"the server closed the connection behind {received[-200:]}")
            received += more
        return received

    def publish(self, name):
        self.send(command("publish", number(2), NULL, text(name), text("live"), stream=1))
        self.receive_until(b"NetStream.Publish.Start")
        return self

    def configure(self):
        self.send(message(6, VIDEO, 1, 0, VIDEO_CONFIGURATION) + message(4, AUDIO, 1, 0, AUDIO_CONFIGURATIONS[0]))

    def play(self, name):
        self.send(command("play", number(2), NULL, text(name), stream=1))
        self.receive_until(b"NetStream.Play.PublishNotify")
        return self

    def close(self):
        self.socket.close()


class RtmpHostile(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server({"rtmpDisable": False, "rtmpWorkers": 1})
        self.worker = wait_until(self.find_worker, what="the worker of RTMP")

    def find_worker(self):
        return next((pid for pid in descendants(self.sluice.pid) if title(pid) == "sluice: rtmp-0"), None)

    def client(self, **options):
        client = wait_until(lambda: self.try_client(options), what="RTMP is served")
        self.addCleanup(client.close)
        return client

    def try_client(self, options):
        try:
            return RawClient(self.sluice, **options)
        except ConnectionRefusedError:
            return None

    def memory_kb(self):
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def check_worker(self):
        self.client().publish("check").close()
        self.assertEqual(self.find_worker(), self.worker, self.sluice.log())

    def test_a_publisher_that_ends_with_its_last_media_in_one_segment(self):
        publisher = self.client().publish("cam")
        publisher.configure()
        publisher.send(frame(0))
        self.sluice.wait_for_log("is publishing to path 'live/cam'")
        publisher.send(frame(33) + command("deleteStream", number(0), NULL, number(1)))
        publisher.receive_until(b"NetStream.Unpublish.Success")
        self.check_worker()

    def test_empty_messages_before_the_tracks_are_known(self):
        publisher = self.client().publish("cam")
        before = self.memory_kb()
        try:
            publisher.send(message(4, AUDIO, 1, 0, b"") + b"\xc4" * 2_000_000)  # each byte is a message
        except OSError:
            pass
        wait_until(lambda: "no tracks found" in self.sluice.log(), what="the publisher is sent away")
        self.assertLess(self.memory_kb() - before, 64 * 1024)
        self.check_worker()

    def test_a_client_that_says_everything_byte_by_byte(self):
        publisher = self.client(byte_by_byte=True).publish("cam")
        publisher.configure()
        publisher.send(frame(0))
        self.sluice.wait_for_log("is publishing to path 'live/cam'")
        self.check_worker()

    def test_thousands_of_silent_connections(self):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.check_worker()
        before, silent = self.memory_kb(), []
        for _ in range(SILENT):
            silent.append(socket.create_connection(("127.0.0.1", self.sluice.rtmp_port), PATIENCE_S))
            self.addCleanup(silent[-1].close)
        self.check_worker()  # others are served meanwhile
        self.assertLess(self.memory_kb() - before, SILENT * SILENT_KB)
        for connection in silent:
            self.assertEqual(connection.recv(4096), b"", "closed by the server, in order")
        self.assertIn("read timeout: neither published nor played", self.sluice.log())
        self.check_worker()

    def test_other_parameters_with_every_message(self):
        publisher = self.client().publish("cam")
        publisher.configure()
        publisher.send(frame(0))
        self.sluice.wait_for_log("is publishing to path 'live/cam'")
        publisher.send(message(4, AUDIO, 1, 1, AUDIO_CONFIGURATIONS[0]))
        publisher.send(b"".join(b"\xc4" + configuration for configuration in AUDIO_CONFIGURATIONS) * 300_000)
        time.sleep(1)
        self.check_worker()

    def test_a_player_that_leaves_a_stream_within_a_message(self):
        publisher = self.client().publish("cam")
        publisher.configure()
        for i in range(6):  # the ring grows with them
            publisher.send(frame(40 * i, 1_500_000))
            time.sleep(0.2)
        player = self.client(receive_buffer=4096)
        player.send(command("play", number(2), NULL, text("cam"), stream=1))
        received = player.receive_until(b"NetStream.Play.PublishNotify")
        for i in range(3):  # more than the kernel keeps for one who does not read
            publisher.send(frame(400 + 40 * i, 1_500_000))
        time.sleep(1)
        player.send(command("deleteStream", number(0), NULL, number(1)) + command("createStream", number(7), NULL))
        received += player.receive_until(b"_result")
        self.assertEqual(kinds_of_messages(received)[-1], COMMAND, "what follows a message in part is no part of it")


if __name__ == "__main__":
    import unittest

    unittest.main()
