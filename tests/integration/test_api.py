"""The HTTP API as its users see it, every answer held against deploy/openapi.yaml."""

import os
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.request

from harness import Ports, TestCase, kill_quietly, wait_until
from openapi import Description
from tls import make_certificate


class ApiTestCase(TestCase):
    def setUp(self):
        super().setUp()
        self.description = Description()

    def api_server(self, **configuration):
        server = self.server({"api": True, **configuration})
        server.wait_for_log(r"\[API\] listener opened")
        return server

    def ask(self, server, method, route, body=None, **names):
        """(status, answer), as described."""
        status, answer = server.api().call(method, route.format(**names), body)
        self.description.check(method, route, status, answer)
        return status, answer

    def items(self, server, what):
        return self.ask(server, "GET", f"/v1/{what}/list")[1]["items"]

    def publish(self, url):
        kind = ["-f", "flv"] if url.startswith("rtmp") else ["-f", "rtsp", "-rtsp_transport", "tcp"]
        return self.start(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-f", "lavfi",
             "-i", "sine=sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac", *kind, url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def play(self, *options):
        return self.start(["ffmpeg", "-nostdin", "-loglevel", "error", *options, "-c", "copy", "-f", "null", "-"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Lists(ApiTestCase):
    """Everything that there is, is listed, with figures that are true."""

    def full_house(self):
        certificate, key = make_certificate()
        with Ports() as ports:
            hls = ports.base + 2
        server = self.server(
            {"api": True, "encryption": "optional", "rtmpDisable": False, "rtmpEncryption": "optional", "rtmpServerKey": "server.key",
             "rtmpServerCert": "server.crt", "hlsDisable": False, "hlsAddress": f"127.0.0.1:{hls}", "hlsWorkers": 1},
            files={"server.crt": certificate, "server.key": key})
        server.hls = f"http://127.0.0.1:{hls}"
        self.publish(server.url("cam"))
        wait_until(lambda: (path := self.items(server, "paths").get("cam")) and path["sourceReady"], what="the stream is there")
        return server

    def test_sessions_connections_and_muxers_of_all_protocols(self):
        server = self.full_house()
        self.play("-rtsp_transport", "udp", "-i", server.url("cam"))
        self.play("-rtsp_transport", "tcp", "-i", server.secure_url("cam"))
        self.play("-i", server.rtmp_url("cam"))
        self.play("-tls_verify", "0", "-i", server.rtmps_url("cam"))
        silent = socket.create_connection(("127.0.0.1", server.rtmp_port))
        self.addCleanup(silent.close)
        urllib.request.urlopen(server.hls + "/cam/index.m3u8", timeout=20).read()

        def states(what):
            return sorted((session["state"], session["path"], session["transport"]) for session in self.items(server, what).values())

        expected = {
            "rtspsessions": [("publish", "cam", "TCP"), ("read", "cam", "UDP")],
            "rtspssessions": [("read", "cam", "TCP")],
            "rtmpconns": [("idle", "", "TCP"), ("read", "cam", "TCP")],
            "rtmpsconns": [("read", "cam", "TCP")],
        }
        for what, wanted in expected.items():
            wait_until(lambda: states(what) == wanted, what=f"{what} are {wanted}, not {states(what)}")
        self.assertEqual(set(self.items(server, "hlsmuxers")), {"cam"})
        cam = self.items(server, "paths")["cam"]
        self.assertEqual(sorted(reader["type"] for reader in cam["readers"]), ["hlsMuxer", "rtmpConn", "rtmpsConn", "rtspSession", "rtspsSession"])
        self.assertEqual((cam["source"]["type"], cam["tracks"]), ("rtspSession", ["H264", "MPEG-4 Audio"]))
        addresses = {session["remoteAddr"] for session in self.items(server, "rtmpconns").values()}
        self.assertIn("127.0.0.1:%d" % silent.getsockname()[1], addresses)

    def test_what_flows_is_counted(self):
        server = self.full_house()
        self.play("-i", server.rtmp_url("cam"))

        def figures():
            publisher, = self.items(server, "rtspsessions").values()
            reader = next(iter(self.items(server, "rtmpconns").values()), None)
            return publisher, reader, self.items(server, "paths")["cam"]

        wait_until(lambda: (reader := figures()[1]) and reader["bytesSent"] > 0, what="the reader is sent something")
        before = figures()
        time.sleep(1.5)
        after = figures()
        for session, what in ((0, "bytesReceived"), (0, "packetsReceived"), (1, "bytesSent"), (1, "packetsSent"), (2, "bytesReceived"), (2, "bytesSent")):
            self.assertGreater(after[session][what], before[session][what], what)
        for session in range(3):
            self.assertGreaterEqual(after[session]["age"], before[session]["age"] + 1)
        self.assertEqual((after[0]["bytesSent"], after[1]["bytesReceived"], after[0]["packetsLost"]), (0, 0, 0))

    def test_a_list_of_nothing(self):
        server = self.server({"api": True, "rtmpDisable": False, "paths": {}})
        for what in ("rtspsessions", "rtmpconns", "paths"):
            self.assertEqual(self.items(server, what), {})

    def test_lists_of_servers_that_are_not_running_do_not_exist(self):
        server = self.api_server()
        for what in ("rtspssessions", "rtmpconns", "rtmpsconns", "hlsmuxers"):
            self.assertEqual(self.ask(server, "GET", f"/v1/{what}/list")[0], 404, what)
        self.assertEqual(server.api().get("/v1/rtspsessions")[0], 404)
        self.assertEqual(server.api().post("/v1/rtspsessions/list")[0], 404)

    def test_every_parameter_is_described(self):
        server = self.api_server()
        configuration = self.ask(server, "GET", "/v1/config/get")[1]
        self.assertEqual(list(configuration["paths"]), ["~^.*$"])
        self.assertEqual(set(configuration), set(self.description.schemas["GlobalParameters"]["properties"]))
        self.assertEqual(set(configuration["paths"]["~^.*$"]), set(self.description.schemas["PathParameters"]["properties"]))


class Kicks(ApiTestCase):
    def test_a_publisher_and_a_reader_of_rtsp(self):
        server = self.api_server()
        publisher = self.publish(server.url("cam"))
        sessions = wait_until(lambda: self.items(server, "rtspsessions"), what="it publishes")
        reader = self.play("-rtsp_transport", "tcp", "-i", server.url("cam"))
        ids = wait_until(lambda: set(self.items(server, "rtspsessions")) - set(sessions), what="it reads")
        self.assertEqual(self.ask(server, "POST", "/v1/rtspsessions/kick/{id}", id=ids.pop())[0], 200)
        reader.wait(20)
        self.assertIsNone(publisher.poll())
        self.assertEqual(self.ask(server, "POST", "/v1/rtspsessions/kick/{id}", id=set(sessions).pop())[0], 200)
        publisher.wait(20)
        wait_until(lambda: self.items(server, "rtspsessions") == {}, what="no session is left")
        server.wait_for_log(r"\[RTSP\] \[session \d+\] destroyed \(kicked\)")

    def test_rtmp_connections_whatever_they_do(self):
        server = self.api_server(rtmpDisable=False)
        publisher = self.publish(server.rtmp_url("cam"))
        wait_until(lambda: [1 for conn in self.items(server, "rtmpconns").values() if conn["state"] == "publish"], what="it publishes")
        silent = socket.create_connection(("127.0.0.1", server.rtmp_port))
        self.addCleanup(silent.close)
        wait_until(lambda: len(self.items(server, "rtmpconns")) == 2, what="both are listed")
        for number in self.items(server, "rtmpconns"):
            self.assertEqual(self.ask(server, "POST", "/v1/rtmpconns/kick/{id}", id=number)[0], 200)
        publisher.wait(20)
        silent.settimeout(10)
        self.assertEqual(silent.recv(1), b"")
        wait_until(lambda: self.items(server, "rtmpconns") == {}, what="no connection is left")

    def test_who_is_not_there_is_not_found(self):
        server = self.api_server(rtmpDisable=False)
        for number in ("123456789", "0", "-1", "x", "1" * 30, "12%20", "%0a", "1%2F2"):
            for what in ("rtspsessions", "rtmpconns"):
                self.assertEqual(self.ask(server, "POST", f"/v1/{what}/kick/{{id}}", id=number)[0], 404, number)
        self.publish(server.url("cam"))
        number, = wait_until(lambda: self.items(server, "rtspsessions"), what="it publishes")
        self.assertEqual(self.ask(server, "POST", "/v1/rtmpconns/kick/{id}", id=number)[0], 404)
        self.assertEqual(list(self.items(server, "rtspsessions")), [number])


class Workers(ApiTestCase):
    def test_they_are_listed_and_replaced(self):
        server = self.api_server(rtmpDisable=False)
        listed = self.items(server, "workers")
        self.assertEqual(sorted(listed), ["rtmp-0", "rtmp-1", "rtsp-0", "rtsp-1"])
        self.assertEqual({name: worker["pid"] for name, worker in listed.items() if worker["protocol"] == "rtsp"},
                         {f"rtsp-{number}": pid for number, pid in server.workers().items()})
        for worker in listed.values():
            self.assertTrue(worker["keeperPid"] > 0 and worker["memoryBytes"] > 0 and worker["restarts"] == 0)
        self.assertEqual(self.ask(server, "POST", "/v1/workers/restart/{slot}", slot="rtsp-1")[0], 200)
        after = wait_until(lambda: (now := self.items(server, "workers"))["rtsp-1"]["restarts"] == 1 and now["rtsp-1"]["pid"] and now,
                           what="the worker is replaced")
        self.assertNotEqual(after["rtsp-1"]["pid"], listed["rtsp-1"]["pid"])
        self.assertEqual(after["rtsp-0"]["pid"], listed["rtsp-0"]["pid"])
        self.assertEqual(self.ask(server, "POST", "/v1/workers/restart/{slot}", slot="rtsp-9")[0], 404)

    def test_sessions_and_processor_time_are_counted(self):
        server = self.api_server(rtspWorkers=1)
        self.publish(server.url("cam"))
        wait_until(lambda: self.items(server, "workers")["rtsp-0"]["sessions"] == 1, what="its session is counted")
        wait_until(lambda: self.items(server, "workers")["rtsp-0"]["cpuSeconds"] > 0, 60, "its work is seen")


class Health(ApiTestCase):
    def test_ready_means_that_a_worker_serves_in_each_slot(self):
        server = self.api_server()
        self.assertEqual(self.ask(server, "GET", "/readyz"), (200, "ready\n"))
        keeper = server.keepers()[1]
        os.kill(keeper, signal.SIGSTOP)  # so that no successor comes
        self.addCleanup(kill_quietly, keeper, signal.SIGCONT)
        os.kill(server.workers()[1], signal.SIGKILL)
        wait_until(lambda: self.ask(server, "GET", "/readyz") == (503, "rtsp-1 has no worker\n"), what="it is seen")
        self.assertEqual(self.ask(server, "GET", "/livez"), (200, "alive\n"))
        os.kill(keeper, signal.SIGCONT)
        wait_until(lambda: self.ask(server, "GET", "/readyz")[0] == 200, what="it is ready again")

    def test_it_needs_no_password(self):
        server = self.api_server(apiUser="me", apiPass="secret")
        self.assertEqual(self.ask(server, "GET", "/livez")[0], 200)
        self.assertEqual(self.ask(server, "GET", "/readyz")[0], 200)
        self.assertEqual(self.ask(server, "GET", "/v1/paths/list")[0], 401)
        self.assertEqual(server.api().post("/livez")[0], 401)


class Protection(ApiTestCase):
    def test_over_tls_with_a_certificate_that_is_renewed(self):
        first, second = make_certificate(), make_certificate()
        server = self.server({"api": True, "apiEncryption": True}, files={"server.crt": first[0], "server.key": first[1]})
        server.wait_for_log(r"\[API\] listener opened")

        def shown():
            return ssl.get_server_certificate(("127.0.0.1", server.api_port)).strip()

        self.assertEqual(shown(), first[0].strip())
        done = subprocess.run(["curl", "-sk", "--max-time", "10", "--http2", "-w", "%{http_version}", f"https://127.0.0.1:{server.api_port}/livez"],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.stdout, "alive\n2")
        with self.assertRaises(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{server.api_port}/livez", timeout=5)
        for name, text in (("server.key", second[1]), ("server.crt", second[0])):
            (server.folder / "new").write_text(text)
            os.replace(server.folder / "new", server.folder / name)
        wait_until(lambda: shown() == second[0].strip(), what="the new certificate is shown")

    def test_a_certificate_that_is_missing_changes_nothing(self):
        server = self.api_server()
        status, answer = self.ask(server, "POST", "/v1/config/set", {"apiEncryption": True})
        self.assertEqual(status, 400)
        self.assertIn("server.crt", answer["error"])
        self.assertEqual(self.ask(server, "GET", "/livez")[0], 200)

    def test_it_can_be_moved_and_turned_off_by_itself(self):
        server = self.api_server()
        with Ports() as ports:
            other = ports.base + 2
            self.assertEqual(self.ask(server, "POST", "/v1/config/set", {"apiAddress": f"127.0.0.1:{other}"}), (200, ""))
        with self.assertRaises(OSError):
            self.ask(server, "GET", "/livez")
        server.api_port = other
        self.assertEqual(self.ask(server, "GET", "/livez")[0], 200)
        self.assertEqual(self.ask(server, "POST", "/v1/config/set", {"api": False}), (200, ""))
        with self.assertRaises(OSError):
            self.ask(server, "GET", "/livez")
        self.assertEqual(len(re.findall(r"\[API\] listener is closing", server.log())), 2)
