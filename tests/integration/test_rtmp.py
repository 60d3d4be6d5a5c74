"""RTMP as a client sees it: URLs, who may publish and read, tracks of all kinds, TLS, hooks, slow readers, and what is
left when a worker or a publisher goes."""

import base64
import hashlib
import json
import socket
import struct
import threading
import time

import media
import rtsp as rtsp_client
from harness import PATIENCE_S, descendants, kill_quietly, title, wait_until
from rtmp import AUDIO, VIDEO, VIDEO_CONFIGURATION, Client, Closed, picture, sound
from rtsp import wait_until_published
from test_authentication import ExternalServer
from test_rtmp_matrix import RtmpTestCase
from tls import make_certificate


class Feed(threading.Thread):
    """Publishes numbered pictures, and sounds, fifty a second, a key frame every `group`, until it is stopped."""

    def __init__(self, server, name="cam", app="", video=True, audio=False, group=10, size=100, tls=False):
        super().__init__(daemon=True)
        self.client = Client(server, tls=tls).publish(name, app, video, audio)
        self.video, self.audio, self.group, self.size = video, audio, group, size
        self.number, self.stopping, self.broken = 0, threading.Event(), False
        self.start()

    def run(self):
        try:
            while not self.stopping.wait(0.02):
                timestamp = self.number * 20
                if self.video:
                    self.client.send_media(VIDEO, picture(self.number, self.number % self.group == 0, self.size), timestamp)
                if self.audio:
                    self.client.send_media(AUDIO, sound(self.number), timestamp)
                self.number += 1
        except OSError:
            self.broken = True

    def stop(self):
        self.stopping.set()
        self.join(5)
        self.client.close()


class RtmpClients(RtmpTestCase):
    def feed(self, server, *arguments, **more):
        feed = Feed(server, *arguments, **more)
        self.addCleanup(feed.stop)
        return feed

    def client(self, server, **more):
        client = Client(server, **more)
        self.addCleanup(client.close)
        return client

    def player(self, server, name="cam", app="", **more):
        wait_until_published(server, f"{app}/{name}".strip("/").partition("?")[0])
        return self.client(server, **more).play(name, app)

    def check_frames(self, client, kinds, count=30):
        """Each kind's frames come one after the other, 20 ms apart."""
        frames = [client.next_frame() for _ in range(count)]
        self.assertEqual({kind for kind, _, _ in frames}, set(kinds))
        for kind in kinds:
            mine = [(timestamp, number) for found, timestamp, number in frames if found == kind]
            first = mine[0]
            self.assertEqual(mine, [(first[0] + 20 * i, first[1] + i) for i in range(len(mine))])


