"""The player page in Chromium: its states, and that it always comes back by itself."""

import contextlib
import unittest
import urllib.parse

import browser
import harness
import hls_stage

PLAYED_S = 2  # of media, to say that it plays
BEYOND_BUFFER_S = 12  # more than a playlist had before
PICTURES_PER_S = 5  # of 30, on a busy machine
FAR_BEHIND_S = 10
STEP_S = 2  # of time between two looks, at most; more is a jump
COMES_BACK_S = 40  # pauses of up to 5 s and limits of up to 15 s add up, on a busy machine

STATE = "document.documentElement.dataset.state"
VIDEO = "document.querySelector('video')"


class Checks:
    """A page at a stage (hls_stage.py), and what holds at any for every form of media."""

    time_limit_s = 600  # one browser at a time: most of it may be waiting for the others

    def make_stage(self):
        raise NotImplementedError

    def setUp(self):
        super().setUp()
        context = contextlib.ExitStack()
        self.addCleanup(context.close)
        self.browser = context.enter_context(browser.one_browser())
        self.stage = self.make_stage()
        self.addCleanup(self.stage.close)

    def open(self, query="", **more):
        self.browser.open(self.stage.page_url + query, **more)

    def state(self):
        return self.browser.evaluate(STATE)

    def wait_for_state(self, *states, seconds=COMES_BACK_S):
        return harness.wait_until(
            lambda: (state := self.state()) in states and state, seconds, f"state {' or '.join(states)}, it is {self.state()}", 0.1,
        )

    def plays(self, media_s=PLAYED_S):
        """Until it has played that much: the state says so, time passes in the video without jumps, pictures are shown."""
        looks = [(0, 0, 0, 0)]  # seconds played, pictures in them, where the video was, what it had shown

        def look():
            state, now, total = self.browser.evaluate(f"[{STATE}, {VIDEO}.currentTime, {VIDEO}.getVideoPlaybackQuality().totalVideoFrames]")
            played, pictures, before, total_before = looks[-1]
            if state == "playing" and 0 < now - before < STEP_S and total >= total_before:
                played += now - before
                pictures += total - total_before
            looks.append((played, pictures, now, total))
            return played > media_s and pictures > media_s * PICTURES_PER_S

        harness.wait_until(look, COMES_BACK_S + media_s, f"it plays {media_s} s; seen: {looks}", 0.1)

    def check_no_complaints(self):
        self.assertEqual(self.browser.complaints(), [])
        origin = urllib.parse.urlsplit(self.stage.page_url).netloc
        elsewhere = [url for url in self.browser.requests() if url.startswith("http") and urllib.parse.urlsplit(url).netloc != origin]
        self.assertEqual(elsewhere, [])

    def visible(self, selector):
        return self.browser.evaluate(f"document.querySelector('{selector}').checkVisibility({{visibilityProperty: true}})")

    def test_plays_muted_by_itself_and_has_a_button_for_the_sound(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.assertTrue(self.browser.evaluate(f"{VIDEO}.muted"))
        self.assertTrue(self.visible("video"))
        self.assertFalse(self.visible("form"))
        self.browser.click("#sound")
        self.assertFalse(self.browser.evaluate(f"{VIDEO}.muted"))
        self.assertFalse(self.visible("#sound"))
        self.plays()
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.stage.page_url).path).strip("/")
        self.assertEqual(self.browser.evaluate("document.title"), path)
        self.check_no_complaints()

    def test_a_media_sequence_may_begin_again_while_it_plays(self):
        self.stage.start_stream()
        self.open()
        self.plays()
        self.stage.stop_stream()
        self.stage.start_stream(0)
        self.plays(BEYOND_BUFFER_S)
        self.check_no_complaints()


