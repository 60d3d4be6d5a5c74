"""How well a page plays, as browser/watch.js sees it from within: for tests, and for tests/bench/player."""

import statistics
import time

import harness

COMES_BACK_S = 40  # pauses of up to 5 s and limits of up to 15 s add up, on a busy machine


class Played:
    """What became of a page's video in some time."""

    def __init__(self, seconds, seen, problems):
        self.seconds, self.problems = seconds, problems
        self.pictures, self.longest_gap_ms, self.waits = seen["pictures"], max(seen["longest_gap_ms"], seen["since_last_ms"]), seen["waits"]
        self.loads_lost, self.errors, self.states = seen["emptied"], seen["errors"], seen["states"]
        self.delays_ms = seen["delays_ms"]
        self.delay_ms = statistics.median(self.delays_ms) if self.delays_ms else None

    def __str__(self):
        text = f"{self.pictures / self.seconds:4.1f} pictures/s, longest stall {self.longest_gap_ms:4.0f} ms, {self.waits} waits, " \
               f"{self.loads_lost} loads anew"
        if self.delays_ms:
            text += f", delay {self.delay_ms:.0f} ms ({min(self.delays_ms)} to {max(self.delays_ms)})"
        return text + "".join(f"; {problem}" for problem in [*self.errors, *self.problems, *self.states])


def begin(page, settled_s=1, clock=False):
    """Waits until the picture has moved for that long, then looks at it."""
    harness.wait_until(lambda: page.evaluate("seen.pictures > 10"), COMES_BACK_S, "the picture moves", 0.1)
    time.sleep(settled_s)
    page.evaluate(f"seen.clock = {str(clock).lower()}, seen.forget()")
    return time.monotonic()


def end(page, begun):
    """What has been since begin(), as Played."""
    seen = page.evaluate("({...seen, since_last_ms: seen.since_last_ms()})")
    problems = page.evaluate("window.problems ?? []") + page.complaints()
    return Played(time.monotonic() - begun, seen, problems)