class Rtmp(RtmpClients):
    def check_refused(self, client, role, name, status, app="", pause=False):
        client.begin(role, name, app).wait_for_status(status)
        seconds = client.wait_until_closed(10)
        if pause:
            self.assertGreater(seconds, 1)

    # --- URLs, and what is published ---

    def test_the_path_is_app_and_name(self):
        sluice = self.rtmp_server()
        for app, name, path in (("live", "cam?x=y", "live/cam"), ("", "one?x=y", "one"), ("a/b", "c", "a/b/c")):
            with self.subTest(path=path):
                self.feed(sluice, name, app)
                wait_until_published(sluice, path)
                self.check_frames(self.client(sluice).play(path.rpartition("/")[2], app), [VIDEO])

    def test_obs_gives_no_app(self):
        sluice = self.rtmp_server()
        publisher = self.client(sluice)
        publisher.connect("", f"rtmp://127.0.0.1:{sluice.rtmp_port}").create_stream()
        publisher.command("releaseStream", None, "obs?user=u&pass=p")
        publisher.command("FCPublish", None, "obs?user=u&pass=p")
        publisher.command("publish", None, "obs?user=u&pass=p", "live", stream=publisher.stream)
        publisher.wait_for_status("NetStream.Publish.Start")
        publisher.send_media(VIDEO, VIDEO_CONFIGURATION, 0)
        for number in range(60):
            publisher.send_media(VIDEO, picture(number, number % 10 == 0), number * 20)
        wait_until_published(sluice, "obs")
        self.assertNotIn("pass=p", sluice.log())

    def test_pictures_alone(self):
        sluice = self.rtmp_server()
        self.feed(sluice)
        reader = self.player(sluice)
        self.assertEqual(reader.next_frame()[1], 0, "time begins with 0")
        self.check_frames(reader, [VIDEO])

    def test_sound_alone(self):
        sluice = self.rtmp_server()
        self.feed(sluice, video=False, audio=True)
        self.check_frames(self.player(sluice), [AUDIO])

    def test_pictures_and_sound(self):
        sluice = self.rtmp_server()
        self.feed(sluice, audio=True)
        self.check_frames(self.player(sluice), [AUDIO, VIDEO])

    def check_codec(self, codec, name):
        sluice = self.rtmp_server()
        rate = "44100" if codec == "libmp3lame" else "8000"
        self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", media.fixture("h264_aac"), "-vn", "-c:a", codec,
                    "-ar", rate, "-ac", "1", "-f", "flv", sluice.rtmp_url("cam")])
        wait_until_published(sluice, "cam")
        output = sluice.folder / "read"
        media.ffmpeg("-i", sluice.rtmp_url("cam"), "-t", "2", "-c", "copy", "-f", "framemd5", "-y", output, seconds=20)
        self.assertIn(f"#codec_id 0: {name}", output.read_text())
        self.assertGreater(output.read_text().count("\n0,"), 10)

    def test_mp3(self):
        self.check_codec("libmp3lame", "mp3")

    def test_pcma(self):
        self.check_codec("pcm_alaw", "pcm_alaw")

    def test_pcmu(self):
        self.check_codec("pcm_mulaw", "pcm_mulaw")

    # --- who may ---

    def test_users_of_publishers_and_readers(self):
        sluice = self.rtmp_server({"paths": {"cam": {"publishUser": "pu", "publishPass": "pp", "readUser": "ru", "readPass": "rp"}}})
        self.check_refused(self.client(sluice), "publish", "cam?user=pu&pass=wrong-one", "NetStream.Publish.Denied", pause=True)
        client = self.client(sluice).publish("cam?user=pu&pass=pp", metadata=True)
        client.send_media(VIDEO, picture(0, True), 0)
        sluice.wait_for_log("is publishing to path 'cam'")
        self.check_refused(self.client(sluice), "play", "cam?user=ru&pass=wrong-two", "NetStream.Play.Failed", pause=True)
        self.client(sluice).play("cam?user=ru&pass=rp")
        for word in ("wrong-one", "wrong-two"):
            self.assertNotIn(word, sluice.log())

    def test_hashed_users(self):
        hashed = {word: "sha256:" + base64.b64encode(hashlib.sha256(word.encode()).digest()).decode() for word in ("pu", "pp")}
        sluice = self.rtmp_server({"paths": {"all": {"publishUser": hashed["pu"], "publishPass": hashed["pp"]}}})
        self.check_refused(self.client(sluice), "publish", "cam?user=pu&pass=" + hashed["pp"], "NetStream.Publish.Denied")
        self.client(sluice).publish("cam?user=pu&pass=pp")

    def test_an_external_server_is_asked(self):
        external = ExternalServer(lambda question: 200 if question["password"] == "p-ss" else 401)
        self.addCleanup(external.server_close)
        self.addCleanup(external.shutdown)
        sluice = self.rtmp_server({"externalAuthenticationURL": external.url})
        self.check_refused(self.client(sluice), "publish", "cam?user=me", "NetStream.Publish.Denied", "live")
        self.client(sluice).publish("cam?user=me&pass=p-ss&x=y", "live", metadata=True).send_media(VIDEO, picture(0, True), 0)
        sluice.wait_for_log("is publishing to path 'live/cam'")
        self.client(sluice).play("cam?user=you&pass=p-ss", "live")
        self.check_refused(self.client(sluice), "play", "cam?user=you&pass=wrong", "NetStream.Play.Failed", "live")
        questions = [json.loads(body) for _, body in external.questions]
        asked = [(q["action"], q["user"], q["password"], q["path"], q["protocol"]) for q in questions]
        self.assertIn(("publish", "me", "p-ss", "live/cam", "rtmp"), asked)
        self.assertIn(("read", "you", "p-ss", "live/cam", "rtmp"), asked)
        self.assertIn(("read", "you", "wrong", "live/cam", "rtmp"), asked)

    def test_addresses_are_refused(self):
        sluice = self.rtmp_server({"paths": {"all": {"publishIPs": ["10.9.8.7"]}}})
        self.check_refused(self.client(sluice), "publish", "cam", "NetStream.Publish.Denied")
        sluice.wait_for_log(r"closed \(IP '127.0.0.1' not allowed\)")

    def test_unknown_streams_are_not_found(self):
        sluice = self.rtmp_server({"paths": {"cam": {}}})
        self.check_refused(self.client(sluice), "play", "cam", "NetStream.Play.StreamNotFound")
        self.check_refused(self.client(sluice), "play", "other", "NetStream.Play.StreamNotFound")
        self.check_refused(self.client(sluice), "publish", "other", "NetStream.Publish.BadName")

    def test_a_publisher_is_kept_where_none_may_override_it(self):
        sluice = self.rtmp_server({"paths": {"all": {"disablePublisherOverride": True}}})
        feed = self.feed(sluice)
        reader = self.player(sluice)
        second = self.client(sluice).begin("publish", "cam")
        second.wait_for_status("NetStream.Publish.BadName")
        self.check_frames(reader, [VIDEO])
        self.assertFalse(feed.broken)

    def test_another_publisher_overrides_the_first(self):
        sluice = self.rtmp_server()
        first = self.feed(sluice)
        self.player(sluice)
        self.feed(sluice)
        first.client.wait_until_closed()
        self.check_frames(self.player(sluice), [VIDEO])

    # --- the end ---

    def test_readers_are_told_when_the_publisher_leaves(self):
        sluice = self.rtmp_server()
        feed = self.feed(sluice)
        readers = [self.player(sluice) for _ in range(4)]
        for reader in readers:
            self.check_frames(reader, [VIDEO])
        wait_until(lambda number=feed.number: feed.number > number + 10, what="more pictures")
        feed.stop()
        for reader in readers:
            last = self.check_until_closed(reader)
            self.assertIn("NetStream.Play.UnpublishNotify", reader.statuses)
            self.assertEqual(last, feed.number - 1, "all that it sent has come")

    def check_until_closed(self, reader):
        """The number of the last frame."""
        last = None
        try:
            while True:
                last = reader.next_frame()[2]
        except Closed:
            return last

    def test_deleting_the_stream_right_behind_media_loses_none(self):
        sluice = self.rtmp_server()
        for way in ("deleteStream", "closed"):
            publisher = self.client(sluice).publish("cam", metadata=True)
            publisher.send_media(VIDEO, picture(0, True), 0)
            reader = self.player(sluice)
            publisher.send_media(VIDEO, picture(1, True), 20)
            self.assertEqual(reader.next_frame()[2], 1)
            for number in range(2, 200):
                publisher.send_media(VIDEO, picture(number), number * 20)
            if way == "deleteStream":
                publisher.command("deleteStream", None, publisher.stream)
            publisher.close()
            self.assertEqual([reader.next_frame()[2] for _ in range(198)], list(range(2, 200)))
            reader.wait_until_closed()
        self.assertNotIn("worker killed", sluice.log())

    # --- TLS ---

    def test_over_tls(self):
        certificate, key = make_certificate()
        for mode in ("optional", "strict"):
            sluice = self.rtmp_server({"rtmpEncryption": mode}, files={"server.crt": certificate, "server.key": key})
            self.feed(sluice, tls=True)
            self.check_frames(self.player(sluice, tls=True), [VIDEO])
            sluice.wait_for_log(r"\[RTMPS\] \[conn \S+\] is publishing to path 'cam'")
            if mode == "strict":
                self.assertRaises(ConnectionRefusedError, Client, sluice)
            else:
                self.check_frames(self.player(sluice), [VIDEO])

    def test_ffmpeg_over_tls(self):
        certificate, key = make_certificate()
        sluice = self.rtmp_server({"rtmpEncryption": "strict"}, files={"server.crt": certificate, "server.key": key})
        self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", media.fixture("h264_aac"), "-c", "copy", "-f", "flv",
                    sluice.rtmps_url("cam")])
        wait_until_published(sluice, "cam")
        output = sluice.folder / "read"
        media.ffmpeg("-i", sluice.rtmps_url("cam"), "-t", "2", "-c", "copy", "-f", "framemd5", "-y", output, seconds=20)
        self.assertGreater(output.read_text().count("\n0,"), 30)

    # --- commands ---

    def test_commands(self):
        def telling(name):
            return f"sh -c 'echo {name} $RTSP_PATH >> told; exec sleep 1000'"

        paths = {"all": {"runOnReady": telling("ready"), "runOnRead": telling("read")}}
        sluice = self.rtmp_server({"runOnConnect": telling("connect"), "paths": paths})

        def told():
            path = sluice.folder / "told"
            return path.read_text().split("\n") if path.exists() else []

        self.feed(sluice)
        wait_until(lambda: "ready cam" in told(), what="runOnReady")
        self.player(sluice)
        wait_until(lambda: "read cam" in told(), what="runOnRead")
        wait_until(lambda: sum(line.startswith("connect") for line in told()) >= 2, what="runOnConnect")

    def test_a_reader_waits_for_what_is_started_on_demand(self):
        sluice = self.rtmp_server({"paths": {"cam": {"runOnDemand": "sh -c 'echo demanded >> told; exec sleep 1000'"}}})
        reader = self.client(sluice).begin("play", "cam")
        wait_until(lambda: (sluice.folder / "told").exists(), what="the command runs")
        self.feed(sluice)
        reader.wait_for_status("NetStream.Play.Start")
        self.check_frames(reader, [VIDEO])

    def check_leaving_while_asking(self, leave):
        demand = {"runOnDemand": "sleep 1000", "runOnDemandStartTimeout": "1h"}
        sluice = self.rtmp_server({"runOnConnect": "sleep 2000", "paths": {"cam": demand}})
        running = lambda: sorted(title(pid) for pid in descendants(sluice.pid) if title(pid).startswith("sleep"))
        reader = self.client(sluice).begin("play", "cam")
        wait_until(lambda: running() == ["sleep 1000", "sleep 2000"], what="the commands run")
        leave(reader)
        wait_until(lambda: running() == ["sleep 1000"], what="the connection's command is gone")
        sluice.wait_for_log("closed \\(the client has left before it was answered\\)")

    def test_a_reader_that_leaves_while_it_waits_is_forgotten(self):
        self.check_leaving_while_asking(lambda reader: reader.close())

    def test_a_reader_that_takes_its_leave_while_it_waits_is_forgotten(self):
        def leave(reader):
            reader.command("deleteStream", None, reader.stream)
            reader.close()

        self.check_leaving_while_asking(leave)

    def test_a_reader_that_is_reset_while_it_waits_is_forgotten(self):
        def leave(reader):
            reader.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            reader.close()

        self.check_leaving_while_asking(leave)

    def test_a_publisher_that_leaves_while_it_is_examined_is_forgotten(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            sluice = self.rtmp_server({"externalAuthenticationURL": url})
            publisher = self.client(sluice).begin("publish", "cam")
            question, _ = silent.accept()
            self.addCleanup(question.close)
            publisher.close()
            sluice.wait_for_log("closed \\(the client has left before it was answered\\)")

    # --- where readers begin, and what becomes of slow ones ---

    def test_readers_begin_with_the_last_key_frame(self):
        sluice = self.rtmp_server({"readerStart": "keyframe"})
        feed = self.feed(sluice, group=100000)
        wait_until(lambda: feed.number > 100, what="pictures without a key frame")
        frames = [self.player(sluice).next_frame() for _ in range(3)]
        self.assertEqual(frames, [(VIDEO, 0, 0)] * 3)

    def test_a_slow_reader_goes_on_with_a_key_frame(self):
        sluice = self.rtmp_server({"readBufferCount": 64, "ringMaxSize": "1M", "writeTimeout": "30s"})
        feed = self.feed(sluice, size=100_000)
        reader = self.player(sluice, receive_buffer=65536)
        reader.next_frame()
        wait_until(lambda number=feed.number: feed.number > number + 200, what="more than any buffer holds")
        reached, gaps, last = feed.number, 0, None
        while last is None or last[0] < reached:  # number_of() finds what is torn
            _, timestamp, number = reader.next_frame()
            if last is not None and number != last[0] + 1:
                gaps += 1
                self.assertEqual(number % feed.group, 0, "behind a gap there is a key frame")
            if last is not None:
                self.assertEqual(timestamp - last[1], 20 * (number - last[0]))
            last = number, timestamp
        self.assertGreater(gaps, 0)
        self.assertIn("is too slow", sluice.log())

    def test_a_reader_that_stops_is_dropped(self):
        sluice = self.rtmp_server({"writeTimeout": "2s"})
        self.feed(sluice, size=50_000)
        reader, other = self.player(sluice, receive_buffer=4096), self.player(sluice)
        reader.next_frame()
        thread_end = time.monotonic() + 14
        while "write timeout" not in sluice.log() and time.monotonic() < thread_end:
            other.next_frame()
        self.assertIn("write timeout", sluice.log())
        self.check_frames(other, [VIDEO])

    # --- workers ---

    def test_a_killed_worker_takes_no_other_along(self):
        sluice = self.rtmp_server()
        feeds = {}
        for number in range(12):
            feed = self.feed(sluice, f"cam{number}")
            feeds.setdefault(feed.client.slot(), (feed, f"cam{number}"))
            if len(feeds) == 2:
                break
        self.assertEqual(len(feeds), 2)
        (victim, name), (other, other_name) = feeds[0], feeds[1]
        wait_until_published(sluice, name)
        rtsp = rtsp_client.Client(sluice)
        self.addCleanup(rtsp.close)
        rtsp.play(name)
        before = [rtsp.media_frame() for _ in range(20)][-1]
        kill_quietly(sluice.workers("rtmp")[0])
        victim.client.wait_until_closed()
        self.feed(sluice, name)
        after = [rtsp.media_frame(PATIENCE_S) for _ in range(50)]
        self.assertEqual({rtsp_client.rtp_ssrc(packet) for packet in after}, {rtsp_client.rtp_ssrc(before)}, "it is the same stream")
        self.assertFalse(other.broken)
        self.check_frames(self.player(sluice, other_name), [VIDEO])
