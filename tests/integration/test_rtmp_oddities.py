"""RTMP clients and clocks that do what is not usual: timestamps that wrap or jump, processes that are stopped; and
encryption that comes and goes, certificates of sources, IPv6."""

import json
import os
import signal

import media
from harness import wait_until
from rtmp import VIDEO, Client, Closed
from rtsp import wait_until_published
from test_rtmp import RtmpClients
from test_rtmp_enhanced import SECONDS, Publisher
from tls import make_authority, make_certificate

FIXTURE = "h264_b_aac"
CODECS = media.codecs(FIXTURE)
HOUR_MS = 3_600_000


class Clocks(RtmpClients):
    def read_by_ffmpeg(self, clock):
        sluice = self.rtmp_server()
        publisher = Publisher(sluice, FIXTURE, clock=clock)
        wait_until_published(sluice, "cam")
        output = sluice.folder / "read"
        reader = self.read(sluice.rtmp_url("cam"), CODECS, output)
        publisher.join(SECONDS + 20)
        self.assertIsNone(publisher.error)
        self.assertEqual(reader.wait(10), 0, output.with_suffix(".log").read_text())
        return output.read_text()

    def test_timestamps_that_wrap(self):
        """Every frame at its time, 5 s from the begin beyond what 32 bits hold."""
        text = self.read_by_ffmpeg(lambda ms: (2**32 - 5000 + ms) % 2**32)
        self.assertEqual(self.check(FIXTURE, text, CODECS, True), [])

    def check_jump(self, by_ms):
        """Every frame, and time goes on as the frames came in."""
        text = self.read_by_ffmpeg(lambda ms: HOUR_MS + ms + (by_ms if ms >= 5000 else 0))
        self.assertEqual(self.check(FIXTURE, text, CODECS, True, displaced_ms=1000), [])

    def test_timestamps_that_jump_ahead(self):
        self.check_jump(HOUR_MS)

    def test_timestamps_that_jump_back(self):
        self.check_jump(-HOUR_MS // 2)


class Stopped(RtmpClients):
    def test_a_publisher_that_is_stopped(self):
        sluice = self.rtmp_server({"readTimeout": "2s"})
        publisher = self.publish(sluice, FIXTURE, "rtmp")
        reader = self.client(sluice).play("cam")
        reader.next_media()
        os.kill(publisher.pid, signal.SIGSTOP)
        sluice.wait_for_log(r"\[RTMP\] \[conn \S+\] closed \(read timeout\)")
        reader.wait_until_closed()
        self.assertIn("NetStream.Play.UnpublishNotify", reader.statuses)
        self.feed(sluice)
        self.check_frames(self.player(sluice), [VIDEO])

    def test_a_player_that_is_stopped(self):
        sluice = self.rtmp_server({"writeTimeout": "2s"})
        self.publish(sluice, "noise", "rtmp", seconds=25)
        stopped = self.read(sluice.rtmp_url("cam"), ("h264",), sluice.folder / "stopped")
        wait_until(lambda: self.frames(sluice.folder / "stopped") > 10, what="the first player plays")
        os.kill(stopped.pid, signal.SIGSTOP)
        other = self.read(sluice.rtmp_url("cam"), ("h264",), sluice.folder / "other")
        sluice.wait_for_log("write timeout", 60)
        before = self.frames(sluice.folder / "other")
        wait_until(lambda: self.frames(sluice.folder / "other") > before + 30, what="the other goes on")
        self.assertIsNone(other.poll())

    def frames(self, path):
        return path.read_text().count("\n0,") if path.exists() else 0


class Connections(RtmpClients):
    def test_ipv6(self):
        sluice = self.rtmp_server()
        url = f"rtmp://[::1]:{sluice.rtmp_port}/cam"
        self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", media.fixture("h264_aac"), "-c", "copy", "-f", "flv", url])
        wait_until_published(sluice, "cam")
        sluice.wait_for_log(r"\[RTMP\] \[conn \[::1\]:\d+\] is publishing to path 'cam', 2 tracks")
        second = self.rtmp_server({"paths": {"cam": {"source": url}}})
        wait_until_published(second, "cam")
        output = second.folder / "read"
        media.ffmpeg("-i", f"rtmp://[::1]:{second.rtmp_port}/cam", "-t", "2", "-c", "copy", "-f", "framemd5", "-y", output, seconds=20)
        self.assertGreater(output.read_text().count("\n0,"), 30)

    def test_players_are_not_sent_elsewhere(self):
        for rules in ({"source": "redirect", "sourceRedirect": "rtsp://elsewhere/cam"}, {"fallback": "/other"}):
            sluice = self.rtmp_server({"paths": {"cam": rules, "all": {}}})
            client = self.client(sluice).begin("play", "cam")
            client.wait_for_status("NetStream.Play.StreamNotFound")
            client.wait_until_closed()
            sluice.wait_for_log(r"\[RTMP\] \[conn \S+\] closed \(no one is publishing to path 'cam'\)")


class Encryption(RtmpClients):
    def write(self, sluice, **changes):
        reloads = sluice.log().count("reloading configuration")
        sluice.configuration.update(changes)
        new = sluice.folder / "new.yml"
        new.write_text(json.dumps(sluice.configuration))
        os.replace(new, sluice.path)
        wait_until(lambda: sluice.log().count("reloading configuration") > reloads, what="the server reloads")

    def try_to_play(self, sluice, tls):
        try:
            client = Client(sluice, tls=tls)
        except (OSError, Closed):
            return None
        self.addCleanup(client.close)
        return client.play("cam")

    def expect_served(self, sluice, plain, tls):
        """Which of the two listeners is there; who is new gets frames."""
        for wanted, encrypted in ((plain, False), (tls, True)):
            if not wanted:
                wait_until(lambda encrypted=encrypted: self.try_to_play(sluice, encrypted) is None, what=f"nobody is served, TLS: {encrypted}")
                continue
            client = wait_until(lambda encrypted=encrypted: self.try_to_play(sluice, encrypted), what=f"a client is served, TLS: {encrypted}")
            self.check_frames(client, [VIDEO])

    def test_it_comes_and_goes(self):
        """Streams go on whose publisher's listener stays."""
        certificate, key = make_certificate()
        sluice = self.rtmp_server(files={"server.crt": certificate, "server.key": key})
        feed = self.feed(sluice)
        reader = self.player(sluice)
        self.expect_served(sluice, True, False)
        self.write(sluice, rtmpEncryption="optional")
        self.expect_served(sluice, True, True)
        self.check_frames(reader, [VIDEO])
        self.write(sluice, rtmpEncryption="no")
        self.expect_served(sluice, True, False)
        self.check_frames(reader, [VIDEO])
        self.assertFalse(feed.broken)
        self.write(sluice, rtmpEncryption="strict")
        wait_until(lambda: self.try_to_connect(sluice), what="the listener of TLS is there")
        feed.stop()
        self.feed(sluice, tls=True)
        wait_until_published(sluice, "cam")
        self.expect_served(sluice, False, True)

    def try_to_connect(self, sluice):
        try:
            Client(sluice, tls=True).close()
            return True
        except (OSError, Closed):
            return False

    def test_a_sources_certificate_is_verified_with_an_authority_and_the_servers_name(self):
        authority, stranger = make_authority(), make_authority()
        certificate, key = make_certificate(names="DNS:localhost", authority=authority)
        first = self.rtmp_server({"rtmpEncryption": "optional"}, files={"server.crt": certificate, "server.key": key})
        self.feed(first)
        address = first.rtmps_url("cam")
        paths = {"name": {"source": address.replace("127.0.0.1", "localhost")}, "address": {"source": address}}
        second, third = (
            self.rtmp_server({"paths": paths}, environment={"SSL_CERT_FILE": "trusted.pem"}, files={"trusted.pem": trusted[0]})
            for trusted in (authority, stranger)
        )
        self.check_frames(self.player(second, "name"), [VIDEO])
        second.wait_for_log(r"\[path address\] \[rtmp source\] ERR: TLS: certificate verify failed: IP address mismatch")
        third.wait_for_log(r"\[path name\] \[rtmp source\] ERR: TLS: certificate verify failed: unable to get local issuer certificate")
        self.assertNotIn("[path address] [rtmp source] ready", second.log())
