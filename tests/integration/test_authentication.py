"""Who may publish and read: users and passwords, addresses, an external server."""

import base64
import hashlib
import http.server
import json
import re
import socket
import threading
import time
from pathlib import Path

import media
from harness import TestCase, wait_until
from rtsp import Client, description, expect


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def sha256(text):
    return "sha256:" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def challenges(response):
    """Of a 401: {"Basic": …, "Digest": …}. The test client keeps the last of several headers of one name."""
    return response["WWW-Authenticate"]


def digest(challenge, method, url, user, password, uri=None):
    nonce = re.search(r'nonce="([0-9a-f]{32})"', challenge).group(1)
    realm = re.search(r'realm="([^"]*)"', challenge).group(1)
    answer = md5(f"{md5(f'{user}:{realm}:{password}')}:{nonce}:{md5(f'{method}:{uri or url}')}")
    return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri or url}", response="{answer}"'


class Users(TestCase):
    PATH = {"publishUser": "pub", "publishPass": "topsecret!1", "readUser": "reader", "readPass": "pass"}

    def announce(self, client, authorization=None):
        headers = {"Content-Type": "application/sdp", **({"Authorization": authorization} if authorization else {})}
        return client.request("ANNOUNCE", "cam", headers, description().encode())

    def test_basic_and_digest_admit_and_nothing_else_does(self):
        sluice = self.server({"paths": {"cam": self.PATH}})
        for credentials, status in ((("pub", "topsecret!1"), 200), (("pub", "pass"), 401), (("reader", "pass"), 401), (("", ""), 401)):
            with Client(sluice) as client:
                refused = expect(self.announce(client), 401)
                self.assertIn("Digest", challenges(refused))
                expect(self.announce(client, basic(*credentials)), status)
            with Client(sluice) as client:
                refused = expect(self.announce(client), 401)
                expect(self.announce(client, digest(challenges(refused), "ANNOUNCE", sluice.url("cam"), *credentials)), status)

    def test_reading_has_credentials_of_its_own(self):
        sluice = self.server({"paths": {"cam": self.PATH}})
        with Client(sluice) as publisher:
            expect(self.announce(publisher, basic("pub", "topsecret!1")), 200)
            expect(publisher.setup("cam", record=True), 200)
            expect(publisher.request("RECORD", "cam"), 200)
            with Client(sluice) as client:
                expect(client.request("DESCRIBE", "cam"), 401)
                expect(client.request("DESCRIBE", "cam", {"Authorization": basic("pub", "topsecret!1")}), 401)
                expect(client.request("DESCRIBE", "cam", {"Authorization": basic("reader", "pass")}), 200)
                transport = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
                refused = expect(client.request("SETUP", "cam/trackID=0", transport), 401)
                self.assertTrue(refused["Session"])
                # VLC hashes the URL without the track.
                uri = sluice.url("cam/")
                answer = digest(challenges(refused), "SETUP", None, "reader", "pass", uri=uri)
                expect(client.request("SETUP", "cam/trackID=0", {**transport, "Authorization": answer}), 200)
                expect(client.request("PLAY", "cam"), 200)

    def test_a_digest_answer_is_good_for_one_connection_and_one_url(self):
        sluice = self.server({"paths": {"cam": self.PATH}})
        with Client(sluice) as client, Client(sluice) as other:
            refused = expect(self.announce(client), 401)
            answer = digest(challenges(refused), "ANNOUNCE", sluice.url("cam"), "pub", "topsecret!1")
            expect(self.announce(other, answer), 401)
            wrong = digest(challenges(refused), "ANNOUNCE", sluice.url("other"), "pub", "topsecret!1")
            expect(self.announce(client, wrong), 401)
            expect(self.announce(client, answer), 200)

    def test_the_fourth_failure_is_the_last_and_waits(self):
        sluice = self.server({"paths": {"cam": self.PATH}})
        with Client(sluice) as client:
            for _ in range(3):
                self.assertTrue(expect(self.announce(client), 401)["WWW-Authenticate"])
            started = time.monotonic()
            last = expect(self.announce(client), 401)
            self.assertGreaterEqual(time.monotonic() - started, 1.9)
            self.assertEqual(last["WWW-Authenticate"], "")
            client.wait_until_closed(5)
        sluice.wait_for_log(r"closed \(unauthorized: ")
        with Client(sluice) as client:  # a success in between starts the count anew
            for _ in range(3):
                expect(self.announce(client), 401)
            expect(self.announce(client, basic("pub", "topsecret!1")), 200)

    def test_hashed_credentials_offer_basic_only(self):
        sluice = self.server({"paths": {"cam": {"publishUser": sha256("pub"), "publishPass": sha256("secret")}}})
        with Client(sluice) as client:
            self.assertEqual(challenges(expect(self.announce(client), 401)), 'Basic realm="IPCAM"')
            expect(self.announce(client, basic("pub", "wrong")), 401)
            expect(self.announce(client, basic("pub", "secret")), 200)

    def test_only_enabled_methods_are_offered_and_taken(self):
        for methods, other in ((["basic"], "Digest"), (["digest"], "Basic")):
            sluice = self.server({"authMethods": methods, "paths": {"cam": self.PATH}})
            with Client(sluice) as client:
                refused = expect(self.announce(client), 401)
                self.assertNotIn(other, challenges(refused))
                if methods == ["digest"]:
                    expect(self.announce(client, basic("pub", "topsecret!1")), 401)
                    expect(self.announce(client, digest(challenges(refused), "ANNOUNCE", sluice.url("cam"), "pub", "topsecret!1")), 200)
                else:
                    expect(self.announce(client, basic("pub", "topsecret!1")), 200)

    def test_what_is_not_configured_is_told_before_who_may(self):
        sluice = self.server({"paths": {"cam": self.PATH}})
        with Client(sluice) as client:
            expect(client.request("DESCRIBE", "other"), 400)
        sluice.wait_for_log(r"path 'other' is not configured")

    def test_ffmpeg_publishes_with_its_credentials(self):
        sluice = self.server({"paths": {"cam": self.PATH}})
        url = f"rtsp://pub:topsecret!1@127.0.0.1:{sluice.rtsp_port}/cam"
        self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", media.fixture("h264_aac"), "-c", "copy", "-f", "rtsp", url])
        sluice.wait_for_log(r"is publishing to path 'cam', 2 tracks")
        read = f"rtsp://reader:pass@127.0.0.1:{sluice.rtsp_port}/cam"
        output = sluice.folder / "read.mkv"
        reader = self.start(["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", read, "-t", "1", "-c", "copy", output])
        self.assertEqual(reader.wait(20), 0)
        self.assertGreater(output.stat().st_size, 1000)


