"""The checker of playlists complains about what is wrong, and about nothing else."""

import unittest

import hls_check

TARGET = 2


def date(number):
    seconds = 10 + 2 * number
    return f"#EXT-X-PROGRAM-DATE-TIME:2024-02-29T12:{seconds // 60:02}:{seconds % 60:02}.500Z\n"


def segment(number, parts=False):
    text = date(number)
    if parts:
        text += "".join(part(number, index) for index in range(4))
    return text + f"#EXTINF:2.00000,\nx_seg{number}.mp4\n"


def part(number, index):
    independent = ",INDEPENDENT=YES" if index == 0 else ""
    return f'#EXT-X-PART:DURATION=0.50000,URI="x_part{number * 4 + index}.mp4"{independent}\n'


def plain(first, count, sequence=None, head="", end=""):
    return (
        f"#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{TARGET}\n"
        f"#EXT-X-MEDIA-SEQUENCE:{first if sequence is None else sequence}\n{head}"
        '#EXT-X-MAP:URI="x_init0.mp4"\n' + "".join(segment(first + index) for index in range(count)) + end
    )


def low_latency(first, count, parts, skip=0):
    """`count` segments, then `parts` of the next one; parts of the last three are told."""
    text = (
        f"#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{TARGET}\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.50000,HOLD-BACK=6,CAN-SKIP-UNTIL=12\n"
        f"#EXT-X-PART-INF:PART-TARGET=0.50000\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    )
    text += f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skip}\n" if skip else '#EXT-X-MAP:URI="x_init0.mp4"\n'
    after = first + count
    text += "".join(segment(number, parts=number >= after - 3) for number in range(first + skip, after))
    if parts:
        text += date(after) + "".join(part(after, index) for index in range(parts))
    return text + f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x_part{after * 4 + parts}.mp4"\n'


