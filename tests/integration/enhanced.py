"""FLV tags, classic and of enhanced RTMP (v2), made of FFmpeg's packets of a fixture, and taken apart again. Of what is
played the same is remembered as of the fixture: a digest of each frame, without parameter sets, delimiters and the
like, with its times."""

import functools
import hashlib
import json
import re
import struct
import subprocess
import tempfile
from pathlib import Path

import media
from rtmp import AUDIO, VIDEO

FOUR_CC = {"h264": b"avc1", "hevc": b"hvc1", "av1": b"av01", "vp9": b"vp09", "opus": b"Opus", "flac": b"fLaC", "ac3": b"ac-3", "aac": b"mp4a"}
CODEC = {four_cc: codec for codec, four_cc in FOUR_CC.items()}
CLASSIC = ("h264", "aac")
CONFIGURATION, FRAMES, FRAMES_WITHOUT_OFFSET = 0, 1, 3  # packet types
AUDIO_MULTITRACK = 5
OPUS_48000 = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"
VP9_PROFILE_0 = b"\x01\0\0\0" + b"\0\x14\x82\x01\x01\x01\0\0"  # level 2.0, 8 bits, 4:2:0, BT.709


class Packet:
    def __init__(self, codec, dts, pts, key_frame, data):
        self.codec, self.dts, self.pts, self.key_frame, self.data = codec, dts, pts, key_frame, data