class Secrets(TestCase):
    def test_credentials_stay_out_of_logs_titles_and_workers(self):
        secret = "Xyzzy123PlughPlover"
        sluice = self.server({"logLevel": "debug", "paths": {"cam": {"publishUser": "pub", "publishPass": secret}}})
        with Client(sluice) as client:
            client.announce("cam")
            headers = {"Content-Type": "application/sdp", "Authorization": basic("pub", secret)}
            expect(client.request("ANNOUNCE", "cam", headers, description().encode()), 200)
            expect(client.setup("cam", record=True), 200)
            for text in (secret, base64.b64encode(f"pub:{secret}".encode()).decode()):
                self.assertNotIn(text, sluice.log())
                for pid, title in sluice.titles().items():
                    self.assertNotIn(text, title)
                for slot, pid in sluice.workers().items():
                    self.assertFalse(holds(pid, text.encode()), f"rtsp-{slot}")
        self.assertTrue(holds(sluice.pid, secret.encode()), "the supervisor's configuration has it, so this test can find it")


def holds(pid, needle):
    """Whether the bytes stand in writable memory of the process."""
    for line in Path(f"/proc/{pid}/maps").read_text().split("\n"):
        fields = line.split()
        if len(fields) < 2 or not fields[1].startswith("rw") or "[v" in line:
            continue
        begin, end = (int(part, 16) for part in fields[0].split("-"))
        if end - begin > 256 << 20:  # the session table and doorbells: see its used part below
            end = begin + (128 << 20)
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            try:
                memory.seek(begin)
                if needle in memory.read(end - begin):
                    return True
            except (OSError, ValueError, OverflowError):
                continue
    return False


