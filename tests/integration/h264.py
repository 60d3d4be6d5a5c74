"""H264 out of RTP packets (RFC 6184), strictly: what is not whole is an error."""

import struct

IDR = 5


class Torn(AssertionError):
    """Part of an access unit is missing."""


class AccessUnits:
    """Takes a track's packets in the order they come. `units`: lists of NAL units; `gaps`: (index of the unit after it,
    missing packets)."""

    def __init__(self):
        self.units, self.gaps = [], []
        self.sequence, self.timestamp = None, None
        self.current, self.fragment = [], None

    def add(self, packet):
        sequence, timestamp = struct.unpack(">HI", packet[2:8])
        if self.sequence is not None and sequence != (self.sequence + 1) & 0xFFFF:
            if self.current or self.fragment is not None:
                raise Torn(f"packet {sequence} comes after {self.sequence}, in the midst of a unit")
            self.gaps.append((len(self.units), (sequence - self.sequence - 1) & 0xFFFF))
        if self.current and timestamp != self.timestamp:
            raise Torn(f"the unit before packet {sequence} has no end")
        self.sequence, self.timestamp = sequence, timestamp
        self._payload(packet[12:])
        if packet[1] & 0x80:
            if self.fragment is not None:
                raise Torn(f"packet {sequence} ends a unit in the midst of a NAL unit")
            self.units.append(self.current)
            self.current = []

    def _payload(self, payload):
        kind = payload[0] & 31
        if kind == 24:  # STAP-A
            rest = payload[1:]
            while rest:
                size = struct.unpack(">H", rest[:2])[0]
                self.current.append(rest[2 : 2 + size])
                rest = rest[2 + size :]
        elif kind == 28:  # FU-A
            start, end = payload[1] & 0x80, payload[1] & 0x40
            if bool(start) != (self.fragment is None):
                raise Torn(f"packet {self.sequence}: part of a NAL unit is missing")
            self.fragment = bytes([payload[0] & 0xE0 | payload[1] & 31]) if start else self.fragment
            self.fragment += payload[2:]
            if end:
                self.current.append(self.fragment)
                self.fragment = None
        else:
            if self.fragment is not None:
                raise Torn(f"packet {self.sequence}: a NAL unit has no end")
            self.current.append(payload)

    def begins_with_idr(self, index):
        return any(unit[0] & 31 == IDR for unit in self.units[index])

    def annex_b(self, parameter_sets):
        return b"".join(b"\0\0\0\1" + unit for unit in [*parameter_sets, *(nal for unit in self.units for nal in unit)])
