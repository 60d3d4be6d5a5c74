#!/usr/bin/env python3
"""Holds playlists of an HLS stream against the rules of RFC 8216 and of draft-pantos-hls-rfc8216bis for Low-Latency HLS.

Knows nothing of Sluice: it reads what a player would. Checker.add() takes the media playlists of one stream in the order
in which they were fetched, delta updates as well, and collects complaints, one line each.

    hls_check.py URL SECONDS      # fetches a media playlist four times a second, every other time a delta update if offered
"""

import datetime
import re
import sys
import time
import urllib.request
from dataclasses import dataclass, field, replace
from typing import Optional

ROUNDING_S = 0.00002  # of each duration that is written with five decimals
CLOCK_S = 0.1  # between PROGRAM-DATE-TIME and the durations before it
PART_FILL = 0.85  # of PART-TARGET, section 4.4.4.9
MAP_VERSION, FLOAT_VERSION, RANGE_VERSION, SKIP_VERSION = 6, 3, 4, 9  # section 8

CONTROL = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # section 4.1
QUOTED = {"URI", "CODECS", "RECENTLY-REMOVED-DATERANGES"}  # attributes that are quoted strings; no others are
ONLY_YES = {"INDEPENDENT", "CAN-BLOCK-RELOAD", "CAN-SKIP-DATERANGES", "GAP"}
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)')
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


@dataclass
class Part:
    uri: str
    duration: float
    independent: bool = False


@dataclass
class Segment:
    number: int
    uri: Optional[str] = None  # None: only its parts are there yet
    duration: float = 0.0
    parts: list = field(default_factory=list)
    discontinuity: bool = False
    map: Optional[str] = None
    date: Optional[float] = None

    def length(self):
        return self.duration if self.uri else sum(part.duration for part in self.parts)


@dataclass
class Playlist:
    version: int = 1
    target: Optional[int] = None
    sequence: int = 0
    discontinuity_sequence: int = 0
    segments: list = field(default_factory=list)  # those that are written
    skipped: int = 0
    ended: bool = False
    control: Optional[dict] = None
    part_target: Optional[float] = None
    independent: bool = False  # EXT-X-INDEPENDENT-SEGMENTS
    type: Optional[str] = None
    hints: list = field(default_factory=list)
    complaints: list = field(default_factory=list)
    needs: dict = field(default_factory=dict)  # what: version


def attributes(text, complain):
    found, position = {}, 0
    while position < len(text):
        match = ATTRIBUTE.match(text, position)
        if not match:
            complain(f"malformed attributes: {text}")
            break
        if match[1] in found:
            complain(f"attribute {match[1]} twice: {text}")
        if match[2].startswith('"') != (match[1] in QUOTED):
            complain(f"{match[1]} is {'no ' * (match[1] in QUOTED)}quoted string: {text}")
        if match[1] in ONLY_YES and match[2] != "YES":
            complain(f"{match[1]} can only be YES: {text}")
        found[match[1]] = match[2].strip('"')
        position = match.end()
    return found


def number(text, kind, complain, what):
    pattern = r"\d+" if kind is int else r"\d+(\.\d+)?"
    if text is None or not re.fullmatch(pattern, text):
        complain(f"{what} is {text!r}")
        return kind(0)
    return kind(text)


