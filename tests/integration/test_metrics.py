"""The metrics: names and labels of rtsp-simple-server's, true figures, and what Prometheus itself makes of them."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import harness
from harness import Ports, wait_until
from test_api import ApiTestCase

MONITORING = harness.ROOT / "deploy/monitoring"


class MetricsTestCase(ApiTestCase):
    def metrics_server(self, **configuration):
        ports = Ports()
        self.addCleanup(ports.close)
        port = ports.base + 2
        server = self.server({"api": True, "metrics": True, "metricsAddress": f"127.0.0.1:{port}", **configuration})
        server.wait_for_log(r"\[metrics\] listener opened")
        server.metrics = f"http://127.0.0.1:{port}"
        return server

    def text(self, server):
        with urllib.request.urlopen(server.metrics + "/metrics", timeout=10) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            return answer.read().decode()

    def samples(self, server):
        """'name{labels}' → value"""
        lines = [line for line in self.text(server).split("\n") if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


class Samples(MetricsTestCase):
    def test_the_five_families_of_rtsp_simple_server(self):
        with Ports() as ports:
            hls = ports.base + 2
        server = self.metrics_server(rtmpDisable=False, hlsDisable=False, hlsAddress=f"127.0.0.1:{hls}", hlsWorkers=1,
                                     paths={"all": {}, "waiting": {}})
        self.publish(server.url("cam"))
        wait_until(lambda: self.samples(server).get('paths{name="cam",state="ready"}') == 1, what="the path is ready")
        self.play("-i", server.rtmp_url("cam"))
        urllib.request.urlopen(f"http://127.0.0.1:{hls}/cam/index.m3u8", timeout=20).read()
        wait_until(lambda: self.samples(server).get('rtmp_conns{state="read"}') == 1, what="the reader is there")
        samples = self.samples(server)
        expected = {
            'paths{name="cam",state="ready"}': 1, 'paths{name="waiting",state="notReady"}': 1,
            'rtsp_sessions{state="idle"}': 0, 'rtsp_sessions{state="read"}': 0, 'rtsp_sessions{state="publish"}': 1,
            'rtmp_conns{state="idle"}': 0, 'rtmp_conns{state="read"}': 1, 'rtmp_conns{state="publish"}': 0,
            'hls_muxers{name="cam"}': 1,
        }
        self.assertEqual({name: value for name, value in samples.items() if not name.startswith("sluice_")}, expected)

    def test_servers_that_are_not_running_have_none(self):
        server = self.metrics_server()
        names = {re.split(r"[{ ]", name)[0] for name in self.samples(server)}
        self.assertEqual({name for name in names if not name.startswith("sluice_")}, {"rtsp_sessions"})  # and no path
        for route in ("/", "/metrics/", "/v1/paths/list", "/debug/pprof/"):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(server.metrics + route, timeout=10)
            self.assertEqual(caught.exception.code, 404)
            caught.exception.close()

    def test_health_is_told_here_too(self):
        server = self.metrics_server()
        for route, text in (("/livez", b"alive\n"), ("/readyz", b"ready\n")):
            self.assertEqual(urllib.request.urlopen(server.metrics + route, timeout=10).read(), text)

    def test_what_flowed_is_not_forgotten_when_sessions_end_and_workers_die(self):
        server = self.metrics_server(rtspWorkers=1)
        received, sent = ('sluice_path_received_bytes_total{protocol="rtsp",path="cam"}',
                          'sluice_path_sent_bytes_total{protocol="rtsp",path="cam"}')
        self.publish(server.url("cam"))
        wait_until(lambda: self.samples(server).get(received, 0) > 0, what="it publishes")
        reader = self.play("-rtsp_transport", "tcp", "-i", server.url("cam"))
        wait_until(lambda: self.samples(server).get(sent, 0) > 20_000, what="it reads")
        before = self.samples(server)
        reader.send_signal(signal.SIGINT)
        reader.wait(10)
        wait_until(lambda: self.samples(server)['rtsp_sessions{state="read"}'] == 0, what="the reader has left")
        after = self.samples(server)
        self.assertGreaterEqual(after[sent], before[sent])
        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: self.samples(server)['sluice_worker_restarts_total{worker="rtsp-0"}'] == 1, what="the worker is replaced")
        total = 'sluice_received_bytes_total{protocol="rtsp"}'
        last = self.samples(server)
        self.assertGreaterEqual(last[total], after[total])
        self.assertGreaterEqual(last['sluice_sent_bytes_total{protocol="rtsp"}'], after['sluice_sent_bytes_total{protocol="rtsp"}'])

    def test_decisions_are_counted(self):
        server = self.metrics_server(paths={"all": {"readUser": "me", "readPass": "secret"}, "cmd": {"runOnInit": "false"}})
        wait_until(lambda: self.samples(server).get('sluice_hook_failures_total{hook="runOnInit"}') == 1, what="the command has failed")
        self.publish(server.url("cam"))
        wait_until(lambda: self.samples(server)['sluice_authentications_total{result="accepted"}'] >= 1, what="the publisher is accepted")
        self.play("-i", server.url("cam"))
        wait_until(lambda: self.samples(server)['sluice_authentications_total{result="refused"}'] >= 1, what="the reader is refused")
        server.api().post("/v1/config/set", {"readTimeout": "9s"})
        self.assertEqual(self.samples(server)['sluice_configuration_reloads_total{result="applied"}'], 1)
        server.path.write_text("readTimeout: [")
        wait_until(lambda: self.samples(server)['sluice_configuration_reloads_total{result="refused"}'] == 1, what="the file is refused")
        wait_until(lambda: self.samples(server)['sluice_control_round_trip_seconds_count{worker="rtsp-1"}'] >= 1, what="workers are asked")


class Prometheus(MetricsTestCase):
    def test_promtool_has_nothing_to_say(self):
        with Ports() as ports:
            hls = ports.base + 2
        server = self.metrics_server(rtmpDisable=False, hlsDisable=False, hlsAddress=f"127.0.0.1:{hls}", hlsWorkers=1)
        self.publish(server.url("cam"))
        wait_until(lambda: self.samples(server).get('paths{name="cam",state="ready"}') == 1, what="the path is ready")
        urllib.request.urlopen(f"http://127.0.0.1:{hls}/cam/index.m3u8", timeout=20).read()
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text(server), capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        done = subprocess.run(["promtool", "check", "config", MONITORING / "prometheus.yml"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_prometheus_scrapes_and_judges_a_server(self):
        server = self.metrics_server(rtspWorkers=1)
        self.publish(server.url("cam"))
        with Ports() as ports:
            address = f"127.0.0.1:{ports.base + 2}"
        configuration = (MONITORING / "prometheus.yml").read_text().replace("15s", "1s").replace("localhost:9998", server.metrics[7:])
        (server.folder / "prometheus.yml").write_text(configuration)
        (server.folder / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
        with (server.folder / "prometheus.log").open("wb") as log:
            self.start(["prometheus", f"--config.file={server.folder}/prometheus.yml", f"--storage.tsdb.path={server.folder}/data",
                        f"--web.listen-address={address}"], stdout=log, stderr=log)

        def ask(route, **parameters):
            try:
                query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
                return json.load(urllib.request.urlopen(f"http://{address}/api/v1/{route}{query}", timeout=5))["data"]
            except (OSError, ValueError):
                return None

        def value(expression):
            answer = ask("query", query=expression)
            return float(answer["result"][0]["value"][1]) if answer and answer["result"] else None

        wait_until(lambda: value('rate(sluice_received_bytes_total{protocol="rtsp"}[5s]) > 0'), 60, "it has scraped twice")
        rules = wait_until(lambda: (groups := ask("rules")) and all(rule["health"] == "ok" for rule in groups["groups"][0]["rules"]) and groups["groups"][0]["rules"],
                           30, "all rules are evaluated")
        self.assertEqual([rule["name"] for rule in rules if rule["state"] != "inactive"], [])
        for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
                answer = ask("query", query=expression)
                self.assertIsNotNone(answer, expression)
                named = set(re.findall(r"\b(?:sluice_\w+|rtsps?_sessions|rtmps?_conns|hls_muxers|paths)\b", expression))
                self.assertTrue(named, expression)
        # What the dashboard and the rules name is there.
        shown = set(re.findall(r"^# TYPE (\S+)", self.text(server), re.M))
        wanted = set(re.findall(r"\bsluice_\w+", (MONITORING / "dashboard.json").read_text() + (MONITORING / "alerts.yml").read_text()))
        wanted = {re.sub(r"_bucket$", "", name) for name in wanted} - {"sluice_hls_segment_bytes", "sluice_hls_requests_total"}
        self.assertEqual(wanted - shown, set())
        os.kill(server.workers()[0], signal.SIGKILL)
        for _ in range(4):
            pid = wait_until(lambda: server.workers().get(0), what="a worker is there")
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)
        wait_until(lambda: (groups := ask("rules")) and "SluiceWorkerCrashes" in [rule["name"] for rule in groups["groups"][0]["rules"] if rule["state"] == "firing"],
                   60, "the crashes raise an alert")
