"""RTMP in either direction, with FFmpeg: what is read is what was published, frame by frame and to the millisecond. Each
stream is read by several at once, over RTMP in the publisher's worker and in another. Times are compared with the
file's own: those of audio and video together from RTMP to RTMP; over RTSP each by itself, since a track's clock begins
with its first packet there, and for FFmpeg as a reader only about, since it follows sender reports."""

import media
from harness import TestCase, wait_until
from rtsp import wait_until_published

SECONDS = 12  # of the fixture that are published
UNKNOWN_MS = 1e12  # what FFmpeg calls the time of a first frame without one
AT_LEAST_S = 3  # to be equal
DISPLACED_MS = 2  # what rounding may do: to milliseconds here, to a sample or a 90000th there
DISPLACED_BY_REPORTS_MS = 25  # FFmpeg follows sender reports, which follow the times at which packets came in
FIXTURES = ("h264_aac", "h264_b_aac", "h264_pyramid_aac")
FRAMES_A_SECOND = {"h264": 30, "hevc": 30, "av1": 30, "vp9": 30, "aac": 48000 / 1024, "opus": 50, "flac": 48000 / 4608, "ac3": 48000 / 1536}


def published(name):
    """codec → [(MD5, DTS, PTS)] of the fixture in ms."""
    texts = media.ffmpeg("-i", media.fixture(name), "-copyts", *framemd5(media.codecs(name), "-"))
    return parse(texts, media.codecs(name))


def framemd5(codecs, output):
    """Options of FFmpeg that write all of these codecs' frames, in the form that is compared, as text."""
    options = []
    for codec in codecs:
        kind = media.kind(codec)[0]
        options += ["-map", f"0:{kind}"]
        if "-bsf" in media.FORM[codec]:
            options += [f"-bsf:{kind}", media.FORM[codec][-1]]
    return [*options, "-c", "copy", "-flush_packets", "1", "-f", "framemd5", output]


def parse(text, codecs):
    """codec → [(MD5, DTS, PTS)] in ms of what framemd5() wrote of them, in this order."""
    found, base = {codec: [] for codec in codecs}, {}
    for line in text.split("\n"):
        if line.startswith("#tb "):
            number, _, value = line[4:].partition(": ")
            numerator, denominator = value.split("/")
            base[int(number)] = 1000 * int(numerator) / int(denominator)
        elif line and not line.startswith("#") and line.count(",") >= 5:
            number, dts, pts, _, _, digest = line.split(",")[:6]
            unit = base[int(number)]
            found[codecs[int(number)]].append((digest.strip(), int(dts) * unit, int(pts) * unit))
    return found


def run_of(source, read):
    """(where in source, frames that are equal) of what was read, which is to be a gapless run from its first frame on."""
    best = (0, 0)
    for start, (digest, *_) in enumerate(source):
        if not read or digest != read[0][0]:
            continue
        count = 0
        while count < len(read) and start + count < len(source) and source[start + count][0] == read[count][0]:
            count += 1
        best = max(best, (start, count), key=lambda pair: pair[1])
    return best


