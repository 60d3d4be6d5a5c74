"""The player page in Chromium and Firefox: its states, and that it always comes back by itself."""

import base64
import time
import unittest
import urllib.parse

import browser
import harness
import hls_stage
import playing
from playing import COMES_BACK_S

PLAYED_S = 2  # of media, to say that it plays
WATCHED_S, KILLED_S = 8, 12
BEYOND_BUFFER_S = 9  # more than a playlist had before
PICTURES_PER_S = 5  # of 30, on a busy machine
FAR_BEHIND_S = 10
MOST_DELAY_S, NOT_LIVE_S = 1.5, 5  # what low latency is to have, and what it is no more even on a busy machine
STARVED = ["bufferStalledError", "bufferSeekOverHole", "bufferNudgeOnStall"]  # hls.js on a busy machine; it goes on by itself
STEP_S = 2  # of time between two looks, at most; more is a jump

STATE = "document.documentElement.dataset.state"
VIDEO = "document.querySelector('video')"


class PageTestCase(harness.TestCase):
    """A browser, a stage (hls_stage.py), and the page of its stream."""

    time_limit_s = 600  # most of it may be waiting for other browsers
    browser_name, variant = "chromium", "mpegts"

    def setUp(self):
        super().setUp()
        self.browser = self.enterContext(browser.one_browser(self.browser_name))
        self.stage = self.make_stage(self.variant)

    def make_stage(self, variant):
        stage = hls_stage.Sluice(variant)
        self.servers.append(stage.server)  # its log is shown when the test fails
        self.addCleanup(stage.leave)
        return stage

    def open(self, query="", **more):
        self.page = self.browser.open(self.stage.page_url + query, **more)

    def state(self):
        return self.page.evaluate(STATE)

    def wait_for_state(self, *states, seconds=COMES_BACK_S):
        return harness.wait_until(
            lambda: (state := self.state()) in states and state, seconds, f"state {' or '.join(states)}, it is {self.state()}", 0.1,
        )

    def plays(self, media_s=PLAYED_S):
        """Until it has played that much: the state says so, time passes in the video without jumps, pictures are shown."""
        looks = [(0, 0, 0, 0)]  # seconds played, pictures in them, where the video was, what it had shown

        def look():
            state, now, total = self.page.evaluate(f"[{STATE}, {VIDEO}.currentTime, {VIDEO}.getVideoPlaybackQuality().totalVideoFrames]")
            played, pictures, before, total_before = looks[-1]
            if state == "playing" and 0 < now - before < STEP_S and total >= total_before:
                played += now - before
                pictures += total - total_before
            looks.append((played, pictures, now, total))
            return played > media_s and pictures > media_s * PICTURES_PER_S

        harness.wait_until(look, COMES_BACK_S + media_s, f"it plays {media_s} s; seen: {looks}", 0.1)

    def check_no_complaints(self):
        self.assertEqual(self.page.complaints(), [])
        origin = urllib.parse.urlsplit(self.stage.page_url).netloc
        asked = [request["url"] for request in self.page.requests()]
        elsewhere = [url for url in asked if url.startswith("http") and urllib.parse.urlsplit(url).netloc != origin]
        self.assertEqual(elsewhere, [])

    def visible(self, selector):
        return self.page.evaluate(f"document.querySelector('{selector}').checkVisibility({{visibilityProperty: true}})")


