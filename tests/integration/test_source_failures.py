"""Many sources that fail together, again and again: nothing of them is left behind, readers and others go on."""

import re
from pathlib import Path

from harness import TestCase, descendants, title, wait_until
from pulling import Feed
from rtsp import Client, expect, wait_until_published

SOURCES, CYCLES = 50, 5
KIB_PER_ATTEMPT = 4  # a source takes a dozen; the unrest of the heap is below 2


def footprint(server):
    """By process: its descriptors and the mappings of rings."""
    found = {}
    for pid in [server.pid, *descendants(server.pid)]:
        rings = Path(f"/proc/{pid}/maps").read_text().count("sluice ring")
        found[title(pid)] = (len(list(Path(f"/proc/{pid}/fd").iterdir())), rings)
    return found


def heap_kib(server):
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in [server.pid, *descendants(server.pid)])
    return sum(int(re.search(r"(?m)^Pss_Anon: +(\d+)", text)[1]) for text in rollups)


class SourceFailures(TestCase):
    long = True
    time_limit_s = 120

    def test_sources_that_fail_together_leave_nothing_behind(self):
        first = self.server({"rtspWorkers": 1})
        transports = ["udp" if i % 5 == 4 else "tcp" for i in range(SOURCES)]
        paths = {f"cam{i}": {"source": first.url("cam"), "sourceProtocol": one} for i, one in enumerate(transports)}
        second = self.server({"paths": {**paths, "own": {}}})
        feed = Feed(first, "cam")
        own = Feed(second, "own")
        self.addCleanup(own.stop)
        readers, other = [], Client(second)
        for path in ("cam0", "cam4", "own"):
            wait_until_published(second, path)
            readers.append(Client(second))
            readers[-1].play(path)
        for client in [*readers, other]:
            self.addCleanup(client.close)

        def count(pattern):
            return len(re.findall(pattern, second.log()))

        def wait_until_ready(times):
            wait_until(lambda: count(r"\[rtsp source\] ready") >= times * SOURCES, 40, f"ready {times} times")

        wait_until_ready(1)
        before = footprint(second)
        for cycle in range(1, CYCLES + 1):
            feed.stopping.set()
            failures = count(r"\[rtsp source\] ERR")
            first.kill()
            wait_until(lambda: count(r"\[rtsp source\] ERR") >= failures + SOURCES, what="all have failed")
            expect(other.request("DESCRIBE", "cam0"), 200)  # which is kept
            first.start()
            feed.client.close()
            feed = Feed(first, "cam")
            self.addCleanup(feed.stop)
            wait_until_ready(cycle + 1)
            for reader in readers:
                reader.frames.clear()
                for _ in range(20):
                    reader.media_frame(20)
            wait_until(lambda: footprint(second) == before, what=f"descriptors and rings as before: {before}")
            if cycle == 1:
                heap = heap_kib(second)
        growth = heap_kib(second) - heap
        self.assertLess(growth, KIB_PER_ATTEMPT * SOURCES * (CYCLES - 1), "KiB more than after the first time")
