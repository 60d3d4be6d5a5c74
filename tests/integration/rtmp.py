"""An RTMP client that says exactly what a test wants it to say: handshake, chunks, AMF0. Also minimal FLV tags."""

import socket
import ssl
import struct
import time

from harness import PATIENCE_S

AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
CHUNK = 128  # bytes, until the peer says otherwise

SPS = bytes.fromhex("6742c01ed903c5684000000300400000" "0c03c58b92")
PPS = bytes.fromhex("68cb8cb2")
VIDEO_CONFIGURATION = b"\x17\x00\0\0\0" + b"\x01" + SPS[1:4] + b"\xff\xe1" + struct.pack(">H", len(SPS)) + SPS + b"\x01" + struct.pack(">H", len(PPS)) + PPS
AUDIO_CONFIGURATION = b"\xaf\x00\x11\x90"  # AAC LC, 48000 Hz, stereo


def picture(number, key_frame=False, size=100):
    """A tag whose only NAL unit tells its number; see number_of()."""
    unit = (b"\x65" if key_frame else b"\x41") + b"%08d" % number + b"\xaa" * size
    return (b"\x17" if key_frame else b"\x27") + b"\x01\0\0\0" + struct.pack(">I", len(unit)) + unit


def sound(number, size=40):
    return b"\xaf\x01" + b"%08d" % number + b"\xbb" * size


def number_of(kind, payload):
    """Of a picture or sound; None of what is neither, as configurations. AssertionError if it is torn."""
    if payload[1] != 1:
        return None
    if kind == AUDIO:
        digits, rest, filler = payload[2:10], payload[10:], b"\xbb"
    else:
        units = payload[5:]
        while struct.unpack(">I", units[:4])[0] + 4 < len(units):  # parameter sets, delimiters
            units = units[struct.unpack(">I", units[:4])[0] + 4 :]
        digits, rest, filler = units[5:13], units[13:], b"\xaa"
        assert struct.unpack(">I", units[:4])[0] + 4 == len(units), "a torn picture"
    assert digits.isdigit() and rest == filler * len(rest), f"a torn message: {payload[:40]}"
    return int(digits)


def amf(*values):
    out = b""
    for value in values:
        if isinstance(value, bool):
            out += b"\x01" + bytes([value])
        elif isinstance(value, (int, float)):
            out += b"\x00" + struct.pack(">d", value)
        elif isinstance(value, str):
            out += b"\x02" + struct.pack(">H", len(value.encode())) + value.encode()
        elif value is None:
            out += b"\x05"
        elif isinstance(value, (list, tuple)):
            out += b"\x0a" + struct.pack(">I", len(value)) + amf(*value)
        else:
            pairs = (struct.pack(">H", len(key)) + key.encode() + amf(item) for key, item in value.items())
            out += b"\x03" + b"".join(pairs) + b"\0\0\x09"
    return out


def _read_amf(data, at):
    kind, at = data[at], at + 1
    if kind == 0:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if kind == 1:
        return bool(data[at]), at + 1
    if kind == 2:
        end = at + 2 + struct.unpack_from(">H", data, at)[0]
        return data[at + 2 : end].decode(), end
    if kind in (3, 8):
        found, at = {}, at + (4 if kind == 8 else 0)
        while data[at : at + 3] != b"\0\0\x09":
            end = at + 2 + struct.unpack_from(">H", data, at)[0]
            key = data[at + 2 : end].decode()
            found[key], at = _read_amf(data, end)
        return found, at + 3
    if kind in (5, 6):
        return None, at
    if kind == 10:
        items, count, at = [], struct.unpack_from(">I", data, at)[0], at + 4
        for _ in range(count):
            item, at = _read_amf(data, at)
            items.append(item)
        return items, at
    raise AssertionError(f"AMF0 type {kind}")


def read_amf(data):
    values, at = [], 0
    while at < len(data):
        value, at = _read_amf(data, at)
        values.append(value)
    return values


class Closed(AssertionError):
    """The server closed the connection."""