class HlsCheck(unittest.TestCase):
    def complaints(self, *playlists, step_s=0.5):
        checker = hls_check.Checker()
        for index, text in enumerate(playlists):
            checker.add(index * step_s, text)
        return checker.complaints

    def assert_complains(self, words, *playlists, step_s=0.5):
        complaints = self.complaints(*playlists, step_s=step_s)
        self.assertTrue(any(words in complaint for complaint in complaints), f"{words!r} not in {complaints}")

    def assert_changed(self, words, old, new, text=None):
        """A playlist in which `old` stands as `new` is complained about, and as it was it is not."""
        text = text or low_latency(0, 8, 2)
        self.assertEqual(self.complaints(text), [])
        self.assertIn(old, text)
        self.assert_complains(words, text.replace(old, new, 1))

    def test_good_series_pass(self):
        self.assertEqual(self.complaints(plain(0, 3), plain(0, 4), plain(1, 4), plain(1, 4), plain(2, 4)), [])
        series = [low_latency(first, 8, parts) for first in range(3) for parts in range(4)]
        self.assertEqual(self.complaints(*series), [])

    def test_good_delta_updates_pass(self):
        series = [low_latency(0, 10, 1), low_latency(0, 10, 2, skip=4), low_latency(0, 10, 3, skip=4), low_latency(1, 10, 0)]
        self.assertEqual(self.complaints(*series), [])
        self.assertEqual(
            hls_check.compare_delta(low_latency(0, 10, 2), low_latency(0, 10, 2, skip=4), low_latency(0, 10, 1)), [])

    def test_form(self):
        self.assert_changed("does not begin", "#EXTM3U", "#EXTM3")
        self.assert_changed("control characters", "#EXT-X-VERSION:9", "#\x07\n#EXT-X-VERSION:9")
        self.assert_changed("URI is no quoted", 'URI="x_part20.mp4"', "URI=x_part20.mp4")
        self.assert_changed("DURATION is quoted", "DURATION=0.50000", 'DURATION="0.50000"')
        self.assert_changed("can only be YES", "INDEPENDENT=YES", "INDEPENDENT=NO")
        self.assert_complains("behind EXT-X-DISCONTINUITY", plain(0, 3, head="#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n"))
        self.assert_changed("line end", "part34.mp4\"\n", "part34.mp4\"")
        self.assert_changed("blanks", "#EXT-X-VERSION:9", "#EXT-X-VERSION:9\r")
        self.assert_changed("twice", "#EXT-X-VERSION:9\n", "#EXT-X-VERSION:9\n#EXT-X-VERSION:9\n")
        self.assert_changed("without EXTINF", "#EXTINF:2.00000,\n", "")
        self.assert_changed("EXTINF is", "#EXTINF:2.00000,", "#EXTINF:2e0,")
        self.assert_changed("comma", "#EXTINF:2.00000,", "#EXTINF:2.00000")
        self.assert_changed("malformed PROGRAM", "2024-02-29T12:00:10.500Z", "2024-02-29 12:00:10")
        self.assert_changed("malformed attributes", 'URI="x_part20.mp4"', 'URI="x_part20.mp4')
        self.assert_changed("without EXT-X-TARGETDURATION", "#EXT-X-TARGETDURATION:2\n", "")
        self.assert_complains("behind a segment", plain(0, 3, end="#EXT-X-MEDIA-SEQUENCE:0\n"))

    def test_versions(self):
        self.assert_changed("EXT-X-MAP needs version 6", "VERSION:6", "VERSION:5", plain(0, 3))
        self.assert_changed("no integer needs version 3", "VERSION:6", "VERSION:2", plain(0, 3))
        self.assert_complains("EXT-X-SKIP needs version 9", low_latency(0, 10, 1),
                              low_latency(0, 10, 1, skip=4).replace("VERSION:9", "VERSION:8"))
        self.assert_changed("without EXT-X-MAP", '#EXT-X-MAP:URI="x_init0.mp4"\n', "")

    def test_durations(self):
        self.assert_changed("TARGETDURATION is 2", "#EXTINF:2.00000", "#EXTINF:2.50000", plain(0, 3))
        self.assertEqual(self.complaints(plain(0, 3).replace("#EXTINF:2.00000,\nx_seg2", "#EXTINF:2.49999,\nx_seg2")), [])
        self.assert_complains("less than three target durations", plain(0, 3), plain(1, 2))

    def test_parts(self):
        self.assert_changed("PART-TARGET is 0.5", "DURATION=0.50000", "DURATION=0.50001")
        self.assert_changed("s only", "DURATION=0.50000", "DURATION=0.42000")
        self.assert_changed("parts of segment 5 last", "DURATION=0.50000", "DURATION=0.45000")
        self.assert_changed("without EXT-X-PART-INF", "#EXT-X-PART-INF:PART-TARGET=0.50000\n", "")
        early = segment(4).replace("#EXTINF", "".join(part(4, index) for index in range(4)) + "#EXTINF")
        self.assert_changed("before the end", segment(4), early)
        # a short last part is allowed
        short = low_latency(0, 8, 2).replace('0.50000,URI="x_part31', '0.10000,URI="x_part31').replace(
            "#EXTINF:2.00000,\nx_seg7", "#EXTINF:1.60000,\nx_seg7").replace(date(8), "")
        self.assertEqual(self.complaints(short), [])

    def test_low_latency_tags(self):
        self.assert_changed("PART-HOLD-BACK is 1.4", "PART-HOLD-BACK=1.50000", "PART-HOLD-BACK=1.49999")
        self.assert_changed("without PART-HOLD-BACK", "PART-HOLD-BACK=1.50000,", "")
        self.assert_changed("HOLD-BACK is 5", "HOLD-BACK=6", "HOLD-BACK=5")
        self.assert_changed("CAN-SKIP-UNTIL is 11", "CAN-SKIP-UNTIL=12", "CAN-SKIP-UNTIL=11")
        self.assert_changed("without CAN-BLOCK-RELOAD", "CAN-BLOCK-RELOAD=YES,", "")
        self.assert_changed("CAN-SKIP-DATERANGES without", "CAN-SKIP-UNTIL=12", "CAN-SKIP-DATERANGES=YES")
        self.assert_changed("PRELOAD-HINT is", "TYPE=PART", "TYPE=PARTS")
        self.assert_changed("two parts", "x_part21", "x_part20")
        independent = low_latency(0, 8, 2).replace("#EXT-X-PART-INF", "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-PART-INF")
        self.assert_changed("segment 5 does not begin with", ",INDEPENDENT=YES", "", independent)
        self.assert_changed("0 preload hints", '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x_part34.mp4"\n', "")
        self.assert_changed("there already", 'TYPE=PART,URI="x_part34.mp4"', 'TYPE=PART,URI="x_part33.mp4"')
        self.assert_complains("although it has ended", low_latency(0, 8, 0) + "#EXT-X-ENDLIST\n")

    def test_dates(self):
        self.assert_changed("PROGRAM-DATE-TIME of segment 1", "12:00:12.500", "12:00:12.800", plain(0, 3))
        self.assertEqual(self.complaints(plain(0, 3).replace(date(1), "#EXT-X-DISCONTINUITY\n" + date(2)).replace(
            date(2) + "#EXTINF:2.00000,\nx_seg2", date(3) + "#EXTINF:2.00000,\nx_seg2")), [])
        without = plain(0, 3)
        for number in range(3):
            without = without.replace(date(number), "")
        self.assert_complains("without PROGRAM-DATE-TIME", without)

    def test_numbers_only_grow(self):
        self.assert_complains("MEDIA-SEQUENCE went back", plain(2, 4), plain(1, 5))
        self.assert_complains("its end went back", plain(0, 5), plain(0, 4))
        self.assert_complains("its end went back", low_latency(0, 8, 3), low_latency(0, 8, 2))
        self.assert_complains("does not join", plain(0, 3), plain(9, 3))
        self.assert_complains("URI of segment 1", plain(0, 4), plain(0, 4, sequence=1))

    def test_what_was_told_stays(self):
        self.assert_complains("URI of segment 2", plain(0, 4), plain(0, 4).replace("x_seg2", "y_seg2"))
        self.assert_complains("duration of segment 2", plain(0, 4), plain(0, 4).replace("2.00000,\nx_seg2", "1.9,\nx_seg2"))
        self.assert_complains("EXT-X-MAP of segment 0", plain(0, 4), plain(0, 4).replace("init0", "init1"))
        self.assert_complains("PROGRAM-DATE-TIME of segment 3", plain(0, 4), plain(0, 4).replace("12:00:16.5", "12:00:16.6"))
        self.assert_complains("part x_part32.mp4", low_latency(0, 8, 2),
                              low_latency(0, 8, 3).replace('0.50000,URI="x_part32', '0.49000,URI="x_part32'))
        self.assert_complains("TARGETDURATION went", plain(0, 4).replace("DURATION:2", "DURATION:3"), plain(0, 5))
        self.assert_complains("TARGETDURATION went", plain(0, 4), plain(0, 5).replace("DURATION:2", "DURATION:3"))
        self.assert_complains("SERVER-CONTROL went", low_latency(0, 8, 2), low_latency(0, 8, 3).replace("HOLD-BACK=6", "HOLD-BACK=7"))
        self.assert_complains("INDEPENDENT-SEGMENTS went", plain(0, 4), plain(0, 5, head="#EXT-X-INDEPENDENT-SEGMENTS\n"))
        event = "#EXT-X-PLAYLIST-TYPE:EVENT\n"
        self.assertEqual(self.complaints(plain(0, 4, head=event), plain(0, 5, head=event)), [])
        self.assert_complains("although PLAYLIST-TYPE", plain(0, 4, head=event), plain(1, 4, head=event))
        self.assert_complains("DISCONTINUITY-SEQUENCE went back", plain(0, 4, head="#EXT-X-DISCONTINUITY-SEQUENCE:1\n"), plain(1, 4))
        self.assert_complains("PART-TARGET went", low_latency(0, 8, 2), low_latency(0, 8, 3).replace(
            "PART-TARGET=0.50000", "PART-TARGET=0.50001"))
        self.assert_complains("goes on although", plain(0, 4, end="#EXT-X-ENDLIST\n"), plain(0, 5))
        self.assert_complains("two segments", plain(0, 3).replace("x_seg2", "x_seg1"))

    def test_discontinuities_keep_their_numbers(self):
        mark = "#EXT-X-DISCONTINUITY\n"
        before = plain(0, 5).replace(date(1), mark + date(1))
        counted = "#EXT-X-DISCONTINUITY-SEQUENCE:1\n"
        self.assertEqual(self.complaints(before, plain(2, 4, head=counted)), [])
        self.assert_complains("discontinuity sequence 0, had 1", before, plain(2, 4))
        still = plain(1, 5).replace(date(1), mark + date(1))
        self.assertEqual(self.complaints(before, still), [])
        self.assert_complains("discontinuity sequence 2, had 1", before, still.replace("#EXT-X-MAP", counted + "#EXT-X-MAP"))

    def test_hints_come_true(self):
        self.assert_complains("x_part34.mp4 was hinted", low_latency(0, 8, 2),
                              low_latency(0, 8, 3).replace("x_part34", "x_part99"))

    def test_delta_updates(self):
        self.assert_complains("newer than the skip boundary", low_latency(0, 10, 1), low_latency(0, 10, 1, skip=5))
        self.assert_complains("never told", low_latency(3, 10, 1), low_latency(0, 10, 2, skip=4))
        self.assert_complains("EXT-X-SKIP of nothing",
                              low_latency(0, 10, 1).replace("#EXT-X-MAP", "#EXT-X-SKIP:SKIPPED-SEGMENTS=0\n#EXT-X-MAP"))
        full, delta, before = low_latency(0, 10, 2), low_latency(0, 10, 2, skip=4), low_latency(0, 10, 1)
        for old, new in (("x_seg5", "y_seg5"), ("x_part40", "y_part40"), ("SEQUENCE:0", "SEQUENCE:1"), ("HOLD-BACK=6", "HOLD-BACK=7")):
            self.assertIn(old, delta)
            self.assertNotEqual(hls_check.compare_delta(full, delta.replace(old, new, 1), before), [], old)

    def test_pace(self):
        self.assertEqual(self.complaints(*[plain(0, 4)] * 7), [])
        self.assert_complains("no new segment", *[plain(0, 4)] * 9)

    def test_multivariant(self):
        good = (
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n\n#EXT-X-STREAM-INF:BANDWIDTH=2000,"
            'AVERAGE-BANDWIDTH=1500,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=29.970\nstream.m3u8\n'
        )
        self.assertEqual(hls_check.check_multivariant(good), [])
        for old, new in (
            ("#EXTM3U", "#EXTM3"), (":BANDWIDTH=2000", ":BANDWIDTH=1000"), ("BANDWIDTH=2000,", ""), ("\nstream.m3u8", ""),
            ("avc1.64001f,", "avc1.64001f,,"), ("1920x1080", "1920"), ("29.970", "29.9700"), ("#EXT-X-STREAM-INF", "#X"),
        ):
            self.assertNotEqual(hls_check.check_multivariant(good.replace(old, new, 1)), [], old)


if __name__ == "__main__":
    unittest.main()