class _Reader:
    """Strict where players are tolerant."""

    def __init__(self, text):
        self.playlist = Playlist()
        self.complain = self.playlist.complaints.append
        self.tags = set()
        self.map = None
        self.duration = None
        self.segment = Segment(0)
        lines = text.split("\n")
        if lines[0] != "#EXTM3U":
            self.complain("does not begin with #EXTM3U")
        if lines[-1] != "":
            self.complain("does not end with a line end")
        for line in lines[1:]:
            if CONTROL.search(line):
                self.complain(f"control characters: {line!r}")
            if line != line.strip():
                self.complain(f"blanks around a line: {line!r}")
            elif line.startswith("#EXT"):
                name, _, value = line.partition(":")
                self.tag(name, value)
            elif line and not line.startswith("#"):
                self.uri(line)
        self.finish()

    def once(self, name):
        if name in self.tags:
            self.complain(f"{name} twice")
        self.tags.add(name)
        if self.playlist.segments and name in ("#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE", "#EXT-X-SKIP"):
            self.complain(f"{name} behind a segment")
        if self.segment.discontinuity and name == "#EXT-X-DISCONTINUITY-SEQUENCE":
            self.complain(f"{name} behind EXT-X-DISCONTINUITY")

    def tag(self, name, value):
        playlist, complain = self.playlist, self.complain
        single = {
            "#EXT-X-VERSION": lambda: setattr(playlist, "version", number(value, int, complain, "EXT-X-VERSION")),
            "#EXT-X-TARGETDURATION": lambda: setattr(playlist, "target", number(value, int, complain, "EXT-X-TARGETDURATION")),
            "#EXT-X-MEDIA-SEQUENCE": lambda: setattr(playlist, "sequence", number(value, int, complain, "EXT-X-MEDIA-SEQUENCE")),
            "#EXT-X-DISCONTINUITY-SEQUENCE": lambda: setattr(
                playlist, "discontinuity_sequence", number(value, int, complain, "EXT-X-DISCONTINUITY-SEQUENCE")),
            "#EXT-X-ENDLIST": lambda: setattr(playlist, "ended", True),
            "#EXT-X-SERVER-CONTROL": lambda: setattr(playlist, "control", attributes(value, complain)),
            "#EXT-X-PART-INF": self.part_information(value),
            "#EXT-X-SKIP": self.skip(value),
            "#EXT-X-INDEPENDENT-SEGMENTS": lambda: setattr(playlist, "independent", True),
            "#EXT-X-PLAYLIST-TYPE": lambda: setattr(playlist, "type", value),
        }
        if name in single:
            self.once(name)
            single[name]()
        elif name == "#EXTINF":
            duration, comma, _ = value.partition(",")
            if not comma:
                complain("EXTINF without a comma")
            if "." in duration:
                playlist.needs["a duration that is no integer"] = FLOAT_VERSION
            if self.duration is not None:
                complain("EXTINF twice for a segment")
            self.duration = number(duration, float, complain, "EXTINF")
        elif name == "#EXT-X-PART":
            self.part(value)
        elif name == "#EXT-X-MAP":
            self.map = attributes(value, complain).get("URI")
            if not self.map:
                complain("EXT-X-MAP without URI")
            playlist.needs["EXT-X-MAP"] = MAP_VERSION
        elif name == "#EXT-X-DISCONTINUITY":
            self.segment.discontinuity = True
        elif name == "#EXT-X-PROGRAM-DATE-TIME":
            self.date(value)
        elif name == "#EXT-X-PRELOAD-HINT":
            playlist.hints.append(attributes(value, complain))
        elif name == "#EXT-X-BYTERANGE":
            playlist.needs["EXT-X-BYTERANGE"] = RANGE_VERSION
        elif name == "#EXT-X-STREAM-INF":
            complain("a tag of multivariant playlists")

    def part_information(self, value):
        def read():
            target = attributes(value, self.complain).get("PART-TARGET")
            self.playlist.part_target = number(target, float, self.complain, "PART-TARGET")
        return read

    def skip(self, value):
        def read():
            count = attributes(value, self.complain).get("SKIPPED-SEGMENTS")
            self.playlist.skipped = number(count, int, self.complain, "SKIPPED-SEGMENTS")
            self.playlist.needs["EXT-X-SKIP"] = SKIP_VERSION
            if self.playlist.skipped == 0:
                self.complain("EXT-X-SKIP of nothing")
        return read

    def part(self, value):
        found = attributes(value, self.complain)
        if not found.get("URI"):
            self.complain("EXT-X-PART without URI")
        duration = number(found.get("DURATION"), float, self.complain, "DURATION of EXT-X-PART")
        if not self.segment.parts:
            self.segment.map = self.map
        self.segment.parts.append(Part(found.get("URI", ""), duration, found.get("INDEPENDENT") == "YES"))

    def date(self, value):
        if not DATE.fullmatch(value):
            self.complain(f"malformed PROGRAM-DATE-TIME: {value}")
            return
        if self.segment.parts:
            self.complain("PROGRAM-DATE-TIME behind a part of its segment")
        self.segment.date = datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()

    def uri(self, line):
        if self.duration is None:
            self.complain(f"segment without EXTINF: {line}")
        segment = self.segment
        segment.uri, segment.duration, segment.map = line, self.duration or 0.0, self.map
        self.playlist.segments.append(segment)
        self.segment, self.duration = Segment(0), None

    def finish(self):
        if self.duration is not None:
            self.complain("EXTINF without a segment")
        if self.segment.parts:
            self.playlist.segments.append(self.segment)
        first = self.playlist.sequence + self.playlist.skipped
        for index, segment in enumerate(self.playlist.segments):
            segment.number = first + index


