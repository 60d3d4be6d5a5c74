"""A small RTSP server that sources pull from, for what no proper server does. It plays numbered pictures, a hundred a
second, to whoever asks, over TCP or UDP."""

import re
import select
import socket
import threading

from rtsp import Source, UdpPair, description


class Upstream:
    """tells_ports: whether the answer to a SETUP over UDP has server_port; uses_ports: whether packets come from there, or
    from another port; elsewhere: where clients are sent to when they want to play. `requests`: all that came, in order."""

    def __init__(self, test, tells_ports=True, uses_ports=True, elsewhere=None):
        self.tells_ports, self.uses_ports, self.elsewhere = tells_ports, uses_ports, elsewhere
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self.listener.getsockname()[1]}/cam"
        self.requests, self.stopping, self.threads = [], threading.Event(), []
        self.threads.append(threading.Thread(target=self._accept))
        self.threads[0].start()
        test.addCleanup(self._stop)

    def _stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(5)
        self.listener.close()

    def _accept(self):
        while not self.stopping.is_set():
            if select.select([self.listener], [], [], 0.05)[0]:
                self.threads.append(threading.Thread(target=_Conversation(self, self.listener.accept()[0]).run))
                self.threads[-1].start()


class _Conversation:
    def __init__(self, upstream, connection):
        self.upstream, self.connection = upstream, connection
        self.input, self.playing, self.source = b"", False, Source()
        self.pair, self.client_port, self.other = UdpPair(), None, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def run(self):
        try:
            while not self.upstream.stopping.is_set():
                if select.select([self.connection], [], [], 0.01)[0]:
                    data = self.connection.recv(65536)
                    if not data:
                        return
                    self.input += data
                    self._take()
                elif self.playing:
                    self._send()
        except OSError:
            pass  # the client has gone
        finally:
            for one in (self.connection, self.pair, self.other):
                one.close()

    def _take(self):
        """Requests without bodies; reports of the client, which are left out."""
        while self.input:
            if self.input[0] == 0x24:
                end = 4 + int.from_bytes(self.input[2:4], "big") if len(self.input) >= 4 else len(self.input) + 1
                if len(self.input) < end:
                    return
            else:
                end = self.input.find(b"\r\n\r\n") + 4
                if end == 3:
                    return
                self._answer(self.input[:end].decode())
            self.input = self.input[end:]

    def _answer(self, request):
        method = request.split()[0]
        self.upstream.requests.append(request)
        body = description() if method == "DESCRIBE" else ""
        headers = [re.search(r"(?mi)^CSeq:.*?$", request)[0].strip(), "Session: 1", f"Content-Length: {len(body)}"]
        if method == "SETUP":
            headers.append("Transport: " + self._transport(request))
        self.connection.sendall(("\r\n".join(["RTSP/1.0 200 OK", *headers]) + "\r\n\r\n" + body).encode())
        if method == "PLAY" and self.upstream.elsewhere:
            self.connection.sendall(f"REDIRECT * RTSP/1.0\r\nCSeq: 1\r\nLocation: {self.upstream.elsewhere}\r\n\r\n".encode())
        elif method == "PLAY":
            self.playing = True
        elif method == "TEARDOWN":
            self.playing = False

    def _transport(self, request):
        over_udp = re.search(r"client_port=(\d+)-(\d+)", request)
        if not over_udp:
            self.client_port = None
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        self.client_port = int(over_udp[1])
        told = f";server_port={self.pair.port}-{self.pair.port + 1}" if self.upstream.tells_ports else ""
        return f"RTP/AVP;unicast;{over_udp[0]}{told}"

    def _send(self):
        packet = self.source.next()
        if self.client_port is None:
            return self.connection.sendall(b"\x24\x00" + len(packet).to_bytes(2, "big") + packet)
        sender = self.pair.rtp if self.upstream.uses_ports else self.other
        sender.sendto(packet, ("127.0.0.1", self.client_port))
