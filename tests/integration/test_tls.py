"""RTSPS: who is served how, what clients see, certificates and tickets, and what strangers do at the port."""

import base64
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import rtsp
import test_slow_readers
from api import Api
from harness import EXECUTABLE, Ports, TestCase, private_memory, wait_until, wait_until_none
from rtsp import Client, Source, expect, payload_number
from tls import TestCase as TlsTestCase
from tls import TlsClient, context, make_certificate


class Service(TlsTestCase):
    def test_sessions_are_named_after_how_they_came(self):
        with Ports() as ports:
            sluice = self.tls_server({"api": True, "apiAddress": f"127.0.0.1:{ports.base + 2}"})
            with TlsClient(sluice) as publisher, TlsClient(sluice) as secret, Client(sluice) as plain:
                publisher.publish("cam")
                secret.play("cam")
                plain.play("cam")
                path = Api(ports.base + 2).paths()["cam"]
                self.assertEqual(path["source"]["type"], "rtspsSession")
                self.assertEqual(sorted(reader["type"] for reader in path["readers"]), ["rtspSession", "rtspsSession"])
                self.assertIn(f"[RTSPS] [session {path['source']['id']}] is publishing", sluice.log())
                source = Source()
                for number in range(200):
                    publisher.send_frame(0, source.next())
                    self.assertEqual(payload_number(secret.media_frame()), number)
                    self.assertEqual(payload_number(plain.media_frame()), number)
        self.assertIn(f"[RTSPS] listener opened on :{sluice.rtsps_port} (TCP)", sluice.log())
        for line in (r"\[RTSPS\] \[conn 127.0.0.1:\d+\] opened", r"\[RTSPS\] \[session \d+\] created by", r"\[RTSP\] \[session \d+\] created by"):
            self.assertRegex(sluice.log(), line)

    def test_urls_stay_those_of_tls(self):
        sluice = self.tls_server({"paths": {"old": {"fallback": "/new"}, "all": {}}})
        with TlsClient(sluice) as publisher, TlsClient(sluice) as reader:
            publisher.publish("cam")
            publisher.send_frame(0, Source().next())
            described = wait_until(lambda: (answer := reader.request("DESCRIBE", "cam")).status == 200 and answer)
            self.assertEqual(described["Content-Base"], reader.url("cam/"))
            expect(reader.setup("cam"), 200)
            self.assertRegex(reader.request("PLAY", "cam")["RTP-Info"], f"url={reader.url('cam')}/trackID=0;")
            with TlsClient(sluice) as other:
                self.assertEqual(expect(other.request("DESCRIBE", "old"), 301)["Location"], reader.url("new"))

    def test_media_come_over_the_connection_only(self):
        sluice = self.tls_server()
        with TlsClient(sluice) as publisher, TlsClient(sluice) as reader, Client(sluice) as plain:
            publisher.publish("cam")
            expect(reader.setup("cam", 0, "RTP/AVP;unicast;client_port=20000-20001"), 461)
            expect(reader.setup("cam", 0, "RTP/AVP;multicast"), 461)
            expect(reader.setup("cam", 0), 200)
            expect(plain.setup("cam", 0, "RTP/AVP;unicast;client_port=20000-20001"), 200)

    def test_strict_serves_nobody_without_tls(self):
        sluice = self.tls_server({"encryption": "strict", "protocols": ["tcp"]})
        with TlsClient(sluice) as publisher:
            publisher.publish("cam")
        with socket.socket() as plain:
            self.assertRaises(ConnectionRefusedError, plain.connect, ("127.0.0.1", sluice.rtsp_port))
        self.assertNotIn("[RTSP] listener", sluice.log())
        with socket.create_connection(("127.0.0.1", sluice.rtsps_port), 5) as plain:
            plain.sendall(b"OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            plain.settimeout(5)
            self.assertNotIn(b"RTSP/1.0", plain.recv(1000))

    def test_versions(self):
        sluice = self.tls_server()
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with self.assertRaises(ssl.SSLError, msg=version):
                TlsClient(sluice, using=context(version=version))
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with TlsClient(sluice, using=context(version=version)) as client:
                self.assertEqual(client.connection.version(), name)
                expect(client.request("OPTIONS", "cam"), 200)
        sluice.wait_for_log(r"\[RTSPS\] \[conn .*\] closed \(TLS: unsupported protocol\)")

    def test_clients_that_verify_are_content(self):
        sluice = self.tls_server()
        with TlsClient(sluice, using=context(trusted=sluice.certificate)) as client:
            expect(client.request("OPTIONS", "cam"), 200)

    def test_a_session_of_another_worker_is_unknown(self):
        sluice = self.tls_server()
        with TlsClient.on_slot(sluice, 0) as mine, Client(sluice) as publisher, TlsClient.on_slot(sluice, 1) as other:
            publisher.publish("cam")
            expect(mine.setup("cam"), 200)
            other.session = mine.session
            expect(other.request("PLAY", "cam"), 454)

    def test_the_end_is_announced(self):
        sluice = self.tls_server()
        client = TlsClient(sluice)
        self.addCleanup(client.close)
        client.session = "64"
        expect(client.request("PLAY", "cam"), 454)  # upon which the connection is closed
        self.assertEqual(client.wait_until_closed(5), b"")  # else SSLEOFError
        kept = TlsClient(sluice)
        self.addCleanup(kept.close)
        expect(kept.request("OPTIONS", "cam"), 200)
        self.assertEqual(sluice.stop(), 0)
        self.assertEqual(kept.wait_until_closed(5), b"")

    def test_records_of_all_sizes(self):
        """Requests in pieces and in a row, frames of 1 to 60,000 bytes, several in one record and one in several."""
        sluice = self.tls_server()
        with TlsClient(sluice) as publisher, TlsClient(sluice) as reader:
            for byte in f"OPTIONS {publisher.url('cam')} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode():
                publisher.send(bytes([byte]))
            expect(publisher.response(), 200)
            publisher.send(b"".join(f"OPTIONS {publisher.url('cam')} RTSP/1.0\r\nCSeq: {n}\r\n\r\n".encode() for n in range(50)))
            for number in range(50):
                self.assertEqual(publisher.response()["CSeq"], str(number))
            publisher.publish("cam")
            reader.play("cam")
            sent, frames = [], b""
            for number in range(300):
                payload = rtsp.rtp(number, number * 3000, b"\x65" + bytes([number % 251]) * (1 + number * 7 % 1300))
                sent.append(payload)
                frames += b"\x24\x00" + len(payload).to_bytes(2, "big") + payload
            for start in range(0, len(frames), 40_000):
                publisher.send(frames[start : start + 40_000])
            for payload in sent:
                self.assertEqual(reader.media_frame(), payload)


class Tickets(TlsTestCase):
    def visit(self, sluice, using, slot, session=None):
        """(whether it was resumed, the session to resume next time)."""
        with TlsClient.on_slot(sluice, slot, using=using, session=session) as client:
            expect(client.request("OPTIONS", "cam"), 200)
            return client.connection.session_reused, client.connection.session

    def test_any_worker_resumes_what_any_other_began(self):
        sluice = self.tls_server()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            using = context(version=version)
            resumed, session = self.visit(sluice, using, 0)
            self.assertFalse(resumed)
            resumed, session = self.visit(sluice, using, 1, session)
            self.assertTrue(resumed, version)
            old = sluice.workers()[0]
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: sluice.workers().get(0) not in (None, old), what="a new worker")
            resumed, session = self.visit(sluice, using, 0, session)
            self.assertTrue(resumed, version)

    def test_a_killed_workers_clients_are_closed_and_the_others_go_on(self):
        sluice = self.tls_server()
        with TlsClient.on_slot(sluice, 0) as lost, TlsClient.on_slot(sluice, 1) as publisher, TlsClient.on_slot(sluice, 1) as reader:
            publisher.publish("cam")
            reader.play("cam")
            lost.play("cam")
            os.kill(sluice.workers()[0], signal.SIGKILL)
            with self.assertRaises((ssl.SSLEOFError, ConnectionResetError, rtsp.Closed)):
                lost.media_frame(5)
            publisher.send_frame(0, Source().next())
            self.assertEqual(payload_number(reader.media_frame()), 0)
            with TlsClient.on_slot(sluice, 0) as again:
                again.play("cam")


