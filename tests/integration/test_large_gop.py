"""About 50 Mbit/s with 4 s from key frame to key frame, by default settings: nothing is lost."""

import clients
import media
from harness import TestCase
from rtsp import wait_until_published


class LargeGroupsOfPictures(TestCase):
    long = True

    def check(self, transport):
        sluice = self.server()
        process = self.start(clients.PUBLISHERS["ffmpeg"]("large_gop", sluice.url("cam"), transport))
        wait_until_published(sluice, "cam")
        outputs = [(name, sluice.folder / f"{name}.out") for name in ("ffmpeg", "gstreamer")]
        readers = [self.start(clients.READERS[name]("large_gop", "ffmpeg", sluice.url("cam"), "tcp", output)) for name, output in outputs]
        process.wait(40)
        self.assertEqual(process.returncode, 0)
        for reader in readers:
            reader.wait(15)
        for name, output in outputs:
            self.assertEqual(media.check("large_gop", output, 10), [], name)

    def test_nothing_is_lost_by_tcp(self):
        self.check("tcp")