class Page(PageTestCase):
    """What does not depend on the variant."""

    def test_plays_muted_by_itself_and_has_a_button_for_the_sound(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.assertTrue(self.page.evaluate(f"{VIDEO}.muted"))
        self.assertTrue(self.visible("video"))
        self.assertFalse(self.visible("form"))
        self.page.click("#sound")
        self.assertFalse(self.page.evaluate(f"{VIDEO}.muted"))
        self.assertFalse(self.visible("#sound"))
        self.plays()
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.stage.page_url).path).strip("/")
        self.assertEqual(self.page.evaluate("document.title"), path)
        self.check_no_complaints()

    def test_waits_for_a_stream_that_comes_later(self):
        self.open()
        self.wait_for_state("waiting")
        self.assertIn("Waiting", self.page.evaluate("document.querySelector('#status').textContent"))
        self.assertFalse(self.visible("video"))
        self.stage.start_stream()
        self.plays()
        self.check_no_complaints()

    def test_outlives_its_publisher(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.stage.stop_stream()
        self.wait_for_state("waiting")
        self.stage.start_stream()
        self.plays()
        self.check_no_complaints()

    def test_outlives_the_server_and_a_media_sequence_that_begins_again(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.stage.stop_server()
        self.wait_for_state("offline")
        self.stage.stop_stream()
        self.stage.start_server()
        self.stage.start_stream()
        self.plays()
        self.check_no_complaints()

    def test_a_picture_that_froze_goes_on(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.stage.freeze_stream()
        self.wait_for_state("stalled")
        self.wait_for_state("loading")  # a new try
        self.stage.thaw_stream()
        self.plays(BEYOND_BUFFER_S)
        self.check_no_complaints()

    def test_asks_for_a_password_and_says_when_it_is_wrong(self):
        self.stage.require("viewer", "right: ü")
        self.stage.start_stream()
        self.open()
        self.wait_for_state("password")
        self.assertTrue(self.visible("form"))
        self.assertEqual(self.page.evaluate("document.activeElement.name"), "user")
        self.assertEqual(self.page.evaluate("document.querySelector('#wrong').textContent"), "")
        self.page.fill("[name=user]", "viewer")
        self.page.fill("[name=pass]", "wrong")
        self.page.press("Enter")
        harness.wait_until(lambda: "Wrong" in self.page.evaluate("document.querySelector('#wrong').textContent"), what="it says so")
        self.assertEqual(self.state(), "password")
        self.page.fill("[name=pass]", "right: ü")
        self.page.press("Enter")
        self.plays()
        self.assertFalse(self.visible("form"))
        given = {one["authorization"] for one in self.page.requests() if one["url"].endswith(".ts")}
        self.assertEqual(given, {"Basic " + base64.b64encode("viewer:right: ü".encode()).decode()})
        # A reload of the tab does not ask again.
        self.page.reload()
        self.plays()
        self.check_no_complaints()

    def test_credentials_of_the_page_s_query_are_passed_on(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        self.open("?user=viewer&pass=right")
        self.plays()
        self.assertFalse(self.visible("form"))
        self.check_no_complaints()

    def test_plays_in_a_frame_of_another_site(self):
        self.stage.start_stream()
        embedder = hls_stage.Embedder(self.stage.page_url)
        self.addCleanup(embedder.close)
        self.page = self.browser.open(embedder.url, within=self.stage.page_url)
        harness.wait_until(lambda: any(request["url"].endswith(".m3u8") for request in self.page.requests()), what="the frame loads")
        self.plays()
        self.assertEqual(self.page.complaints(), [])

    def test_plays_below_another_folder_of_a_proxy(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        proxy = hls_stage.Proxy(self.stage)
        self.addCleanup(proxy.close)
        self.page = self.browser.open(proxy.page_url + "?user=viewer&pass=right")
        self.plays()
        self.assertEqual(self.page.complaints(), [])
        folder = proxy.page_url
        self.assertEqual([one["url"] for one in self.page.requests() if one["url"].startswith("http") and not one["url"].startswith(folder)], [])

    def test_fits_a_phone(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        self.open(viewport=browser.PHONE, touch=True)
        self.wait_for_state("password")
        width, height = browser.PHONE["width"], browser.PHONE["height"]
        inside = f"(r => r.left >= 0 && r.right <= {width} && r.top >= 0 && r.bottom <= {height})"
        self.assertTrue(self.page.evaluate(f"{inside}(document.querySelector('form').getBoundingClientRect())"))
        self.page.fill("[name=user]", "viewer")
        self.page.fill("[name=pass]", "right")
        self.page.click("form button")
        self.plays()
        self.assertEqual(
            self.page.evaluate(f"(r => [r.left, r.top, r.width, r.height])({VIDEO}.getBoundingClientRect())"), [0, 0, width, height],
        )
        self.assertTrue(self.page.evaluate(f"{inside}(document.querySelector('#sound').getBoundingClientRect())"))
        self.assertGreaterEqual(self.page.evaluate("document.querySelector('#sound').getBoundingClientRect().height"), 44)
        self.check_no_complaints()

    def test_plays_with_the_browser_s_own_hls_where_there_is_no_mse(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        self.open("?angle=2", without_mse=True)
        self.wait_for_state("password")
        self.page.fill("[name=user]", "viewer")
        self.page.fill("[name=pass]", "right")
        self.page.press("Enter")
        self.plays()
        source = urllib.parse.urlsplit(self.page.evaluate(f"{VIDEO}.src"))
        self.assertEqual(source.path.rpartition("/")[2], "index.m3u8")
        self.assertEqual(urllib.parse.parse_qs(source.query), {"angle": ["2"], "user": ["viewer"], "pass": ["right"]})
        self.stage.stop_stream()
        self.wait_for_state("waiting")
        self.stage.start_stream()
        self.plays()
        self.check_no_complaints()

    def test_can_be_paused_and_goes_on_at_the_newest(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.page.evaluate(f"{VIDEO}.pause()")
        self.wait_for_state("paused")
        self.assertTrue(self.visible("#play"))
        behind = f"(v => v.buffered.end(v.buffered.length - 1) - v.currentTime)({VIDEO})"
        harness.wait_until(lambda: self.page.evaluate(behind) > FAR_BEHIND_S, COMES_BACK_S, "much is there that it has not played", 0.1)
        self.page.evaluate("document.querySelector('#play').focus()")
        self.page.press("Enter")
        self.plays()
        harness.wait_until(lambda: self.page.evaluate(behind) < FAR_BEHIND_S / 2, COMES_BACK_S, "it is at the newest again", 0.1)
        self.check_no_complaints()

    def test_credentials_of_the_form_take_the_place_of_the_query_s(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        self.open("?user=viewer&pass=old&angle=2")
        self.wait_for_state("password")
        self.assertIn("Wrong", self.page.evaluate("document.querySelector('#wrong').textContent"))
        self.page.fill("[name=user]", "viewer")
        self.page.fill("[name=pass]", "right")
        self.page.press("Enter")
        self.plays()
        asked = [(urllib.parse.urlsplit(one["url"]), one["authorization"]) for one in self.page.requests()]
        queries = {url.query for url, authorization in asked if url.path.endswith("/index.m3u8") and authorization}
        self.assertEqual(queries, {"angle=2"})


class VariantChecks:
    """What holds for each variant."""

    def test_a_media_sequence_may_begin_again_while_it_plays(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.stage.stop_stream()
        self.stage.start_stream()
        self.plays(BEYOND_BUFFER_S)
        self.check_no_complaints()

    def test_the_picture_moves_in_the_page_and_with_hls_js_alone(self):
        self.stage.start_stream()
        plain = hls_stage.PlainPlayer()
        self.addCleanup(plain.close)
        pages = [self.browser.open(url) for url in (self.stage.page_url, plain.playing(self.stage))]
        begun = [playing.begin(page) for page in pages]
        time.sleep(WATCHED_S)
        for page, since in zip(pages, begun):
            self.check_played(playing.end(page, since))

    def test_workers_that_are_killed_disturb_nobody(self):
        self.stage.start_stream()
        self.open()
        begun = playing.begin(self.page)
        self.assertGreater(self.stage.kill_workers(KILLED_S), KILLED_S / 2 - 2)
        self.check_played(playing.end(self.page, begun))
        self.check_no_complaints()

    def check_played(self, played):
        """All the time, with the stream that it had at first."""
        print(played)
        problems = [problem for problem in played.problems if problem not in STARVED]
        self.assertGreater(played.pictures, played.seconds * PICTURES_PER_S, str(played))
        self.assertEqual((played.loads_lost, played.errors, problems), (0, [], []), str(played))


class Mpegts(VariantChecks, PageTestCase):
    pass


class FragmentedMp4(VariantChecks, PageTestCase):
    variant = "fmp4"

    def test_what_the_browser_has_no_decoder_for_is_told_and_tried_again(self):
        self.stage.start_stream(fixture="h265_aac")
        self.open()
        self.wait_for_state("unsupported")
        self.assertIn("can’t play", self.page.evaluate("document.querySelector('#status').textContent"))
        self.stage.stop_stream()
        self.stage.start_stream()
        self.plays()


class LowLatencyOverTls(VariantChecks, PageTestCase):
    variant = "lowLatency"

    def test_what_is_shown_has_just_been_published(self):
        """tests/bench/player tells how long ago. Here the machine may be busy."""
        self.stage.start_stream(hls_stage.clock_publisher)
        plain = hls_stage.PlainPlayer()
        self.addCleanup(plain.close)
        self.page, other = (self.browser.open(url) for url in (self.stage.page_url, plain.playing(self.stage)))
        begun = [playing.begin(page, clock=True) for page in (self.page, other)]
        self.assertLessEqual(other.evaluate("hls.latestLevelDetails.partHoldBack"), MOST_DELAY_S)
        time.sleep(WATCHED_S / 2)
        shown, shown_by_other = (playing.end(page, since) for page, since in zip((self.page, other), begun))
        print(shown, shown_by_other, sep="\n")
        self.assertGreater(shown.delay_ms, 0)
        self.assertLess(shown.delay_ms, NOT_LIVE_S * 1000)
        for page in (self.page, other):  # both were there from the stream's first part on
            parts = [request["url"] for request in page.requests() if "_part" in request["url"]]
            self.assertLess(len(parts), 2 * len(set(parts)), parts)
        self.assertEqual([request for request in self.page.requests() if "worker" in request["url"]], [])


class Firefox(PageTestCase):
    browser_name = "firefox"

    def test_plays_every_variant(self):
        stages = [self.stage, *(self.make_stage(variant) for variant in ("fmp4", "lowLatency"))]
        for stage in stages:
            stage.start_stream()
        pages = [self.browser.open(stage.page_url) for stage in stages]
        for self.stage, self.page in zip(stages, pages):
            self.plays()
            self.check_no_complaints()


if __name__ == "__main__":
    unittest.main()
