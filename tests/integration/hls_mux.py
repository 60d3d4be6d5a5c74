"""Recordings of access units for hls_mux (hls_mux.cpp), made of what FFmpeg writes: a plain MP4 file, whose packets
ffprobe locates."""

import json
import re
import struct
import subprocess

CODECS = {"h264": 1, "hevc": 2, "vp9": 4, "av1": 5, "aac": 9, "opus": 11, "mp3": 12, "ac3": 15, "flac": 16}
AFTER_LENGTHS = ("h264", "hevc")
SECOND = 1_000_000_000


def probe(path, *arguments):
    command = ["ffprobe", "-v", "error", "-of", "json", *arguments, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def from_hexdump(text):
    """Of lines such as "00000000: 0164 001f ffe1  .d..."."""
    digits = "".join(re.match(r"\w+: ((?:[0-9a-f]+ )+)", line).group(1) for line in text.strip().splitlines())
    return bytes.fromhex(digits)


def split_obus(data):
    units, at = [], 0
    while at < len(data):
        start, header = at, data[at]
        at += 2 if header & 4 else 1
        size, shift = 0, 0
        while True:
            byte = data[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not byte & 0x80:
                break
        at += size
        if header >> 3 & 15 != 2:  # a temporal delimiter
            units.append(data[start:at])
    return units


def split_units(codec, data):
    if codec == "av1":
        return split_obus(data)
    if codec not in AFTER_LENGTHS:
        return [data]
    units, at = [], 0
    while at < len(data):
        size = struct.unpack_from(">I", data, at)[0]
        units.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return units


def fmtp(codec, configuration):
    if codec == "aac":
        return "sizelength=13; indexlength=3; indexdeltalength=3; config=" + configuration.hex()
    return "streaminfo=" + configuration[-34:].hex() if codec == "flac" else ""


def nanoseconds(ticks, time_base):
    numerator, denominator = (int(part) for part in time_base.split("/"))
    return round(ticks * numerator * SECOND / denominator)


def record(mp4, out):
    """Packets in the order of their decoding times, all tracks interleaved."""
    streams = probe(mp4, "-show_streams", "-show_data")["streams"]
    data = mp4.read_bytes()
    records = []
    for stream in streams:
        codec = stream["codec_name"]
        configuration = from_hexdump(stream["extradata"]) if stream.get("extradata") else b""
        text = fmtp(codec, configuration).encode()
        rate = int(stream.get("sample_rate", 90000)) if codec != "mp3" else 90000
        records.append(b"T" + struct.pack(">BIBH", CODECS[codec], rate, stream.get("channels", 0), len(text)) + text
                       + struct.pack(">H", len(configuration)) + configuration)
    units = []
    for packet in probe(mp4, "-show_packets")["packets"]:
        index = packet["stream_index"]
        stream = streams[index]
        pts, dts = (nanoseconds(packet[name], stream["time_base"]) for name in ("pts", "dts"))
        position, size = int(packet["pos"]), int(packet["size"])
        parts = split_units(stream["codec_name"], data[position : position + size])
        head = struct.pack(">BqqBH", index, pts, dts, packet["flags"].startswith("K"), len(parts))
        units.append((dts, index, b"U" + head + b"".join(struct.pack(">I", len(part)) + part for part in parts)))
    units.sort(key=lambda unit: unit[:2])
    out.write_bytes(b"".join(records) + b"".join(unit[2] for unit in units))