class PageChecks(Checks):
    """What holds at any stage, whatever it plays."""

    def test_waits_for_a_stream_that_comes_later(self):
        self.open()
        self.wait_for_state("waiting")
        self.assertIn("Waiting", self.browser.evaluate("document.querySelector('#status').textContent"))
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
        self.stage.start_stream(0)
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
        self.assertEqual(self.browser.evaluate("document.activeElement.name"), "user")
        self.assertEqual(self.browser.evaluate("document.querySelector('#wrong').textContent"), "")
        self.browser.fill("[name=user]", "viewer")
        self.browser.fill("[name=pass]", "wrong")
        self.browser.press("Enter")
        harness.wait_until(lambda: "Wrong" in self.browser.evaluate("document.querySelector('#wrong').textContent"), what="it says so")
        self.assertEqual(self.state(), "password")
        self.browser.fill("[name=pass]", "right: ü")
        self.browser.press("Enter")
        self.plays()
        self.assertFalse(self.visible("form"))
        # A reload of the tab does not ask again.
        self.browser.reload()
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
        self.browser.open(embedder.url, within=self.stage.page_url)
        harness.wait_until(lambda: any(url.endswith(".m3u8") for url in self.browser.requests()), what="the frame loads")
        self.plays()
        self.assertEqual(self.browser.complaints(), [])

    def test_fits_a_phone(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        self.open(viewport=browser.PHONE, touch=True)
        self.wait_for_state("password")
        width, height = browser.PHONE["width"], browser.PHONE["height"]
        inside = f"(r => r.left >= 0 && r.right <= {width} && r.top >= 0 && r.bottom <= {height})"
        self.assertTrue(self.browser.evaluate(f"{inside}(document.querySelector('form').getBoundingClientRect())"))
        self.browser.fill("[name=user]", "viewer")
        self.browser.fill("[name=pass]", "right")
        self.browser.click("form button")
        self.plays()
        self.assertEqual(
            self.browser.evaluate(f"(r => [r.left, r.top, r.width, r.height])({VIDEO}.getBoundingClientRect())"), [0, 0, width, height],
        )
        self.assertTrue(self.browser.evaluate(f"{inside}(document.querySelector('#sound').getBoundingClientRect())"))
        self.assertGreaterEqual(self.browser.evaluate("document.querySelector('#sound').getBoundingClientRect().height"), 44)
        self.check_no_complaints()

    def test_plays_with_the_browser_s_own_hls_where_there_is_no_mse(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        self.open("?angle=2", without_mse=True)
        self.wait_for_state("password")
        self.browser.fill("[name=user]", "viewer")
        self.browser.fill("[name=pass]", "right")
        self.browser.press("Enter")
        self.plays()
        source = urllib.parse.urlsplit(self.browser.evaluate(f"{VIDEO}.src"))
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
        self.browser.evaluate(f"{VIDEO}.pause()")
        self.wait_for_state("paused")
        self.assertTrue(self.visible("#play"))
        behind = f"(v => v.buffered.end(v.buffered.length - 1) - v.currentTime)({VIDEO})"
        harness.wait_until(lambda: self.browser.evaluate(behind) > FAR_BEHIND_S, COMES_BACK_S, "much is there that it has not played", 0.1)
        self.browser.evaluate("document.querySelector('#play').focus()")
        self.browser.press("Enter")
        self.plays()
        harness.wait_until(lambda: self.browser.evaluate(behind) < FAR_BEHIND_S / 2, COMES_BACK_S, "it is at the newest again", 0.1)
        self.check_no_complaints()


class PageBeforeAStandIn(PageChecks, harness.TestCase):
    def make_stage(self):
        return hls_stage.StandIn()

    def test_what_the_browser_has_no_decoder_for_is_told_and_tried_again(self):
        self.stage.codecs = "hvc1.1.6.L93.B0"
        self.stage.start_stream()
        self.open()
        self.wait_for_state("unsupported")
        self.assertIn("can’t play", self.browser.evaluate("document.querySelector('#status').textContent"))
        self.stage.codecs = None
        self.plays()

    def test_credentials_of_the_form_take_the_place_of_the_query_s(self):
        self.stage.require("viewer", "right")
        self.stage.start_stream()
        self.open("?user=viewer&pass=old&angle=2")
        self.wait_for_state("password")
        self.assertIn("Wrong", self.browser.evaluate("document.querySelector('#wrong').textContent"))
        self.browser.fill("[name=user]", "viewer")
        self.browser.fill("[name=pass]", "right")
        self.browser.press("Enter")
        self.plays()
        queries = {query for name, query, authorization in self.stage.asked if name == "index.m3u8" and authorization}
        self.assertEqual(queries, {"angle=2"})


class PageBeforeAStandInWithFragmentedMp4(Checks, harness.TestCase):
    def make_stage(self):
        return hls_stage.StandIn("fmp4")


if __name__ == "__main__":
    unittest.main()