def parse(text):
    return _Reader(text).playlist


class Checker:
    """Media playlists of one stream over time."""

    def __init__(self):
        self.complaints = []
        self.count = 0
        self.segments = {}  # number: as it was written last, with all parts that were ever told
        self.discontinuities = {}  # number: discontinuity sequence number
        self.last = None  # the playlist before, whole
        self.last_time = None
        self.changed = None  # when a segment came last

    def complain(self, text):
        self.complaints.append(f"playlist {self.count}: {text}")

    def add(self, at_s, text):
        self.count += 1
        playlist = parse(text)
        for complaint in playlist.complaints:
            self.complain(complaint)
        whole = self.fill_in(playlist)
        if whole is not None:
            self.check_versions(whole)
            self.check_durations(whole)
            self.check_parts(whole)
            self.check_low_latency(whole)
            self.check_dates(whole)
            if self.last is not None:
                self.check_progress(whole)
            self.check_same(whole)
            self.check_pace(at_s, whole)
            self.last, self.last_time = whole, at_s
        return whole

    def fill_in(self, playlist):
        """What a player makes of a delta update and what it knew."""
        if playlist.skipped == 0:
            return playlist
        known = {segment.number: segment for segment in self.last.segments} if self.last else {}
        numbers = range(playlist.sequence, playlist.sequence + playlist.skipped)
        missing = [number for number in numbers if number not in known]
        if missing:
            self.complain(f"skips segments that were never told: {missing}")
            return None
        end = sum(segment.length() for segment in playlist.segments)
        limit = float((playlist.control or {}).get("CAN-SKIP-UNTIL", 0))
        if limit == 0:
            self.complain("a delta update without CAN-SKIP-UNTIL")
        elif end < limit - ROUNDING_S * (len(playlist.segments) + 1):
            self.complain(f"skips what is newer than the skip boundary: {end:.5f} s are left of {limit} s")
        skipped = [replace(known[number], parts=[]) for number in numbers]
        current = skipped[-1].map
        filled = []
        for segment in playlist.segments:
            if segment.map is None:
                segment = replace(segment, map=current)
            current = segment.map
            filled.append(segment)
        return replace(playlist, segments=skipped + filled)

    # One playlist.

    def check_versions(self, playlist):
        for what, version in playlist.needs.items():
            if playlist.version < version:
                self.complain(f"{what} needs version {version}, but it is {playlist.version}")
        if playlist.target is None:
            self.complain("without EXT-X-TARGETDURATION")
        for segment in playlist.segments:
            name = (segment.uri or segment.parts[0].uri).partition("?")[0]
            if name.endswith((".mp4", ".m4s")) and not segment.map:
                self.complain(f"segment {segment.number} without EXT-X-MAP")

    def check_durations(self, playlist):
        finished = [segment for segment in playlist.segments if segment.uri]
        for segment in finished:
            if playlist.target is not None and int(segment.duration + 0.5) > playlist.target:
                self.complain(f"segment {segment.number} lasts {segment.duration} s, TARGETDURATION is {playlist.target}")
        total = sum(segment.duration for segment in finished)
        if playlist.sequence > 0 and not playlist.ended and playlist.target and self.last is not None:
            removed = playlist.sequence > self.last.sequence
            if removed and total < 3 * playlist.target - ROUNDING_S * len(finished):
                self.complain(f"segments removed although only {total:.5f} s are left: less than three target durations")
        for segment in playlist.segments[:-1]:
            if not segment.uri:
                self.complain(f"segment {segment.number} is not finished, but not the last one")

    def check_parts(self, playlist):
        behind = sum(segment.length() for segment in playlist.segments)
        for segment in playlist.segments:
            behind -= segment.length()
            if not segment.parts:
                continue
            if playlist.part_target is None:
                self.complain("EXT-X-PART without EXT-X-PART-INF")
                return
            if playlist.independent and not segment.parts[0].independent:
                self.complain(f"segment {segment.number} does not begin with an independent part")
            for index, part in enumerate(segment.parts):
                if part.duration > playlist.part_target + 1e-9:
                    self.complain(f"part {part.uri} lasts {part.duration} s, PART-TARGET is {playlist.part_target}")
                last = index + 1 == len(segment.parts)
                if not last and part.duration < PART_FILL * playlist.part_target - ROUNDING_S:
                    self.complain(f"part {part.uri} lasts {part.duration} s only, PART-TARGET is {playlist.part_target}")
            total = sum(part.duration for part in segment.parts)
            if segment.uri and abs(total - segment.duration) > ROUNDING_S * (len(segment.parts) + 1):
                self.complain(f"parts of segment {segment.number} last {total:.5f} s, it lasts {segment.duration} s")
            if playlist.target and behind > 3 * playlist.target + ROUNDING_S * len(playlist.segments):
                self.complain(f"parts of segment {segment.number} are told, which ended {behind:.5f} s before the end")

    def check_low_latency(self, playlist):
        control = playlist.control or {}
        if "CAN-SKIP-DATERANGES" in control and "CAN-SKIP-UNTIL" not in control:
            self.complain("CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL")

        def at_least(name, limit, what):
            value = number(control[name], float, self.complain, name)
            if value < limit - 1e-9:
                self.complain(f"{name} is {value}, less than {what}")

        target = playlist.target or 0
        if "HOLD-BACK" in control:
            at_least("HOLD-BACK", 3 * target, "three target durations")
        if "CAN-SKIP-UNTIL" in control:
            at_least("CAN-SKIP-UNTIL", 6 * target, "six target durations")
        parts = [part for segment in playlist.segments for part in segment.parts]
        if len({part.uri for part in parts}) != len(parts):
            self.complain("two parts have the same URI")
        for hint in playlist.hints:
            if hint.get("TYPE") not in ("PART", "MAP") or not hint.get("URI"):
                self.complain(f"EXT-X-PRELOAD-HINT is {hint}")
        hints = [hint for hint in playlist.hints if hint.get("TYPE") == "PART"]
        if playlist.part_target is None:
            if playlist.hints:
                self.complain("EXT-X-PRELOAD-HINT without EXT-X-PART-INF")
            return
        if "PART-HOLD-BACK" not in control:
            self.complain("EXT-X-PART-INF without PART-HOLD-BACK")
        else:
            at_least("PART-HOLD-BACK", 3 * playlist.part_target, "three part targets")
        if control.get("CAN-BLOCK-RELOAD") != "YES":
            self.complain("Low-Latency without CAN-BLOCK-RELOAD")
        if playlist.ended and hints:
            self.complain("a preload hint although it has ended")
        if not playlist.ended and len(hints) != 1:
            self.complain(f"{len(hints)} preload hints of parts")
        for hint in hints:
            if any(part.uri == hint.get("URI") for part in parts):
                self.complain(f"the preload hint {hint.get('URI')} is there already")

    def check_dates(self, playlist):
        if not any(segment.date is not None for segment in playlist.segments):
            self.complain("without PROGRAM-DATE-TIME")
        expected = None
        for segment in playlist.segments:
            if segment.discontinuity:
                expected = None
            if segment.date is not None and expected is not None and abs(segment.date - expected) > CLOCK_S:
                self.complain(f"PROGRAM-DATE-TIME of segment {segment.number} is {segment.date - expected:+.3f} s off")
            begin = segment.date if segment.date is not None else expected
            expected = None if begin is None else begin + segment.length()

    # Against those before.

    def check_progress(self, playlist):
        last = self.last
        if playlist.sequence < last.sequence:
            self.complain(f"MEDIA-SEQUENCE went back from {last.sequence} to {playlist.sequence}")
        # Section 6.2.1: segments and parts come and go, what is said of all of them stays.
        stays = {"TARGETDURATION": "target", "PART-TARGET": "part_target", "version": "version", "SERVER-CONTROL": "control",
                 "INDEPENDENT-SEGMENTS": "independent", "PLAYLIST-TYPE": "type"}
        for what, name in stays.items():
            before, now = getattr(last, name), getattr(playlist, name)
            if before != now:
                self.complain(f"{what} went from {before} to {now}")
        if playlist.type is not None and playlist.sequence != last.sequence:
            self.complain(f"segments were removed although PLAYLIST-TYPE is {playlist.type}")
        if playlist.discontinuity_sequence < last.discontinuity_sequence:
            self.complain(f"DISCONTINUITY-SEQUENCE went back from {last.discontinuity_sequence} to {playlist.discontinuity_sequence}")
        if last.ended and (not playlist.ended or self.position(playlist) != self.position(last)):
            self.complain("it goes on although it had ended")
        if self.position(playlist) < self.position(last):
            self.complain(f"its end went back from {self.position(last)} to {self.position(playlist)}")
        if last.segments and playlist.segments and playlist.segments[0].number > last.segments[-1].number + 1:
            self.complain("it does not join the one before")  # nothing more can be said
            return
        self.check_hint(playlist)

    @staticmethod
    def position(playlist):
        """(segment, parts): what is complete."""
        if not playlist.segments:
            return playlist.sequence, 0
        last = playlist.segments[-1]
        return (last.number + 1, 0) if last.uri else (last.number, len(last.parts))

    def check_hint(self, playlist):
        hinted = next((hint.get("URI") for hint in self.last.hints if hint.get("TYPE") == "PART"), None)
        known = [part.uri for segment in self.last.segments for part in segment.parts]
        told = [part.uri for segment in playlist.segments for part in segment.parts]
        if hinted is None or not known or known[-1] not in told:
            return
        new = told[told.index(known[-1]) + 1 :]
        if new and new[0] != hinted:
            self.complain(f"the part {new[0]} came where {hinted} was hinted")

    def check_same(self, playlist):
        discontinuity = playlist.discontinuity_sequence
        for segment in playlist.segments:
            discontinuity += segment.discontinuity
            before = self.discontinuities.setdefault(segment.number, discontinuity)
            if before != discontinuity:
                self.complain(f"segment {segment.number} has discontinuity sequence {discontinuity}, had {before}")
            known = self.segments.get(segment.number)
            if known is not None:
                self.compare(known, segment)
            kept = segment if known is None or len(segment.parts) >= len(known.parts) else replace(segment, parts=known.parts)
            self.segments[segment.number] = kept
        uris = [segment.uri for segment in playlist.segments if segment.uri]
        if len(set(uris)) != len(uris):
            self.complain("two segments have the same URI")

    def compare(self, known, segment):
        def same(what, before, now):
            if before != now:
                self.complain(f"{what} of segment {segment.number} was {before}, is {now}")

        if known.uri is not None:
            same("URI", known.uri, segment.uri)
            same("duration", known.duration, segment.duration)
        same("EXT-X-MAP", known.map, segment.map)
        if known.date is not None and segment.date is not None:
            same("PROGRAM-DATE-TIME", known.date, segment.date)
        same("discontinuity", known.discontinuity, segment.discontinuity)
        for before, now in zip(known.parts, segment.parts):
            same(f"part {before.uri}", before, now)
        if known.uri is not None and known.parts and segment.parts:
            same("number of parts", len(known.parts), len(segment.parts))
        if segment.uri is None and len(segment.parts) < len(known.parts):
            self.complain(f"segment {segment.number} lost parts")

    def check_pace(self, at_s, playlist):
        """Section 6.2.2: a new segment at least every one and a half target durations, as far as fetching can tell."""
        newest = max((segment.number for segment in playlist.segments if segment.uri), default=-1)
        if self.changed is None or newest > self.changed[0]:
            self.changed = (newest, at_s)
        elif not playlist.ended and playlist.target:
            late = at_s - self.changed[1] - (at_s - self.last_time)
            if late > 1.5 * playlist.target:
                self.complain(f"no new segment for {late:.1f} s")
                self.changed = (newest, at_s)  # said once