class RtmpTestCase(TestCase):
    """Publishes a fixture and compares what is read of it."""

    def rtmp_server(self, configuration=None, **more):
        return self.server({"rtmpDisable": False, "rtspWorkers": 1, **(configuration or {})}, **more)

    def publish(self, sluice, fixture, by, path="cam", seconds=SECONDS, options=()):
        url = sluice.rtmp_url(path) if by == "rtmp" else sluice.url(path)
        form = ["-f", "flv"] if by == "rtmp" else ["-f", "rtsp", "-rtsp_transport", "tcp"]
        with (sluice.folder / "publisher.log").open("ab") as log:
            process = self.start(["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-re", "-t", seconds, "-i",
                                  media.fixture(fixture), "-map", "0", "-c", "copy", *options, *form, url], stdout=log, stderr=log)
        wait_until_published(sluice, path)
        return process

    def read(self, url, codecs, output, options=(), output_options=()):
        transport = ["-rtsp_transport", "tcp"] if url.startswith("rtsp") else []
        with output.with_suffix(".log").open("wb") as log:
            return self.start(["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", *options, *transport, "-i", url,
                               "-copyts", *output_options, *framemd5(codecs, output), "-y"], stdout=log, stderr=log)

    def check(self, fixture, text, codecs, decoding_times, displaced_ms=DISPLACED_MS, at_least_s=AT_LEAST_S, source=None):
        """Complaints about what was read of a fixture, or of `source`, as parse() has it."""
        return self.compare(source or published(fixture), parse(text, codecs), codecs, decoding_times, displaced_ms, at_least_s)

    def compare(self, source, read, codecs, decoding_times, displaced_ms=DISPLACED_MS, at_least_s=AT_LEAST_S):
        complaints, offsets = [], {}
        for codec in codecs:
            start, count = run_of(source[codec], read[codec])
            if count < at_least_s * FRAMES_A_SECOND[codec] or count < len(read[codec]) - 1:
                complaints.append(f"{codec}: of {len(read[codec])} frames {count} equal the source's from {start} on")
                continue
            pairs = [pair for pair in zip(source[codec][start : start + count], read[codec]) if abs(pair[1][2]) < UNKNOWN_MS]
            clock = offsets.setdefault("all" if decoding_times else codec, [])
            clock += [(codec, got[2] - sent[2]) for sent, got in pairs]
            if decoding_times:
                clock += [(codec + " DTS", got[1] - sent[1]) for sent, got in pairs]
            elif any(a[1] > b[1] for a, b in zip(read[codec], read[codec][1:])):
                complaints.append(f"{codec}: decoding times go back")
        for clock in offsets.values():
            low, high = min(clock, key=lambda pair: pair[1]), max(clock, key=lambda pair: pair[1])
            if high[1] - low[1] > displaced_ms:
                complaints.append(f"times are displaced between {low} and {high} ms")
        return complaints


class Matrix(RtmpTestCase):
    def both_workers(self, sluice, url, codecs, count=30):
        """Readers over RTMP, some in each worker: the kernel spreads connections."""
        readings, slots = [], set()
        while len(slots) < 2 or len(readings) < 2:
            self.assertLess(len(readings), count, "they all came to the same worker")
            output = sluice.folder / f"read{len(readings)}"
            process = self.read(url, codecs, output)
            readings.append((process, output))
            slots.add(wait_until(lambda process=process: self.slot(sluice, process), what="it is connected")[0])
        return readings

    def slot(self, sluice, process):
        self.assertIsNone(process.poll(), "the reader has ended")
        slot = sluice.slot_of_client_process(process.pid, "rtmp")
        return None if slot is None else (slot,)

    def check_way(self, fixture, source, sink, codecs=None, options=()):
        sluice = self.rtmp_server()
        codecs = codecs or media.codecs(fixture)
        publisher = self.publish(sluice, fixture, source, options=options)
        if sink == "rtmp":
            readings = self.both_workers(sluice, sluice.rtmp_url("cam"), codecs)
        else:
            output = sluice.folder / "read"
            readings = [(self.read(sluice.url("cam"), codecs, output), output)]
        self.assertEqual(publisher.wait(SECONDS + 10), 0, (sluice.folder / "publisher.log").read_text())
        for process, output in readings:
            self.assertEqual(process.wait(10), 0, output.with_suffix(".log").read_text())
            # RTP has no decoding times: whoever needs them makes some.
            displaced = DISPLACED_MS if sink == "rtmp" else DISPLACED_BY_REPORTS_MS
            complaints = self.check(fixture, output.read_text(), codecs, (source, sink) == ("rtmp", "rtmp"), displaced)
            self.assertEqual(complaints, [], output.with_suffix(".log").read_text()[-2000:])
        return sluice

    def test_h265_is_left_out_for_who_does_not_know_it(self):
        sluice = self.check_way("h265_aac", "rtsp", "rtmp", ("aac",))
        self.assertRegex(sluice.log(), r"\[RTMP\] \[conn \S+\] is reading from path 'cam', 1 track\n")

    def test_opus_is_left_out_for_who_does_not_know_it(self):
        self.check_way("h264_opus", "rtsp", "rtmp", ("h264",))


def add_tests():
    for fixture in FIXTURES:
        for source, sink in (("rtsp", "rtmp"), ("rtmp", "rtsp"), ("rtmp", "rtmp")):

            def test(self, arguments=(fixture, source, sink)):
                self.check_way(*arguments)

            setattr(Matrix, f"test_{fixture}_from_{source}_to_{sink}", test)


add_tests()