def _probe(path, *arguments):
    command = ["ffprobe", "-v", "error", *arguments, "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def _configuration(codec, extradata):
    data = b"".join(bytes.fromhex(line[10:50].replace(" ", "")) for line in extradata.split("\n") if line)
    if codec == "flac" and not data.startswith(b"fLaC"):
        return b"fLaC\x80\0\0\x22" + data[:34]
    return data or {"vp9": VP9_PROFILE_0}.get(codec, b"")


@functools.cache
def packets(name, seconds):
    """(codec → its configuration, packets in the order of their decoding times in ms, the first of which is 0)."""
    path, configurations, found = media.fixture(name), {}, []
    streams = _probe(path, "-show_entries", "stream=codec_name,extradata", "-show_data")["streams"]
    flags = _probe(path, "-show_entries", "packet=stream_index,flags")["packets"]
    with tempfile.TemporaryDirectory() as folder:
        for number, stream in enumerate(streams):
            codec, output = stream["codec_name"], Path(folder, "data")
            configurations[codec] = _configuration(codec, stream.get("extradata", ""))
            text = media.ffmpeg("-i", path, "-copyts", "-map", f"0:{number}", "-c", "copy", "-f", "framemd5", "-",
                                "-map", f"0:{number}", "-c", "copy", "-f", "data", "-y", output)
            lines = [line.split(",") for line in text.split("\n") if line and not line.startswith("#")]
            keys = [entry["flags"].startswith("K") for entry in flags if entry["stream_index"] == number]
            assert "#tb 0: 1/1000" in text and len(keys) == len(lines), f"{path}: {codec}"
            data, at = output.read_bytes(), 0
            for line, key_frame in zip(lines, keys):
                dts, pts, size = int(line[1]), int(line[2]), int(line[4])
                found.append(Packet(codec, dts, pts, key_frame, data[at : at + size]))
                at += size
            assert at == len(data), f"{path}: {codec}"
    first = min(packet.dts for packet in found)
    for packet in found:
        packet.dts, packet.pts = packet.dts - first, packet.pts - first
    return configurations, sorted((packet for packet in found if packet.dts < seconds * 1000), key=lambda packet: packet.dts)


# --- tags ---


def tag(codec, packet_type, body, key_frame=True, offset_ms=0, track=0):
    """What a message of this codec holds; `offset_ms` from its decoding to its presentation."""
    offset = offset_ms.to_bytes(3, "big", signed=True)
    if media.kind(codec) == "audio":
        if codec == "aac" and track == 0:
            return b"\xaf" + bytes([packet_type]) + body
        if track == 0:
            return bytes([0x90 | packet_type]) + FOUR_CC[codec] + body
        return bytes([0x90 | AUDIO_MULTITRACK, packet_type]) + FOUR_CC[codec] + bytes([track]) + body
    frame_type = 1 if key_frame else 2
    if codec == "h264":
        return bytes([frame_type << 4 | 7, packet_type]) + offset + body
    timed = codec == "hevc" and packet_type == FRAMES
    if timed and offset_ms == 0:
        packet_type, timed = FRAMES_WITHOUT_OFFSET, False
    return bytes([0x80 | frame_type << 4 | packet_type]) + FOUR_CC[codec] + (offset if timed else b"") + body


def untag(kind, payload):
    """(codec, packet type, key frame, offset_ms, track, body)"""
    first = payload[0]
    if kind == AUDIO:
        if first >> 4 == 10:
            return "aac", payload[1], True, 0, 0, payload[2:]
        assert first >> 4 == 9, f"sound format {first >> 4}"
        packet_type = first & 15
        if packet_type != AUDIO_MULTITRACK:
            return CODEC[payload[1:5]], packet_type, True, 0, 0, payload[5:]
        assert payload[1] >> 4 == 0, "several tracks in a message"
        return CODEC[payload[2:6]], payload[1] & 15, True, 0, payload[6], payload[7:]
    assert kind == VIDEO
    key_frame = first >> 4 & 7 == 1
    if first < 0x80:
        assert first & 15 == 7, f"codec {first & 15}"
        return "h264", payload[1], key_frame, int.from_bytes(payload[2:5], "big", signed=True), 0, payload[5:]
    codec, packet_type = CODEC[payload[1:5]], first & 15
    if codec == "hevc" and packet_type == FRAMES:
        return codec, FRAMES, key_frame, int.from_bytes(payload[5:8], "big", signed=True), 0, payload[8:]
    return codec, FRAMES if packet_type == FRAMES_WITHOUT_OFFSET else packet_type, key_frame, 0, 0, payload[5:]


def _nal_units(codec, data):
    while data:
        size = struct.unpack(">I", data[:4])[0]
        assert 4 + size <= len(data), "a torn access unit"
        unit, data = data[4 : 4 + size], data[4 + size :]
        slice_types = range(1, 6) if codec == "h264" else range(32)
        if (unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63) in slice_types:
            yield struct.pack(">I", size) + unit


def _obus(data):
    """All but temporal delimiters and sequence headers, without their sizes."""
    while data:
        kind, header = data[0] >> 3 & 15, 2 if data[0] & 4 else 1
        size, at = len(data) - header, header
        if data[0] & 2:
            size = shift = 0
            while True:
                byte, at = data[at], at + 1
                size, shift = size | (byte & 127) << shift, shift + 7
                if byte < 128:
                    break
        assert at + size <= len(data), "a torn temporal unit"
        if kind not in (1, 2):
            yield bytes([kind]) + data[at : at + size]
        data = data[at + size :]


def digest(codec, data):
    parts = _nal_units(codec, data) if codec in ("h264", "hevc") else _obus(data) if codec == "av1" else [data]
    return hashlib.md5(b"".join(parts)).hexdigest()


# --- clients ---


def sources(name, seconds):
    """codec → [(digest, DTS, PTS)] in ms."""
    configurations, sent = packets(name, seconds)
    found = {codec: [] for codec in configurations}
    for packet in sent:
        found[packet.codec].append((digest(packet.codec, packet.data), packet.dts, packet.pts))
    return found


def facts(codecs, version=2, multitrack=False):
    """What a client that takes these says in `connect`."""
    names = [FOUR_CC[codec].decode() for codec in codecs]
    if version == 1:
        return {"fourCcList": names}
    maps = {f"{kind}FourCcInfoMap": {name: 7 for codec, name in zip(codecs, names) if media.kind(codec) == kind} for kind in ("video", "audio")}
    return {**maps, "capsEx": 2 if multitrack else 0}


def messages(name, seconds):
    """(type, ms, payload) of a publisher's: configurations, then frames. Audio tracks are numbered in their order."""
    configurations, sent = packets(name, seconds)
    sounds = [codec for codec in configurations if media.kind(codec) == "audio"]
    for codec, configuration in configurations.items():
        if configuration:
            kind = AUDIO if codec in sounds else VIDEO
            yield kind, 0, tag(codec, CONFIGURATION, configuration, track=sounds.index(codec) if codec in sounds else 0)
    for packet in sent:
        track = sounds.index(packet.codec) if packet.codec in sounds else 0
        payload = tag(packet.codec, FRAMES, packet.data, packet.key_frame, packet.pts - packet.dts, track)
        yield AUDIO if packet.codec in sounds else VIDEO, packet.dts, payload


class Played:
    """What a reader got: `frames` as sources() says it, `configurations` by codec, `tracks` as codec → track id."""

    def __init__(self, codecs):
        self.frames, self.configurations, self.tracks = {codec: [] for codec in codecs}, {}, {}

    def take(self, kind, timestamp, payload):
        codec, packet_type, key_frame, offset, track, body = untag(kind, payload)
        self.tracks[codec] = track
        if packet_type == CONFIGURATION:
            self.configurations[codec] = body
        if packet_type == FRAMES and body:
            assert codec in CLASSIC or codec in ("ac3",) or codec in self.configurations, f"{codec} without a configuration"
            assert self.frames[codec] or key_frame, f"{codec} does not begin with a key frame"
            self.frames[codec].append((digest(codec, body), timestamp, timestamp + offset))