def compare_delta(full_text, delta_text, before_text):
    """Complaints about a delta update: with what a player knew from `before_text` it has to give the full playlist, both
    written of the same state."""
    checker = Checker()
    checker.add(0, before_text)
    checker.complaints.clear()
    full, merged = parse(full_text), checker.add(0, delta_text)
    complaints = list(checker.complaints)
    if merged is None:
        return complaints
    written = {segment.number: segment for segment in full.segments}
    if [segment.number for segment in merged.segments] != list(written):
        complaints.append(f"delta: segments {[s.number for s in merged.segments]}, full: {list(written)}")
    for segment in merged.segments[: merged.skipped]:
        whole = written.get(segment.number)
        if whole is not None and replace(segment, parts=[]) != replace(whole, parts=[]):
            complaints.append(f"skipped segment {segment.number} is not what the full playlist has")
    for segment in merged.segments[merged.skipped :]:
        if segment != written.get(segment.number):
            complaints.append(f"segment {segment.number} of the delta update is not what the full playlist has")
    same_head = ("version", "target", "independent", "type", "sequence", "discontinuity_sequence", "ended", "control", "part_target", "hints")
    for name in same_head:
        if getattr(merged, name) != getattr(full, name):
            complaints.append(f"{name} of the delta update is {getattr(merged, name)}, of the full one {getattr(full, name)}")
    return complaints