class Files(TlsTestCase):
    def start_with(self, certificate, key):
        """The output of a server that can't start."""
        with Ports() as ports:
            folder = self.folder()
            if certificate is not None:
                (folder / "server.crt").write_text(certificate)
            if key is not None:
                (folder / "server.key").write_text(key)
            (folder / "sluice.yml").write_text(
                f"encryption: optional\nrtspAddress: :{ports.base + 2}\nrtspsAddress: :{ports.base + 6}\nprotocols: [tcp]\n"
                "rtmpDisable: yes\nhlsDisable: yes\n"
            )
            done = subprocess.run([EXECUTABLE, "sluice.yml"], cwd=folder, capture_output=True, text=True, timeout=15, check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            return done.stdout

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)

    def test_without_a_usable_certificate_the_server_does_not_start(self):
        certificate, key = make_certificate()
        other = make_certificate()[1]
        for files, reason in (
            ((None, key), r"ERR RTSPS: certificate server.crt: No such file or directory"),
            ((certificate, None), r"ERR RTSPS: private key server.key: No such file or directory"),
            ((certificate, "rubbish"), r"ERR RTSPS: certificate server.crt, private key server.key: .*no PEM private key in it"),
            (("", key), r"ERR RTSPS: .*: the certificate can't be used: no PEM certificate in it"),
            ((certificate, other), r"ERR RTSPS: .*: the private key does not belong to the certificate"),
            (("x" * 200_000, key), r"ERR RTSPS: certificate server.crt: larger than 102400 bytes"),
        ):
            output = self.start_with(*files)
            self.assertRegex(output, reason)
            self.assertNotIn("PRIVATE", output)

    def replace(self, sluice, name, text):
        new = sluice.folder / "new"
        new.write_text(text)
        os.replace(new, sluice.folder / name)

    def shown(self, sluice):
        with TlsClient(sluice) as client:
            return client.certificate()

    def test_a_replaced_certificate_is_shown_to_new_connections_under_load(self):
        sluice = self.tls_server()
        first, second = (sluice.certificate, sluice.key), make_certificate("second")
        publisher, reader = TlsClient(sluice).publish("cam"), TlsClient(sluice)
        reader.play("cam")
        errors, ended = [], threading.Event()

        def connect():
            while not ended.is_set():
                try:
                    with TlsClient(sluice) as client:
                        expect(client.request("OPTIONS", "cam"), 200)
                except Exception as error:  # pylint: disable=broad-except
                    errors.append(error)

        threads = [threading.Thread(target=connect) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            source = Source()
            for certificate, key in (second, first, second):
                self.replace(sluice, "server.crt", certificate)
                self.replace(sluice, "server.key", key)
                wait_until(
                    lambda: all(self.shown(sluice) == certificate for _ in range(10)),
                    what="each worker shows the new certificate",
                )
                for _ in range(10):
                    self.assertEqual(self.shown(sluice), certificate)
                publisher.send_frame(0, source.next())
                self.assertEqual(payload_number(reader.media_frame()), source.number - 1)
        finally:
            ended.set()
            for thread in threads:
                thread.join(20)
            publisher.close()
            reader.close()
        self.assertEqual(errors, [])

    def test_no_key_stays_in_any_process_when_encryption_goes(self):
        sluice = self.tls_server()
        renewed = make_certificate("another")
        for name, text in zip(("server.crt", "server.key"), renewed):
            (sluice.folder / name).write_text(text)
        sluice.wait_for_log("new connections get the certificate")
        sluice.configuration["encryption"] = "no"
        sluice.path.write_text(json.dumps(sluice.configuration))
        sluice.wait_for_log(r"\[RTSPS\] listener is closing")
        texts = [key.split("\n")[1:-2] for key in (sluice.key, renewed[1])]
        keys = [base64.b64decode("".join(lines)).partition(b"\x04\x20")[2][:32] for lines in texts]  # RFC 5915
        secrets = [*keys, *(key[::-1] for key in keys), *(line.encode() for lines in texts for line in lines[:1])]
        self.assertTrue(all(len(secret) >= 32 for secret in secrets))

        def left():
            memories = {pid: private_memory(pid) for pid in [sluice.pid, *sluice.workers().values()]}
            return [pid for pid, memory in memories.items() if any(secret in memory for secret in secrets)]

        self.assertEqual(wait_until_none(left, 10), [])

    def test_files_that_do_not_fit_change_nothing_and_say_so(self):
        sluice = self.tls_server()
        other = make_certificate()
        self.replace(sluice, "server.crt", other[0])
        sluice.wait_for_log(r"ERR \[RTSPS\] the certificate stays as it was: .*the private key does not belong to the certificate")
        self.assertEqual(self.shown(sluice), sluice.certificate)
        self.replace(sluice, "server.key", other[1])
        sluice.wait_for_log(r"INF \[RTSPS\] new connections get the certificate that server.crt holds now")
        wait_until(lambda: self.shown(sluice) == other[0], what="the new certificate is shown")
        (sluice.folder / "server.key").write_text("rubbish\n")
        sluice.wait_for_log(r"ERR \[RTSPS\] the certificate stays as it was: .*no PEM private key in it")
        (sluice.folder / "server.crt").unlink()
        self.replace(sluice, "server.key", sluice.key)
        sluice.wait_for_log(r"ERR \[RTSPS\] the certificate stays as it was: certificate server.crt: No such file")
        self.assertEqual(self.shown(sluice), other[0])
        old = sluice.workers()[0]
        os.kill(old, signal.SIGKILL)  # the next one is given what is used
        wait_until(lambda: sluice.workers().get(0) not in (None, old), what="a new worker")
        with TlsClient.on_slot(sluice, 0) as client:
            self.assertEqual(client.certificate(), other[0])
        (sluice.folder / "server.crt").write_text(sluice.certificate)
        wait_until(lambda: self.shown(sluice) == sluice.certificate, what="the first certificate is shown again")
        self.assertNotIn("PRIVATE", sluice.log())


class Reload(TestCase):
    def test_encryption_comes_and_goes_while_plain_clients_stay(self):
        certificate = make_certificate()
        sluice = self.server({}, files={"c.crt": certificate[0], "c.key": certificate[1]})
        path = sluice.folder / "sluice.yml"

        def write(**changes):
            sluice.configuration.update(changes)
            before = sluice.log().count("reloading configuration")
            (sluice.folder / "new").write_text(json.dumps(sluice.configuration))
            os.replace(sluice.folder / "new", path)
            wait_until(lambda: sluice.log().count("reloading configuration") > before, what="a reload")

        def serves_tls():
            try:
                with TlsClient(sluice) as client:
                    return client.request("OPTIONS", "cam").status == 200
            except OSError:
                return False

        source = Source()
        with Client(sluice) as publisher, Client(sluice) as reader:
            publisher.publish("cam")
            reader.play("cam")
            write(encryption="optional")
            sluice.wait_for_log(r"ERR the configuration stays as it was: RTSPS: certificate server.crt: No such file")
            self.assertFalse(serves_tls())
            write(serverCert="c.crt", serverKey="c.key")
            wait_until(serves_tls, what="TLS is served")
            with TlsClient(sluice) as secret:
                secret.play("cam")
                other = make_certificate("other")
                (sluice.folder / "d.crt").write_text(other[0])
                (sluice.folder / "d.key").write_text(other[1])
                write(serverCert="d.crt", serverKey="d.key", rtspWorkers=3)

                def shows_other():
                    with TlsClient(sluice) as client:
                        return client.certificate() == other[0]

                wait_until(shows_other, what="the other certificate is shown")
                write(encryption="no", rtspWorkers=1)
                wait_until(lambda: not serves_tls(), what="TLS is not served any more")
                for _ in range(20):
                    publisher.send_frame(0, source.next())
                    for client in (reader, secret):
                        self.assertEqual(payload_number(client.media_frame()), source.number - 1)
        self.assertRegex(sluice.log(), r"\[RTSPS\] listener is closing")


class Strangers(TlsTestCase):
    def test_rubbish_and_half_handshakes_harm_nobody(self):
        sluice = self.tls_server({"readTimeout": "2s"})
        with TlsClient(sluice) as publisher, TlsClient(sluice) as reader:
            publisher.publish("cam")
            reader.play("cam")
            hello = self.client_hello(sluice)
            strangers = []
            for data in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(3000), hello[:1], hello[:50], hello[:-1], hello,
                         hello + hello, hello + os.urandom(500), b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x80" * 10):
                stranger = socket.create_connection(("127.0.0.1", sluice.rtsps_port), 5)
                self.addCleanup(stranger.close)
                try:
                    stranger.sendall(data)
                except ConnectionError:
                    pass  # it was sent away before it had said all
                strangers.append(stranger)
            source, left = Source(), list(strangers)

            def closed(stranger):
                try:
                    while stranger.recv(65536):
                        pass
                except BlockingIOError:
                    return False
                except ConnectionError:
                    pass
                return True

            def all_closed():  # the silent ones after readTimeout
                left[:] = [stranger for stranger in left if not closed(stranger)]
                publisher.send_frame(0, source.next())
                self.assertEqual(payload_number(reader.media_frame()), source.number - 1)
                return not left

            for stranger in strangers:
                stranger.setblocking(False)
            wait_until(all_closed, what="all are closed", every_s=0.1)
        self.assertRegex(sluice.log(), r"\[RTSPS\] \[conn .*\] closed \(read timeout\)")
        self.assertEqual(len(sluice.workers()), 2)
        self.assertNotIn("killed by signal", sluice.log())

    def client_hello(self, sluice):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        self.assertRaises(ssl.SSLWantReadError, engine.do_handshake)
        return outgoing.read()

    def test_a_handshake_byte_by_byte(self):
        sluice = self.tls_server()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", sluice.rtsps_port), 10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def turn(act):
                while True:
                    try:
                        result = act()
                    except ssl.SSLWantReadError:
                        result = None
                    for byte in outgoing.read():
                        connection.sendall(bytes([byte]))
                    if result is not None:
                        return result
                    incoming.write(connection.recv(1))

            turn(lambda: (engine.do_handshake(), True))
            request = f"OPTIONS rtsps://127.0.0.1:{sluice.rtsps_port}/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()
            turn(lambda: engine.write(request))
            self.assertEqual(turn(lambda: engine.read(12)), b"RTSP/1.0 200")

    def test_a_reader_that_does_not_read_is_dropped(self):
        sluice = self.tls_server({"writeTimeout": "2s", "ringMaxSize": "1M"})
        with TlsClient(sluice) as publisher, TlsClient(sluice, receive_buffer=4096) as stuck, TlsClient(sluice) as reader:
            publisher.publish("cam")
            stuck.play("cam")
            reader.play("cam")
            source, dropped = Source(), r"\[RTSPS\] \[conn 127.0.0.1:%d\] closed \(write timeout" % stuck.port
            until = time.monotonic() + 30
            while not re.search(dropped, sluice.log()):
                self.assertLess(time.monotonic(), until, "it is not dropped")
                for _ in range(100):
                    publisher.send_frame(0, source.next(1300))
                for _ in range(100):
                    last = payload_number(reader.media_frame())
                self.assertEqual(last, source.number - 1)


class SlowReaders(test_slow_readers.SlowReaders, TlsTestCase):
    """As over plain TCP: whole packets in order, and skips to random access points."""

    def start_server(self, configuration):
        return self.tls_server(configuration)

    def reader(self, server):
        return TlsClient(server, receive_buffer=65536)
