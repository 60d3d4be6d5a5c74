"""The comparison itself: it finds what is missing, changed or too short."""

import tempfile
import unittest
from pathlib import Path

import media


class Comparison(unittest.TestCase):
    def test_a_run_of_the_source_is_equal(self):
        source = [str(i) for i in range(100)]
        self.assertIsNone(media.compare(source, source, 100))
        self.assertIsNone(media.compare(source, source[30:90], 60))
        self.assertIsNone(media.compare(source, [*source[30:90], "cut"], 60))
        self.assertIsNone(media.compare(source, [*source[:5], *source[10:]], 60))

    def test_gaps_changes_repeats_and_shortness_are_found(self):
        source = [str(i) for i in range(100)]
        for read in ([], ["x"], source[:50], source[:40] + source[41:], source[:40] + ["x"] + source[41:], source[:40] + source[39:], source + ["x", "y"], source[::-1]):
            self.assertIsNotNone(media.compare(source, read, 60), read)

    def test_containers_make_no_difference(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in media.FIXTURES:
                if name == "large_gop":
                    continue
                for container in ("ts", "mkv"):
                    path = Path(folder, f"{name}.{container}")
                    media.ffmpeg("-i", media.fixture(name), "-map", "0", "-c", "copy", "-y", path)
                    self.assertEqual(media.check(name, path, 19.9), [], path)

    def test_a_lost_frame_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "lost.mkv")
            media.ffmpeg("-i", media.fixture("h264_aac"), "-map", "0", "-c", "copy", "-bsf:v", r"noise=drop=eq(n\,100)", "-y", path)
            self.assertEqual(len(media.check("h264_aac", path)), 1)