class Addresses(TestCase):
    def test_lists_of_addresses_admit_and_refuse(self):
        for ips, status in ((["127.0.0.1"], 200), (["127.0.0.0/8", "::1"], 200), (["10.0.0.0/8"], 401)):
            sluice = self.server({"rtspWorkers": 1, "paths": {"cam": {"publishIPs": ips}}})
            with Client(sluice) as client:
                started = time.monotonic()
                answer = expect(client.announce("cam"), status)
                if status == 401:
                    self.assertEqual(answer["WWW-Authenticate"], "")
                    self.assertGreaterEqual(time.monotonic() - started, 1.9)
                    client.wait_until_closed(5)
                    sluice.wait_for_log(r"closed \(IP '127.0.0.1' not allowed\)")
            sluice.close()


class ExternalServer(http.server.ThreadingHTTPServer):
    """Answers as `decide(question)` says; keeps the questions."""

    request_queue_size = 2000
    daemon_threads = True

    def __init__(self, decide):
        self.questions, self.decide = [], decide
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.questions.append((self.headers["Content-Type"], body))
                self.send_response(outer.decide(json.loads(body)))
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/auth"


class External(TestCase):
    def external(self, decide):
        server = ExternalServer(decide)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def test_it_is_asked_and_obeyed(self):
        external = self.external(lambda question: 200 if question["user"] == "me" else 401)
        sluice = self.server({"externalAuthenticationURL": external.url})
        with Client(sluice) as client:
            headers = {"Content-Type": "application/sdp"}
            refused = expect(client.request("ANNOUNCE", "cam?a=b&c", headers, description().encode()), 401)
            self.assertEqual(refused["WWW-Authenticate"], 'Basic realm="IPCAM"')
            headers["Authorization"] = basic("me", "pass:word")
            expect(client.request("ANNOUNCE", "cam?a=b&c", headers, description().encode()), 200)
        kind, body = external.questions[-1]
        self.assertEqual(kind, "application/json")
        session = json.loads(body)["id"]
        self.assertRegex(session, "^[1-9][0-9]{8}$")
        self.assertEqual(
            body.decode(),
            '{"ip":"127.0.0.1","user":"me","password":"pass:word","path":"cam","protocol":"rtsp",'
            f'"id":"{session}","action":"publish","query":"a=b&c"}}',
        )

    def test_a_server_that_is_down_means_refused_and_is_told(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        sluice = self.server({"externalAuthenticationURL": f"http://127.0.0.1:{port}/"})
        with Client(sluice) as client:
            expect(client.announce("cam"), 401)
        sluice.wait_for_log(r"WAR .*127.0.0.1")

    def test_slow_answers_hold_up_nobody_else(self):
        blocked = threading.Event()
        self.addCleanup(blocked.set)
        external = self.external(lambda question: (blocked.wait(20), 200)[1] if question["path"] == "slow" else 200)
        sluice = self.server({"externalAuthenticationURL": external.url, "readTimeout": "15s"})
        waiting = [Client(sluice) for _ in range(1000)]
        for client in waiting:
            self.addCleanup(client.close)
            client.send_request("DESCRIBE", sluice.url("slow"))
        wait_until(lambda: len(external.questions) >= 900, 15, "most of the questions are outstanding")
        times = []
        for _ in range(20):
            with Client(sluice) as client:
                started = time.monotonic()
                expect(client.request("OPTIONS", "fast"), 200)
                times.append(time.monotonic() - started)
        self.assertLess(sorted(times)[10], 0.5, times)  # held up, it would be seconds
        with Client(sluice) as client:
            expect(client.request("DESCRIBE", "fast"), 404)
        blocked.set()
        for client in waiting[:50]:
            expect(client.response(), 404)

    def test_a_redirect_to_another_scheme_is_not_followed(self):
        class Redirecting(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        sluice = self.server({"externalAuthenticationURL": f"http://127.0.0.1:{server.server_address[1]}/"})
        with Client(sluice) as client:
            expect(client.announce("cam"), 401)