def check_multivariant(text):
    """Complaints about a multivariant playlist (RFC 8216 section 4.3.4)."""
    complaints = []
    lines = text.split("\n")
    if lines[0] != "#EXTM3U":
        complaints.append("does not begin with #EXTM3U")
    variants = 0
    for index, line in enumerate(lines):
        if line.startswith(("#EXTINF", "#EXT-X-TARGETDURATION")):
            complaints.append("a tag of media playlists")
        if not line.startswith("#EXT-X-STREAM-INF:"):
            continue
        variants += 1
        found = attributes(line.partition(":")[2], complaints.append)
        bandwidth = number(found.get("BANDWIDTH"), int, complaints.append, "BANDWIDTH")
        average = number(found.get("AVERAGE-BANDWIDTH", str(bandwidth)), int, complaints.append, "AVERAGE-BANDWIDTH")
        if average > bandwidth:
            complaints.append(f"AVERAGE-BANDWIDTH {average} is larger than BANDWIDTH {bandwidth}")
        if not re.fullmatch(r"[A-Za-z0-9]{4}[A-Za-z0-9.\-]*(,[A-Za-z0-9]{4}[A-Za-z0-9.\-]*)*", found.get("CODECS", "")):
            complaints.append(f"CODECS is {found.get('CODECS')!r}")
        if not re.fullmatch(r"\d+x\d+", found.get("RESOLUTION", "0x0")):
            complaints.append(f"RESOLUTION is {found['RESOLUTION']!r}")
        if not re.fullmatch(r"\d+(\.\d{1,3})?", found.get("FRAME-RATE", "0")):
            complaints.append(f"FRAME-RATE is {found['FRAME-RATE']!r}")
        if index + 1 >= len(lines) or not lines[index + 1] or lines[index + 1].startswith("#"):
            complaints.append("EXT-X-STREAM-INF without URI")
    if variants == 0:
        complaints.append("no variants")
    return complaints


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    url, seconds = sys.argv[1], float(sys.argv[2])
    checker, begin, delta = Checker(), time.monotonic(), False
    while time.monotonic() - begin < seconds:
        wanted = url + ("&" if "?" in url else "?") + "_HLS_skip=YES" if delta else url
        with urllib.request.urlopen(wanted, timeout=30) as response:
            playlist = checker.add(time.monotonic() - begin, response.read().decode())
        delta = not delta and playlist is not None and "CAN-SKIP-UNTIL" in (playlist.control or {})
        time.sleep(0.25)
    print("".join(complaint + "\n" for complaint in checker.complaints), end="")
    print(f"{checker.count} playlists, {len(checker.complaints)} complaints")
    sys.exit(1 if checker.complaints else 0)


if __name__ == "__main__":
    main()
