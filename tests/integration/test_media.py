"""The comparison itself: it finds what is missing, changed or too short."""

import random
import tempfile
import unittest
from pathlib import Path

import clients
import media
import test_matrix


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

    def test_samples_are_a_run_of_the_source(self):
        source = random.Random(1).randbytes(20_000)
        for read in (source, source[3333:], source[:15_000], source[:500] + source[700:], source + b"x"):
            self.assertIsNone(media.compare_samples(source, read, 14_000))
        for read in (b"", bytes(20_000), source[:13_999], source[:9_000] + source[9_001:], source[:9_000] + b"x" + source[9_001:],
                     source[:9_000] + source[8_999:], source + b"xy"):
            self.assertIsNotNone(media.compare_samples(source, read, 14_000))

    def test_containers_make_no_difference(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in test_matrix.FIXTURES:
                for container in ("ts", "mkv") if clients.VLC_READS.issuperset(media.codecs(name)) else ("mkv",):
                    path = Path(folder, f"{name}.{container}")
                    media.ffmpeg("-i", media.fixture(name), "-map", "0", "-c", "copy", "-y", path)
                    self.assertEqual(media.check(name, path, 19.9), [], path)

    def test_a_lost_frame_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "lost.mkv")
            for name in ("h264_aac", "vp8_pcma", "vp9_mjpeg_pcmu"):
                for i, codec in enumerate(media.codecs(name)):
                    media.ffmpeg("-i", media.fixture(name), "-map", "0", "-c", "copy", f"-bsf:{i}", r"noise=drop=eq(n\,500)", "-y", path)
                    complaints = media.check(name, path, 13)
                    self.assertEqual([complaint.split(":")[0] for complaint in complaints], [codec], complaints)