class Client:
    """One connection. What comes while something else is waited for is kept in `statuses` (codes of onStatus) and
    `media` as (type, timestamp in ms, payload)."""

    def __init__(self, server, tls=False, receive_buffer=None, source=None):
        self.server, self.scheme = server, "rtmps" if tls else "rtmp"
        self.port_of_server = server.rtmps_port if tls else server.rtmp_port
        self.connection = socket.socket()
        if receive_buffer:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        if source:
            self.connection.bind((source, 0))
        self.connection.settimeout(PATIENCE_S)
        self.connection.connect((server.host, self.port_of_server))
        self.local_port = self.connection.getsockname()[1]
        if tls:
            self.connection = ssl._create_unverified_context().wrap_socket(self.connection, server_hostname="localhost")
        self.buffer, self.streams, self.chunk, self.sent_chunk = bytearray(), {}, CHUNK, CHUNK
        self.statuses, self.media, self.infos, self.transaction = [], [], [], 0
        self.send_raw(b"\x03" + bytes(8) + b"\x5a" * 1528)
        answer = self._take(1 + 1536 + 1536)
        assert answer[0] == 3 and answer[1537 + 8 :] == b"\x5a" * 1528, "S0, S2"
        self.send_raw(answer[1:1537])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def slot(self):
        return self.server.slot_of_client_port(self.local_port, protocol="rtmp")

    # --- bytes ---

    def send_raw(self, data):
        self.connection.sendall(data)

    def _take(self, count):
        while len(self.buffer) < count:
            try:
                data = self.connection.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(f"closed by the server; statuses {self.statuses}")
            self.buffer += data
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def send_message(self, kind, payload, timestamp=0, stream=0, chunk_stream=3):
        short = min(timestamp, 0xFFFFFF)
        extended = struct.pack(">I", timestamp) if short == 0xFFFFFF else b""
        head = bytes([chunk_stream]) + short.to_bytes(3, "big") + len(payload).to_bytes(3, "big") + bytes([kind])
        parts = [head, struct.pack("<I", stream), extended, payload[: self.sent_chunk]]
        for at in range(self.sent_chunk, len(payload), self.sent_chunk):
            parts += [bytes([0xC0 | chunk_stream]), extended, payload[at : at + self.sent_chunk]]
        self.send_raw(b"".join(parts))

    def set_chunk_size(self, size):
        self.send_message(1, struct.pack(">I", size), chunk_stream=2)
        self.sent_chunk = size

    def message(self):
        """(type, timestamp, payload) of the next one, whatever it is."""
        while True:
            first = self._take(1)[0]
            number = first & 0x3F
            if number < 2:
                number = 64 + int.from_bytes(self._take(1 + number), "little")
            stream = self.streams.setdefault(number, {"partial": b"", "time": 0, "delta": 0, "length": 0, "kind": 0, "long": False})
            form, partial = first >> 6, stream["partial"]
            assert not partial or form == 3, "a new message within one"
            if form < 3:
                head = self._take((11, 7, 3)[form])
                value = int.from_bytes(head[:3], "big")
                stream["long"] = value == 0xFFFFFF
                if form < 2:
                    stream["length"], stream["kind"] = int.from_bytes(head[3:6], "big"), head[6]
            if stream["long"]:
                value = int.from_bytes(self._take(4), "big")
            if form == 0:
                stream["time"], stream["delta"] = value, 0
            elif form < 3:
                stream["delta"] = value
            if form != 0 and not partial:
                stream["time"] += stream["delta"]
            partial += self._take(min(self.chunk, stream["length"] - len(partial)))
            stream["partial"] = partial if len(partial) < stream["length"] else b""
            if len(partial) < stream["length"]:
                continue
            if stream["kind"] == 1:
                self.chunk = int.from_bytes(partial, "big")
            return stream["kind"], stream["time"], partial

    # --- commands ---

    def command(self, name, *arguments, stream=0):
        self.transaction += 1
        self.send_message(COMMAND, amf(name, self.transaction, *arguments), stream=stream)
        return self.transaction

    def _note(self):
        """Reads one message; the command it is, as a list of values, or None."""
        kind, timestamp, payload = self.message()
        if kind in (AUDIO, VIDEO):
            self.media.append((kind, timestamp, payload))
        if kind == DATA:
            self.infos.append(read_amf(payload))
        if kind != COMMAND:
            return None
        values = read_amf(payload)
        if values[0] == "onStatus":
            self.statuses.append(values[3]["code"])
        return values

    def result(self, transaction):
        while True:
            values = self._note()
            if values and values[0] in ("_result", "_error") and values[1] == transaction:
                return values

    def wait_for_status(self, code):
        """The codes until it came."""
        while code not in self.statuses:
            self._note()
        return self.statuses

    def connect(self, app="", tc_url=None, **more):
        tc_url = tc_url or f"{self.scheme}://{self.server.host}:{self.port_of_server}/{app}"
        answer = self.result(self.command("connect", {"app": app, "tcUrl": tc_url, "flashVer": "test", **more}))
        assert answer[0] == "_result" and answer[3]["code"] == "NetConnection.Connect.Success", answer
        self.server_facts = answer[3]
        return self

    def create_stream(self):
        self.stream = int(self.result(self.command("createStream", None))[3])

    def begin(self, role, name, app="", **facts):
        """Asks for it; what is answered is not waited for. The facts are said in `connect`."""
        self.connect(app, **facts)
        self.create_stream()
        self.command(role, None, name, *(["live"] if role == "publish" else [-2000]), stream=self.stream)
        return self

    def publish(self, name, app="", video=True, audio=False, metadata=False):
        """Without metadata the tracks are known only once a second of media has come."""
        self.begin("publish", name, app).wait_for_status("NetStream.Publish.Start")
        if metadata:
            codecs = {"videocodecid": 7 if video else 0, "audiocodecid": 10 if audio else 0}
            self.send_message(DATA, amf("@setDataFrame", "onMetaData", codecs), 0, self.stream, 4)
        if video:
            self.send_media(VIDEO, VIDEO_CONFIGURATION, 0)
        if audio:
            self.send_media(AUDIO, AUDIO_CONFIGURATION, 0)
        return self

    def play(self, name, app="", **facts):
        self.begin("play", name, app, **facts).wait_for_status("NetStream.Play.Start")
        return self

    def send_media(self, kind, payload, timestamp):
        self.send_message(kind, payload, timestamp, self.stream, 4 if kind == AUDIO else 6)

    def next_media(self):
        """(type, timestamp, payload), configurations too."""
        while not self.media:
            self._note()
        return self.media.pop(0)

    def next_frame(self):
        """(type, timestamp, number) of what picture() or sound() made."""
        while True:
            kind, timestamp, payload = self.next_media()
            number = number_of(kind, payload)
            if number is not None:
                return kind, timestamp, number

    def wait_until_closed(self, seconds=PATIENCE_S):
        """Whatever comes before is noted; the seconds that it took."""
        started = time.monotonic()
        try:
            while time.monotonic() < started + seconds:
                self._note()
        except Closed:
            return time.monotonic() - started
        raise AssertionError(f"not closed within {seconds} s")
