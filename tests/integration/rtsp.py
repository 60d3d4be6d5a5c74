"""An RTSP client that says exactly what a test wants it to say. Also minimal RTP and RTCP."""

import base64
import random
import socket
import struct
import time

from harness import wait_until

VIDEO_FORMAT = "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"


class Closed(AssertionError):
    """The server closed the connection."""


class Response:
    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.version, status, self.reason = (lines[0].split(" ", 2) + [""])[:3]
        self.status = int(status)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.body = body

    def __getitem__(self, name):
        return self.headers.get(name.lower(), "")

    def __repr__(self):
        return f"{self.version} {self.status} {self.reason} {self.headers}"


class Client:
    """One connection. Interleaved frames that come between responses are kept in `frames` as (channel, bytes)."""

    def __init__(self, server, timeout_s=10, receive_buffer=None, segment=None, host=None, source=None):
        self.server = server
        self.connection = socket.socket()
        if receive_buffer:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if segment:  # as on Ethernet; on the loopback the server's kernel buffers megabytes
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        self.connection.settimeout(timeout_s)
        if source:
            self.connection.bind((source, 0))
        self.connection.connect((host or server.host, server.rtsp_port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout_s = timeout_s
        self.buffer = bytearray()
        self.frames = []
        self.sequence = 0
        self.session = None

    @classmethod
    def on_slot(cls, server, slot, **more):
        """A connection that this slot's worker has accepted: the kernel spreads them, so try until it fits."""
        for _ in range(200):
            client = cls(server, **more)
            if server.slot_of_client_port(client.port) == slot:
                return client
            client.close()
        raise AssertionError(f"no connection of 200 came to slot {slot}")

    @property
    def port(self):
        return self.connection.getsockname()[1]

    def slot(self):
        return self.server.slot_of_client_port(self.port)

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.connection.sendall(data if isinstance(data, bytes) else data.encode())

    def send_request(self, method, url, headers=(), body=b"", session=True):
        self.sequence += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.sequence}"]
        lines += [f"{name}: {value}" for name, value in dict(headers).items()]
        if session and self.session:
            lines.append(f"Session: {self.session}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def request(self, method, path, headers=(), body=b"", session=True):
        """`path` may be a whole URL."""
        url = path if "://" in path or path == "*" else self.server.url(path)
        self.send_request(method, url, headers, body, session)
        response = self.response()
        if response["CSeq"] and int(response["CSeq"]) != self.sequence:
            raise AssertionError(f"CSeq {response['CSeq']} answers {self.sequence}")
        if response["Session"] and self.session is None:
            self.session = response["Session"].split(";")[0]
        return response

    def _fill(self):
        data = self.connection.recv(262144)
        if not data:
            raise Closed("the server closed the connection")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def _read_frame(self):
        _, channel, length = struct.unpack(">BBH", self._take(4))
        self.frames.append((channel, self._take(length)))

    def response(self):
        while True:
            while not self.buffer:
                self._fill()
            if self.buffer[0] != 0x24:
                break
            self._read_frame()
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head = self._take(self.buffer.index(b"\r\n\r\n") + 4)[:-4]
        response = Response(head, b"")
        response.body = self._take(int(response["Content-Length"] or 0))
        return response

    def frame(self, seconds=None):
        """The next interleaved frame; None if there is none within `seconds`."""
        if not self.frames:
            self.connection.settimeout(seconds or self.timeout_s)
            try:
                while not self.buffer:
                    self._fill()
                if self.buffer[0] != 0x24:
                    raise AssertionError(f"not an interleaved frame: {bytes(self.buffer[:80])}")
                self._read_frame()
            except TimeoutError:
                return None
            finally:
                self.connection.settimeout(self.timeout_s)
        return self.frames.pop(0)

    def media_frame(self, seconds=10):
        """The next media packet; reports between are left out."""
        while True:
            frame = self.frame(seconds)
            if frame is None:
                raise AssertionError(f"no media within {seconds} s")
            if frame[0] % 2 == 0:
                return frame[1]

    def send_frame(self, channel, data):
        self.send(struct.pack(">BBH", 0x24, channel, len(data)) + data)

    def wait_until_closed(self, seconds):
        """Reads to the end of the stream; the bytes that came before."""
        self.connection.settimeout(seconds)
        rest = bytes(self.buffer)
        try:
            while True:
                data = self.connection.recv(65536)
                if not data:
                    return rest
                rest += data
        except ConnectionResetError:
            return rest
        except TimeoutError:
            raise AssertionError(f"the server kept the connection open for {seconds} s") from None

    # Whole steps.

    def announce(self, path, tracks=1, sdp=None):
        response = self.request("ANNOUNCE", path, {"Content-Type": "application/sdp"}, (sdp or description(tracks)).encode())
        return response

    def setup(self, path, track=0, transport=None, record=False):
        transport = transport or f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
        return self.request(
            "SETUP", f"{path}/trackID={track}", {"Transport": transport + (";mode=record" if record else "")}
        )

    def publish(self, path, tracks=1, transports=None):
        """Until RECORD has been answered with 200."""
        expect(self.announce(path, tracks), 200)
        for track in range(tracks):
            expect(self.setup(path, track, transports[track] if transports else None, record=True), 200)
        expect(self.request("RECORD", path), 200)
        return self

    def play(self, path, tracks=1, transports=None):
        for track in range(tracks):
            expect(self.setup(path, track, transports[track] if transports else None), 200)
        return expect(self.request("PLAY", path), 200)


def expect(response, status):
    if response.status != status:
        raise AssertionError(f"expected {status}: {response}")
    return response


def description(tracks=1, control="trackID={}"):
    text = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    for track in range(tracks):
        text += "m=video 0 RTP/AVP 96\r\n" + VIDEO_FORMAT + f"a=control:{control.format(track)}\r\n"
    return text


def parameter_sets_of(sdp):
    """The NAL units of sprop-parameter-sets."""
    text = sdp.partition("sprop-parameter-sets=")[2].split(";")[0].split("\r\n")[0]
    return [base64.b64decode(unit) for unit in text.split(",") if unit]


def rtp(sequence, timestamp, payload, ssrc=0x11223344, marker=True, payload_type=96):
    return struct.pack(">BBHII", 0x80, payload_type | (0x80 if marker else 0), sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def rtp_sequence(packet):
    return struct.unpack(">H", packet[2:4])[0]


def rtp_ssrc(packet):
    return struct.unpack(">I", packet[8:12])[0]


def rtcp_packets(data):
    """(type, bytes) of each packet of a compound."""
    while len(data) >= 4:
        length = 4 * (struct.unpack(">H", data[2:4])[0] + 1)
        yield data[1], data[:length]
        data = data[length:]


NTP_OF_1970 = 2208988800


def ntp_now():
    """As 32.32 fixed point."""
    return ((time.time_ns() << 32) // 10**9) + (NTP_OF_1970 << 32)


def sender_report(ssrc, rtp_time, packets=0, octets=0, ntp=None):
    ntp = ntp_now() if ntp is None else ntp
    return struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, ntp, rtp_time & 0xFFFFFFFF, packets, octets)


class Source:
    """Numbered one-packet H264 pictures, the first of each group an IDR; whoever reads can tell what is missing."""

    def __init__(self, ssrc=0x11223344, first=1000, group=10):
        self.ssrc, self.number, self.first, self.group = ssrc, 0, first, group

    def next(self, size=200):
        kind = 0x65 if self.number % self.group == 0 else 0x41
        payload = bytes([kind]) + struct.pack(">I", self.number) + bytes((self.number + i) & 0xFF for i in range(size))
        packet = rtp(self.first + self.number, 3000 * self.number, payload, self.ssrc)
        self.number += 1
        return packet


def payload_number(packet):
    """The number that Source put into the packet; checks the rest of it."""
    number = struct.unpack(">I", packet[13:17])[0]
    if packet[17:] != bytes((number + i) & 0xFF for i in range(len(packet) - 17)):
        raise AssertionError(f"packet {number} is damaged")
    return number


class UdpPair:
    """Two sockets on consecutive ports, the first even."""

    def __init__(self, timeout_s=10):
        for _ in range(200):
            port = random.randrange(10000, 32000, 2)
            self.rtp, self.rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            try:
                self.rtp.bind(("", port))
                self.rtcp.bind(("", port + 1))
            except OSError:
                self.close()
                continue
            for each in (self.rtp, self.rtcp):
                each.settimeout(timeout_s)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.port = port
            return
        raise AssertionError("no free pair of ports")

    @property
    def transport(self):
        return f"RTP/AVP;unicast;client_port={self.port}-{self.port + 1}"

    def connect(self, response, host="127.0.0.1"):
        """To the server's ports, as its Transport header names them."""
        rtp_port, rtcp_port = response["Transport"].partition("server_port=")[2].split(";")[0].split("-")
        self.rtp.connect((host, int(rtp_port)))
        self.rtcp.connect((host, int(rtcp_port)))

    def close(self):
        self.rtp.close()
        self.rtcp.close()


def wait_until_published(server, path, seconds=20):
    """Until DESCRIBE answers 200; the description."""

    def describe():
        with Client(server) as client:
            response = client.request("DESCRIBE", path)
            return response.body.decode() if response.status == 200 else None

    return wait_until(describe, seconds, f"{path} is published", every_s=0.05)
