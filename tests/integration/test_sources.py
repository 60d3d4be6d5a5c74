"""Pulled streams: instances that pull from other instances, what happens when those go and come back."""

import base64
import json
import re
import socket

import media
from harness import kill_quietly, private_memory, wait_until, wait_until_none
from pulling import PullTestCase
from rtsp import Client, expect, payload_number, rtp_sequence, rtp_ssrc, wait_until_published
from upstream import Upstream


class Sources(PullTestCase):
    time_limit_s = 100

    # --- a chain ---

    def check_chain(self, fixture, transport):
        first = self.server()
        second = self.puller(first, sourceProtocol=transport, sourceReconnectGrace="0s")
        third = self.puller(second, sourceProtocol=transport, sourceReconnectGrace="0s")
        self.check_film(fixture, first, third)

    def test_a_chain_of_three_keeps_every_frame_by_tcp(self):
        self.check_chain("h264_b_aac", "tcp")

    def test_a_chain_of_three_keeps_every_frame_by_udp(self):
        self.check_chain("h265_aac", "udp")

    def test_a_chain_of_three_keeps_every_frame_and_sample(self):
        self.check_chain("vp8_pcma", "udp")

    def test_readers_stay_while_the_middle_of_a_chain_is_killed_and_started_again(self):
        first = self.server()
        second = self.puller(first.url("cam"), first.url("film"), sourceProtocol="tcp")
        third = self.puller(second.url("cam"), second.url("cam1"), sourceProtocol="tcp")
        self.feed(first)
        self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i",
                    media.fixture("h264_aac"), "-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", first.url("film")])
        readers = [self.reader(third), self.reader(third)]
        wait_until_published(third, "cam1")
        output = third.folder / "read.mkv"
        ffmpeg = self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i",
                             third.url("cam1"), "-c", "copy", "-flush_packets", "1", "-f", "matroska", "-y", output])
        before = [reader.media_frame() for reader in readers][0]
        wait_until(lambda: output.exists() and output.stat().st_size > 10_000, what="FFmpeg reads")
        second.kill()
        wait_until(lambda: not self.ready(third), what="the source is known to be gone")
        size = output.stat().st_size
        second.start()
        wait_until(lambda: self.ready(third), 30, what="the source is back")
        for reader in readers:
            packets = [reader.media_frame(20) for _ in range(300)]
            sequences = [rtp_sequence(packet) for packet in packets]
            self.assertEqual(sequences, [(sequences[0] + i) & 0xFFFF for i in range(len(sequences))], "one RTP stream")
            self.assertEqual({rtp_ssrc(packet) for packet in packets}, {rtp_ssrc(before)})
            numbers = [payload_number(packet) for packet in packets]
            self.assertGreater(numbers[-1] - numbers[0], 300, "it was away in between")
        wait_until(lambda: output.stat().st_size > size + 10_000, what="FFmpeg goes on")
        self.assertIsNone(ffmpeg.poll())
        ffmpeg.terminate()
        ffmpeg.wait(10)
        for kind in ("v", "a"):  # for the player it is one stream, whose time never jumps back
            text = media.ffmpeg("-i", output, "-map", f"0:{kind}", "-c", "copy", "-f", "framecrc", "-")
            times = [int(line.split(",")[1]) for line in text.split("\n") if line and line[0] != "#"]
            self.assertEqual(times, sorted(times))

    # --- on demand ---

    def test_on_demand_it_is_pulled_while_somebody_reads(self):
        first = self.server()
        second = self.puller(first, sourceOnDemand=True, sourceOnDemandCloseAfter="1s")
        self.feed(first)
        self.assertIsNone(second.api().paths()["cam"]["source"])
        reader = self.reader(second)
        self.check_numbers(reader)
        self.assertEqual(second.api().paths()["cam"]["source"], {"type": "rtspSource"})
        reader.close()
        second.wait_for_log(r"\[path cam\] \[rtsp source\] stopped")
        self.assertIsNone(second.api().paths()["cam"]["source"])
        first.wait_for_log(r"\[session \d+\] destroyed \(teared down")
        self.check_numbers(self.reader(second))

    def test_on_demand_requests_wait_for_a_source_that_is_not_there_yet(self):
        first = self.server()
        second = self.puller(first, sourceOnDemand=True, sourceOnDemandStartTimeout="9s")
        with Client(second, timeout_s=20) as waiting:
            waiting.send_request("DESCRIBE", second.url("cam"))
            second.wait_for_log(r"\[path cam\] \[rtsp source\] ERR: bad status code: 404")
            self.feed(first)
            expect(waiting.response(), 200)

    # --- who asks for what ---

    def check_authentication(self, methods):
        first = self.server({"authMethods": methods, "paths": {"cam": {"readUser": "me", "readPass": "p-ss!"}}})
        url = first.url("cam").replace("//", "//{}@")
        second = self.puller(url.format("me:p-ss!"))
        self.feed(first)
        self.check_numbers(self.reader(second))
        third = self.puller(url.format("me:wrong-one"))
        third.wait_for_log(r"\[rtsp source\] ERR: .*auth")
        self.assertNotIn("wrong-one", third.log())

    def test_basic(self):
        self.check_authentication(["basic"])

    def test_digest(self):
        self.check_authentication(["digest"])

    def test_workers_hold_the_credentials_of_what_they_pull_only(self):
        first = self.server({"authMethods": ["basic"], "paths": {"cam": {"readUser": "me", "readPass": "Zw3i-Worte"}}})
        self.feed(first)
        second = self.puller(first.url("cam").replace("//", "//me:Zw3i-Worte@"))
        wait_until(lambda: self.ready(second), what="it is pulled")

        def holders():
            secrets = [b"Zw3i-Worte", base64.b64encode(b"me:Zw3i-Worte")]
            memories = {slot: private_memory(pid) for slot, pid in second.workers().items()}
            return [slot for slot, memory in memories.items() if any(secret in memory for secret in secrets)]

        self.assertEqual(len(holders()), 1)
        second.configuration["paths"] = {"another": {}}
        second.path.write_text(json.dumps(second.configuration))
        second.wait_for_log(r"\[rtsp source\] stopped")
        self.assertEqual(wait_until_none(holders, 10), [])

    def test_redirects_are_followed(self):
        last = self.server()
        first = self.server({"paths": {"cam": {"source": "redirect", "sourceRedirect": last.url("other")},
                                       "loop": {"source": "redirect", "sourceRedirect": "rtsp://127.0.0.1:1/x"}, "all": {}}})
        self.feed(last, "other")
        self.check_numbers(self.reader(self.puller(first)))
        lost = self.puller(first, path="loop")
        lost.wait_for_log(r"\[rtsp source\] ERR: .*refused")

    def test_a_server_may_send_it_elsewhere_when_it_plays(self):
        last = self.server()
        self.feed(last)
        second = self.puller(Upstream(self, elsewhere=last.url("cam")).url, sourceProtocol="tcp")
        second.wait_for_log(r"\[rtsp source\] is sent elsewhere by its server")
        second.wait_for_log(r"(?s)elsewhere.*\[rtsp source\] ready")
        last.wait_for_log("is reading from path 'cam'")

    def test_automatic_takes_tcp_where_udp_is_refused(self):
        first = self.server({"protocols": ["tcp"]})
        self.feed(first)
        self.check_numbers(self.reader(self.puller(first)))
        first.wait_for_log(r"is reading from path 'cam', 1 track with TCP")

    def test_automatic_prefers_udp(self):
        first = self.server()
        self.feed(first)
        self.check_numbers(self.reader(self.puller(first)))
        first.wait_for_log(r"is reading from path 'cam', 1 track with UDP")

    def test_names_are_looked_up(self):
        first = self.server()
        self.feed(first)
        second = self.puller(first.url("cam").replace("127.0.0.1", "localhost"), "rtsp://no-such-name.invalid/x")
        self.check_numbers(self.reader(second))
        second.wait_for_log(r"\[path cam1\] \[rtsp source\] ERR: name 'no-such-name.invalid' can't be resolved")

    # --- workers ---

    def test_sources_are_spread_and_outlive_their_workers(self):
        first = self.server()
        second = self.puller(*[first.url("cam")] * 6, sourceProtocol="tcp")
        self.feed(first)
        wait_until_published(second, "cam")
        readers = [self.reader(second, "cam" if i == 0 else f"cam{i}") for i in range(6)]
        slots = [reader.slot() for reader in readers]
        victim = slots[0]
        stay = [reader for reader, slot in zip(readers, slots) if slot != victim]
        kill_quietly(second.workers()[victim])
        for reader in stay:
            for _ in range(100):
                reader.media_frame()
        second.wait_for_log(r"ERR: its worker failed")
        for i in range(6):
            self.check_numbers(self.reader(second, "cam" if i == 0 else f"cam{i}"))

    # --- rtspDisable ---

    def refuses_clients(self, server):
        try:
            socket.create_connection((server.host, server.rtsp_port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    def is_read(self, server):
        """What `cam` of this server is read by."""
        return server.api().paths()["cam"]["readers"]

    def test_streams_are_pulled_without_serving_rtsp(self):
        first = self.server({"api": True})
        self.feed(first)
        second = self.puller(first, configuration={"rtspDisable": True}, sourceProtocol="tcp")
        wait_until(lambda: self.ready(second), what="it is pulled")
        self.assertEqual(len(second.workers()), 2)
        self.assertTrue(self.refuses_clients(second))
        kill_quietly(second.workers()[0]), kill_quietly(second.workers()[1])
        second.wait_for_log(r"ERR: its worker failed")
        second.wait_for_log(r"(?s)ERR: its worker failed.*\[rtsp source\] ready")
        wait_until(lambda: len(self.is_read(first)) == 1, what="it is pulled again")
        self.assertEqual(second.api().post("/v1/config/paths/remove/cam")[0], 200)
        wait_until(lambda: not second.workers(), what="workers that nobody needs leave")
        wait_until(lambda: not self.is_read(first), what="the source has gone")
        self.assertEqual(second.api().post("/v1/config/paths/add/cam", {"source": first.url("cam")})[0], 200)
        wait_until(lambda: self.ready(second), what="it is pulled once more")
        self.assertTrue(self.refuses_clients(second))
        self.assertEqual(second.api().post("/v1/config/set", {"rtspDisable": False})[0], 200)
        wait_until(second.answers, what="RTSP is served")
        self.check_numbers(self.reader(second))
        self.assertEqual(second.log().count("[path cam] [rtsp source] ready"), 3, "and the source was left alone")

    def test_a_worker_that_only_pulls_any_more_sends_its_clients_away(self):
        first = self.server()
        self.feed(first)
        second = self.puller(first)
        readers = [self.reader(second) for _ in range(4)]
        idle = Client(second)
        self.addCleanup(idle.close)
        expect(idle.request("OPTIONS", "*"), 200)
        workers = second.workers()
        self.assertEqual(second.api().post("/v1/config/set", {"rtspDisable": True})[0], 200)
        for client in [*readers, idle]:
            client.wait_until_closed(10)
        self.assertTrue(self.refuses_clients(second))
        self.assertTrue(self.ready(second))
        self.assertEqual((second.workers(), second.log().count("[rtsp source] ready")), (workers, 1))
        self.assertEqual(second.log().count("[RTSP] listener is closing"), 1)
        self.assertEqual(second.stop(), 0)

    # --- grace ---

    def test_without_grace_readers_are_dropped(self):
        first = self.server()
        second = self.puller(first, sourceReconnectGrace="0s")
        feed = self.feed(first)
        reader = self.reader(second)
        self.check_numbers(reader)
        feed.stop()
        reader.wait_until_closed(10)

    def test_readers_are_dropped_when_the_tracks_differ(self):
        first = self.server()
        second = self.puller(first, sourceProtocol="tcp")
        feed = self.feed(first)
        reader = self.reader(second)
        self.check_numbers(reader)
        feed.stop()
        second.wait_for_log(r"\[rtsp source\] ERR")
        self.feed(first, tracks=2)
        reader.wait_until_closed(20)
        second.wait_for_log(r"has other tracks than before")
        self.assertEqual(wait_until_published(second, "cam").count("m=video"), 2)

    def test_a_changed_configuration_changes_the_source(self):
        first = self.server()
        second = self.puller(first)
        self.feed(first), self.feed(first, "other")
        reader = self.reader(second)
        second.configuration["paths"]["cam"]["source"] = first.url("other")
        second.path.write_text(json.dumps(second.configuration))
        reader.wait_until_closed(10)
        self.check_numbers(self.reader(second))
        second.configuration["paths"] = {"another": {}}
        second.path.write_text(json.dumps(second.configuration))
        wait_until(lambda: len(re.findall(r"\[path cam\] \[rtsp source\] stopped", second.log())) == 2, what="it is stopped")
