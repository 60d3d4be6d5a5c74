"""Streams that are pulled over RTMP: from another instance, over TLS, on demand, again after a loss, and where the server
sends elsewhere."""

import hashlib
import socket
import ssl
import threading

from harness import wait_until
from rtmp import VIDEO, amf
from rtsp import wait_until_published
from test_rtmp import RtmpClients
from tls import make_certificate

CODECS = ("h264", "aac")


class Elsewhere(threading.Thread):
    """A server that answers any `connect` with where the app is said to be: `location`, or at this one itself."""

    def __init__(self, location=None):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.app_url = f"rtmp://127.0.0.1:{self.listener.getsockname()[1]}/live"
        self.url, self.location, self.asked = self.app_url + "/cam", location or self.app_url, 0
        self.start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self.answer(connection)
                except OSError:
                    pass

    def answer(self, connection):
        received = b""
        while len(received) < 1537:
            received += connection.recv(65536)
        connection.sendall(b"\x03" + bytes(1536) + received[1:1537])
        while len(received) < 2 * 1536 + 100:  # `connect`, more or less
            received += connection.recv(65536)
        self.asked += 1
        code = {"level": "error", "code": "NetConnection.Connect.Rejected", "ex": {"code": 302, "redirect": self.location}}
        payload = amf("_error", 1, None, code)
        chunks = [payload[at : at + 128] for at in range(0, len(payload), 128)]
        head = b"\x03\0\0\0" + len(payload).to_bytes(3, "big") + b"\x14\0\0\0\0"
        connection.sendall(head + b"\xc3".join(chunks))
        connection.recv(65536)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Sources(RtmpClients):
    def puller(self, source, **parameters):
        return self.rtmp_server({"api": True, "paths": {"cam": {"source": source, **parameters}}})

    def ready(self, server):
        return server.api().paths()["cam"]["sourceReady"]

    def test_every_frame_comes_at_its_time(self):
        first = self.rtmp_server()
        second = self.puller(first.rtmp_url("cam"), sourceReconnectGrace="0s")
        publisher = self.publish(first, "h264_b_aac", "rtmp")
        wait_until_published(second, "cam")
        output = second.folder / "read"
        reader = self.read(second.rtmp_url("cam"), CODECS, output)
        self.assertEqual(publisher.wait(25), 0)
        self.assertEqual(reader.wait(10), 0, output.with_suffix(".log").read_text())
        self.assertEqual(self.check("h264_b_aac", output.read_text(), CODECS, True, at_least_s=1), [])

    def test_credentials_of_the_url(self):
        first = self.rtmp_server({"paths": {"cam": {"readUser": "me", "readPass": "secret-word"}}})
        self.feed(first)
        first.wait_for_log("is publishing to path 'cam'")
        second = self.puller(first.rtmp_url("cam?user=me&pass=secret-word"))
        self.check_frames(self.player(second), [VIDEO])
        self.assertNotIn("secret-word", second.log())

    def elsewhere(self, location=None):
        server = Elsewhere(location)
        self.addCleanup(server.stop)
        return server

    def test_a_server_may_send_it_elsewhere(self):
        first = self.rtmp_server()
        self.feed(first, "cam", "live")
        second = self.puller(self.elsewhere(self.elsewhere(first.rtmp_url("live")).app_url).url)
        self.check_frames(self.player(second), [VIDEO])

    def test_being_sent_in_circles_ends(self):
        circle = self.elsewhere()
        second = self.puller(circle.url)
        second.wait_for_log(r"\[path cam\] \[rtmp source\] ERR: ")
        self.assertLess(circle.asked, 30)

    def test_over_tls_by_fingerprint(self):
        certificate, key = make_certificate()
        first = self.rtmp_server({"rtmpEncryption": "optional"}, files={"server.crt": certificate, "server.key": key})
        self.feed(first)
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()
        second = self.puller(first.rtmps_url("cam"), sourceFingerprint=fingerprint)
        self.check_frames(self.player(second), [VIDEO])
        wrong = self.puller(first.rtmps_url("cam"), sourceFingerprint="00" * 32)
        wrong.wait_for_log(r"\[path cam\] \[rtmp source\] ERR: .*fingerprint")

    def test_on_demand_it_is_pulled_while_somebody_reads(self):
        first = self.rtmp_server()
        self.feed(first)
        second = self.puller(first.rtmp_url("cam"), sourceOnDemand=True, sourceOnDemandCloseAfter="1s")
        self.assertIsNone(second.api().paths()["cam"]["source"])
        reader = self.client(second).play("cam")
        self.check_frames(reader, [VIDEO])
        self.assertEqual(second.api().paths()["cam"]["source"], {"type": "rtmpSource"})
        reader.close()
        second.wait_for_log(r"\[path cam\] \[rtmp source\] stopped")
        self.assertIsNone(second.api().paths()["cam"]["source"])

    def test_readers_stay_while_it_is_lost(self):
        first = self.rtmp_server()
        feed = self.feed(first)
        second = self.puller(first.rtmp_url("cam"))
        reader = self.player(second)
        self.check_frames(reader, [VIDEO])
        feed.stop()
        second.wait_for_log(r"\[path cam\] \[rtmp source\] ERR: ")
        self.feed(first)
        before = len(reader.statuses)
        wait_until(lambda: self.ready(second), what="it is pulled again")
        last = None
        for _ in range(60):  # what came before and what comes now: time never goes back
            _, timestamp, _ = reader.next_frame()
            self.assertTrue(last is None or timestamp > last)
            last = timestamp
        self.assertEqual(len(reader.statuses), before)

    def test_without_grace_readers_are_told(self):
        first = self.rtmp_server()
        feed = self.feed(first)
        second = self.puller(first.rtmp_url("cam"), sourceReconnectGrace="0s")
        reader = self.player(second)
        self.check_frames(reader, [VIDEO])
        feed.stop()
        reader.wait_until_closed()
        self.assertIn("NetStream.Play.UnpublishNotify", reader.statuses)

    def test_what_is_not_there_is_tried_again(self):
        first = self.rtmp_server()
        second = self.puller(first.rtmp_url("cam"))
        second.wait_for_log(r"\[path cam\] \[rtmp source\] ERR: .*")
        self.feed(first)
        self.check_frames(self.player(second), [VIDEO])
