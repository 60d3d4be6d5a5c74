"""The configuration changes while the server runs: by its file, by SIGHUP, through the API."""

import json
import os
import random
import re
import shutil
import signal
import socket
import threading
import time

from api import Api
from harness import TestCase, descendants, title, wait_until
from rtsp import Client, Source, UdpPair, expect, payload_number


class Reload(TestCase):
    def configured(self, **more):
        sluice = self.server({"paths": {"all": {}}, **more})
        sluice.path = sluice.folder / "sluice.yml"
        return sluice

    def write(self, sluice, how="rename", **changes):
        """The file with these parameters, written as an editor might."""
        sluice.configuration.update(changes)
        text = json.dumps(sluice.configuration)
        reloads = sluice.log().count("reloading configuration")
        if how == "rename":
            new = sluice.folder / "new.yml"
            new.write_text(text)
            os.replace(new, sluice.path)
        else:
            sluice.path.write_text(text)
        wait_until(lambda: sluice.log().count("reloading configuration") > reloads, what="the server reloads")
        return wait_until(lambda: re.findall("reloading configuration.*\n", sluice.log())[-1], what="a line of the log")

    def path_is_configured(self, sluice, name):
        with Client(sluice) as client:
            return client.request("DESCRIBE", name).status != 400

    def test_however_the_file_is_changed(self):
        sluice = self.configured()
        for how, name in (("rename", "a"), ("write", "b"), ("rename", "c")):
            self.write(sluice, how, paths={name: {}})
            wait_until(lambda: self.path_is_configured(sluice, name), what=f"path {name}")
            self.assertFalse(self.path_is_configured(sluice, "x"))
        # Kubernetes: a link to a link to a folder, and the folder's link is swapped.
        sluice.path.unlink()
        for version in ("1", "2"):
            folder = sluice.folder / f"..{version}"
            folder.mkdir()
            (folder / "sluice.yml").write_text(json.dumps({**sluice.configuration, "paths": {f"k{version}": {}}}))
        os.symlink("..1", sluice.folder / "..data")
        os.symlink("..data/sluice.yml", sluice.path)
        wait_until(lambda: self.path_is_configured(sluice, "k1"), what="the first version")
        os.symlink("..2", sluice.folder / "..tmp")
        os.replace(sluice.folder / "..tmp", sluice.folder / "..data")
        wait_until(lambda: self.path_is_configured(sluice, "k2"), what="the second version")
        self.assertFalse(self.path_is_configured(sluice, "k1"))
        os.kill(sluice.pid, signal.SIGHUP)
        sluice.wait_for_log(r"reloading configuration \(SIGHUP\)")

    def test_a_file_that_is_being_written_is_not_taken_for_a_whole_one(self):
        sluice = self.configured()
        with Client(sluice) as publisher:
            publisher.publish("cam")
            text = "\n".join(f"{name}: {json.dumps(value)}" for name, value in sluice.configuration.items() if name != "paths")
            with sluice.path.open("w") as file:  # each piece would be a valid configuration without any path
                for piece in (text[: len(text) // 2].rpartition("\n")[0] + "\n", "#\n", "#\n"):
                    file.write(piece)
                    file.flush()
                    os.kill(sluice.pid, signal.SIGHUP)
                    time.sleep(0.2)
                    expect(publisher.request("GET_PARAMETER", "cam"), 200)
                file.seek(0)
                file.write(text + "\npaths:\n  all:\n  new:\n")
                file.truncate()
            sluice.wait_for_log(r"added paths: new")
            expect(publisher.request("GET_PARAMETER", "cam"), 200)

    def test_what_is_wrong_changes_nothing(self):
        sluice = self.configured()
        with Client(sluice) as publisher:
            publisher.publish("cam")
            with socket.socket() as taken:
                taken.bind(("0.0.0.0", 0))
                taken.listen()
                for changes, reason in (
                    ({"readTimeout": 5, "logLevel": "loud"}, r"readTimeout: .*; .*logLevel: "),
                    ({"rtspAddress": f":{taken.getsockname()[1]}"}, "Address already in use"),
                    ({"api": True, "apiAddress": f"127.0.0.1:{taken.getsockname()[1]}"}, "Address already in use"),
                ):
                    good = dict(sluice.configuration)
                    self.write(sluice, paths={"other": {}}, **changes)
                    sluice.wait_for_log(f"ERR the configuration stays as it was: .*{reason}")
                    self.assertTrue(self.path_is_configured(sluice, "anything"))
                    sluice.configuration = good
                    publisher.send_frame(0, Source().next())
            expect(publisher.request("GET_PARAMETER", "cam"), 200)

    def test_a_change_concerns_nothing_else(self):
        sluice = self.configured(paths={"a": {"runOnInit": "sleep 777"}, "b": {}, "~^r(.)$": {}})
        a, b, r = (Client(sluice).publish(name) for name in ("a", "b", "r1"))
        reader = Client(sluice)
        for client in (a, b, r, reader):
            self.addCleanup(client.close)
        reader.play("a")
        command = [pid for pid in descendants(sluice.pid) if "sleep 777" in title(pid)]
        self.assertEqual(len(command), 1)
        self.write(sluice, paths={"a": {"runOnInit": "sleep 777", "readUser": "u", "readPass": "p"}, "~^r(.)$": {}})
        b.wait_until_closed(5)  # its path is gone
        source = Source()
        sluice.wait_for_log(r"INF changed paths: a; removed paths: b\n")
        a.send_frame(0, source.next())
        self.assertEqual(payload_number(reader.media_frame()), 0)
        expect(r.request("GET_PARAMETER", "r1"), 200)
        self.assertEqual([pid for pid in descendants(sluice.pid) if "sleep 777" in title(pid)], command)
        with Client(sluice) as client:  # credentials count from now on
            expect(client.request("DESCRIBE", "a"), 401)

    def test_another_address_and_other_workers_lose_nobody(self):
        sluice = self.configured()
        publisher, reader, by_udp = (Client(sluice) for _ in range(3))
        pair, source = UdpPair(), Source()
        for client in (publisher, reader, by_udp, pair):
            self.addCleanup(client.close)
        publisher.publish("cam")
        reader.play("cam")
        by_udp.play("cam", transports=[pair.transport])

        def flows():
            for _ in range(20):
                publisher.send_frame(0, source.next())
                expected = source.number - 1
                self.assertEqual(payload_number(reader.media_frame()), expected)
                self.assertEqual(payload_number(pair.rtp.recv(2048)), expected)

        flows()
        for workers in (4, 1, 3, 2):
            self.write(sluice, rtspWorkers=workers)
            wait_until(lambda: set(range(workers)) <= set(sluice.workers()), what=f"{workers} workers")
            flows()
            for _ in range(20):
                with Client(sluice) as client:
                    expect(client.request("OPTIONS", "cam"), 200)
        old_port, sluice.rtsp_port = sluice.rtsp_port, sluice.ports.base + 8
        self.write(sluice, rtspAddress=f":{sluice.rtsp_port}")
        wait_until(sluice.answers, what="the new address answers")
        flows()
        with Client(sluice) as another:
            another.play("cam")
            flows()
            self.assertIsNotNone(another.media_frame())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", old_port), 1).close()

    def test_slots_that_are_not_wanted_leave_when_they_are_empty(self):
        sluice = self.configured(rtspWorkers=3)
        reader = Client.on_slot(sluice, 2)
        publisher = Client.on_slot(sluice, 0).publish("cam")
        for client in (reader, publisher):
            self.addCleanup(client.close)
        reader.play("cam")
        self.write(sluice, rtspWorkers=1)
        wait_until(lambda: sorted(sluice.workers()) == [0, 2], what="the empty one leaves")
        publisher.send_frame(0, Source().next())
        reader.media_frame()
        reader.close()
        wait_until(lambda: sorted(sluice.workers()) == [0], what="the last one leaves")
        self.write(sluice, rtspWorkers=3)
        wait_until(lambda: sorted(sluice.workers()) == [0, 1, 2], what="all are back")

    def test_a_protocol_that_is_turned_off_sends_its_clients_away(self):
        sluice = self.configured()
        with Client(sluice) as publisher:
            publisher.publish("cam")
            self.write(sluice, rtspDisable=True)
            publisher.wait_until_closed(5)
        wait_until(lambda: not sluice.workers(), what="the workers leave")
        self.write(sluice, rtspDisable=False)
        wait_until(lambda: len(sluice.workers()) == 2 and sluice.answers(), what="RTSP is back")

    def test_a_folder_that_is_replaced_is_still_watched(self):
        sluice = self.configured()
        self.assertTrue(self.path_is_configured(sluice, "x"))
        folder = sluice.folder.with_name(sluice.folder.name + "-old")
        os.rename(sluice.folder, folder)
        sluice.log_path = folder / "log"
        sluice.folder.mkdir(mode=0o755)
        time.sleep(0.3)
        sluice.path.write_text(json.dumps({**sluice.configuration, "paths": {"fresh": {}}}))
        wait_until(lambda: self.path_is_configured(sluice, "fresh") and not self.path_is_configured(sluice, "x"), what="the new folder's file")
        sluice.log_path = sluice.folder / "log"
        os.rename(folder / "log", sluice.log_path)
        shutil.rmtree(folder)

    def test_a_busy_folder_does_not_hold_up_a_reload(self):
        sluice = self.configured()
        busy, ended = sluice.folder / "busy", threading.Event()

        def write():
            while not ended.is_set():
                busy.write_text("x")
                time.sleep(0.004)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            sluice.path.write_text(json.dumps({**sluice.configuration, "paths": {"fresh": {}}}))
            wait_until(lambda: self.path_is_configured(sluice, "fresh"), 5, "the reload")
        finally:
            ended.set()
            thread.join()

    def test_the_log_level_is_applied(self):
        sluice = self.configured()
        with Client(sluice) as client:
            client.request("OPTIONS", "quiet")
            self.write(sluice, logLevel="debug")

            def is_told():
                client.request("OPTIONS", "loud")
                return re.search(r"DEB .*\[c->s\] OPTIONS .*loud", sluice.log())

            wait_until(is_told, what="lines of level debug")
        self.assertNotIn("quiet", sluice.log())


class Storm(TestCase):
    long = True

    def test_two_hundred_reloads_under_fifty_sessions_lose_nobody(self):
        sluice = self.server({"rtspWorkers": 2, "paths": {"all": {}}})
        path = sluice.folder / "sluice.yml"
        ended, problems = threading.Event(), []

        def stream(name):
            try:
                with Client(sluice) as publisher:
                    publisher.publish(name)
                    source, readers = Source(), [Client(sluice) for _ in range(4)]
                    for reader in readers:
                        reader.play(name)
                    while not ended.is_set():
                        publisher.send_frame(0, source.next())
                        for reader in readers:
                            if payload_number(reader.media_frame()) != source.number - 1:
                                raise AssertionError("a packet is missing")
                        time.sleep(0.01)
                    for reader in readers:
                        reader.close()
            except Exception as error:  # told below
                problems.append((name, repr(error)))

        threads = [threading.Thread(target=stream, args=(f"cam{i}",)) for i in range(10)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        for i in range(200):
            configuration = {
                **sluice.configuration,
                "rtspWorkers": random.choice((1, 2, 3, 4)),
                "logLevel": random.choice(("info", "debug", "warn")),
                "readTimeout": random.choice(("10s", "20s")),
                "writeMerge": random.choice(("0s", "10ms")),
                "paths": {"all": {"runOnReady": random.choice(("", "sleep 60"))}, f"extra{i % 7}": {"fallback": "/cam0"}},
            }
            if i % 10 == 9:
                configuration["logLevel"] = "nonsense"
            path.write_text(json.dumps(configuration))
            time.sleep(random.uniform(0.02, 0.1))
        ended.set()
        for thread in threads:
            thread.join(20)
        self.assertEqual(problems, [])


class ThroughTheApi(TestCase):
    def setUp(self):
        super().setUp()
        self.sluice = self.server({"paths": {"all": {}, "a": {}}})
        self.port = self.sluice.ports.base + 6
        path = self.sluice.folder / "sluice.yml"
        path.write_text(json.dumps({**self.sluice.configuration, "api": True, "apiAddress": f"127.0.0.1:{self.port}"}))
        self.sluice.wait_for_log(r"\[API\] listener opened on 127.0.0.1:")
        self.api = Api(self.port)

    def test_the_configuration_is_shown_and_changed(self):
        status, shown = self.api.get("/v1/config/get")
        self.assertEqual(status, 200)
        self.assertEqual(shown["readTimeout"], "10s")
        self.assertEqual(shown["ringMaxSize"], "64M")
        self.assertEqual(shown["protocols"], ["multicast", "tcp", "udp"])
        self.assertIn("~^.*$", shown["paths"])
        self.assertEqual(self.api.post("/v1/config/set", {"readTimeout": "7s"}), (200, ""))
        self.assertEqual(self.api.get("/v1/config/get")[1]["readTimeout"], "7s")
        for body in ({"readTimeout": 7}, b"{", {"rtpAddress": ":8001"}, [1]):
            status, answer = self.api.post("/v1/config/set", body)
            self.assertEqual(status, 400, body)
            self.assertTrue(answer["error"])
        self.assertEqual(self.api.get("/v1/config/get")[1]["readTimeout"], "7s")
        self.assertEqual(self.api.post("/v1/config/set", {"readTimeot": "9s"}), (200, ""))
        self.sluice.wait_for_log(r"WAR \[API\] config/set: 'readTimeot' is no parameter, ignored")
        shown = self.api.get("/v1/config/get")[1]
        self.assertEqual(self.api.post("/v1/config/set", shown), (200, ""))
        self.assertEqual(self.api.get("/v1/config/get")[1], shown)
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            status, answer = self.api.post("/v1/config/set", {"rtspAddress": f":{taken.getsockname()[1]}", "readTimeout": "8s"})
            self.assertEqual(status, 400)
            self.assertIn("in use", answer["error"])
        self.assertEqual(self.api.get("/v1/config/get")[1]["readTimeout"], "7s")

    def test_paths_are_added_edited_and_removed(self):
        post = lambda verb, name, body=None: self.api.post(f"/v1/config/paths/{verb}/{name}", body)
        self.assertEqual(post("add", "b/c", {"fallback": "/a"}), (200, ""))
        with Client(self.sluice) as client:
            answer = client.request("DESCRIBE", "b/c")
            self.assertEqual((answer.status, answer["Location"]), (301, self.sluice.url("a")))
        self.assertEqual(post("add", "b/c", {})[0], 400)
        self.assertEqual(post("edit", "b/c", {"source": "redirect", "sourceRedirect": "rtsp://x/y"}), (200, ""))
        with Client(self.sluice) as client:
            self.assertEqual(client.request("DESCRIBE", "b/c")["Location"], "rtsp://x/y")
        self.assertEqual(post("edit", "none", {})[0], 400)
        self.assertEqual(post("edit", "all", {"readUser": "u", "readPass": "p"}), (200, ""))
        with Client(self.sluice) as client:
            expect(client.request("DESCRIBE", "zzz"), 401)
        self.assertEqual(post("remove", "b/c"), (200, ""))
        self.assertEqual(post("remove", "b/c")[0], 400)
        self.assertEqual(self.api.post("/v1/nothing")[0], 404)
        self.assertEqual(self.api.get("/v1/config/set")[0], 404)

    def test_paths_are_listed_with_who_publishes_and_reads(self):
        with Client(self.sluice) as publisher, Client(self.sluice) as reader:
            publisher.publish("cam")
            reader.play("cam")
            items = self.api.paths()
            self.assertEqual(set(items), {"a", "cam"})
            self.assertEqual((items["a"]["source"], items["a"]["sourceReady"], items["a"]["readers"]), (None, False, []))
            cam = items["cam"]
            self.assertEqual(cam["confName"], "~^.*$")
            self.assertEqual(cam["conf"]["source"], "publisher")
            self.assertTrue(cam["sourceReady"])
            log = self.sluice.log()
            self.assertIn(f"[session {cam['source']['id']}] is publishing to path 'cam'", log)
            self.assertIn(f"[session {cam['readers'][0]['id']}] is reading from path 'cam'", log)
            self.assertNotIn(str(publisher.session), json.dumps(items))
        wait_until(lambda: set(self.api.paths()) == {"a"}, what="the path is gone with its publisher")


class Routes(TestCase):
    def test_fallback_and_redirect(self):
        sluice = self.server({"paths": {
            "relative": {"fallback": "/other"}, "absolute": {"fallback": "rtsp://elsewhere:1/x"},
            "moved": {"source": "redirect", "sourceRedirect": "rtsp://there/z"}, "all": {},
        }})
        with Client(sluice) as client:
            for name, location in (("relative?q=1", sluice.url("other")), ("absolute", "rtsp://elsewhere:1/x"), ("moved", "rtsp://there/z")):
                answer = expect(client.request("DESCRIBE", name), 301)
                self.assertEqual(answer["Location"], location)
        with Client(sluice) as client:
            expect(client.setup("relative"), 404)
        with Client(sluice) as client:
            expect(client.announce("moved"), 400)
        sluice.wait_for_log(r"can't publish to path 'moved' since 'source' is not 'publisher'")
        with Client(sluice) as publisher:
            publisher.publish("relative")
            with Client(sluice) as client:
                expect(client.request("DESCRIBE", "relative"), 200)

    def test_exact_names_come_before_expressions_and_those_before_all(self):
        fallback = lambda name: {"fallback": f"/{name}"}
        sluice = self.server({"paths": {"all": fallback("all"), "~^a": fallback("first"), "~a$": fallback("second"), "aa": fallback("exact")}})
        with Client(sluice) as client:
            for name, entry in (("aa", "exact"), ("aba", "first"), ("ba", "second"), ("b", "all")):
                self.assertEqual(client.request("DESCRIBE", name)["Location"], sluice.url(entry), name)
