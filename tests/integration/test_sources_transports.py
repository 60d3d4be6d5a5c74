"""Pulled streams by each transport: from Sluice over TLS and by multicast, from a server with other ports than it tells, and
from GStreamer's."""

import base64
import hashlib
import json
import os
import re
import subprocess

import clients
import media
from harness import Ports
from namespaces import Network
from pulling import PullTestCase
from tls import make_authority, make_certificate
from upstream import Upstream


def fingerprint(certificate):
    """Of one as PEM text: SHA-256 of its DER form, in hexadecimal digits."""
    lines = certificate.strip().split("\n")[1:-1]
    return hashlib.sha256(base64.b64decode("".join(lines))).hexdigest()


class Tls(PullTestCase):
    def upstream(self, certificate):
        """A server with RTSPS, and a feed."""
        first = self.server({"encryption": "optional"}, files={"server.crt": certificate[0], "server.key": certificate[1]})
        self.feed(first)
        return first

    def test_a_certificate_is_known_by_its_fingerprint(self):
        certificate = make_certificate()
        first, right = self.upstream(certificate), fingerprint(certificate[0])
        with_colons = ":".join(right[i : i + 2] for i in range(0, 64, 2)).upper()
        wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
        url = first.secure_url("cam")
        second = self.server({"paths": {
            "plain": {"source": url, "sourceFingerprint": right},
            "colons": {"source": url, "sourceFingerprint": with_colons},
            "wrong": {"source": url, "sourceFingerprint": wrong},
            "rubbish": {"source": url, "sourceFingerprint": "abc"},
        }})
        for path in ("plain", "colons"):
            self.check_numbers(self.reader(second, path))
        second.wait_for_log(rf"\[path wrong\] \[rtsp source\] ERR: server fingerprint do not match: expected {wrong}, got {right}\n")
        second.wait_for_log(r"\[path rubbish\] \[rtsp source\] ERR: a fingerprint is 64 hexadecimal digits")
        self.assertEqual(len(re.findall(r"\[RTSPS\] \[session \d+\] is reading from path 'cam', 1 track with TCP", first.log())), 2)

    def test_a_certificate_is_verified_with_an_authority_and_the_servers_name(self):
        authority, stranger = make_authority(), make_authority()
        first = self.upstream(make_certificate(names="DNS:localhost", authority=authority))
        address = first.secure_url("cam")
        paths = {"name": {"source": address.replace("127.0.0.1", "localhost")}, "address": {"source": address}}
        second, third = (
            self.server({"paths": paths}, environment={"SSL_CERT_FILE": "trusted.pem"}, files={"trusted.pem": trusted[0]})
            for trusted in (authority, stranger)
        )
        self.check_numbers(self.reader(second, "name"))
        second.wait_for_log(r"\[path address\] \[rtsp source\] ERR: TLS: certificate verify failed: IP address mismatch")
        third.wait_for_log(r"\[path name\] \[rtsp source\] ERR: TLS: certificate verify failed: unable to get local issuer certificate")
        self.assertNotIn("[path address] [rtsp source] ready", second.log())


class Multicast(PullTestCase):
    def setUp(self):
        super().setUp()
        self.network = Network(self)
        self.first = self.server(**self.network.server)

    def test_every_packet_comes_by_multicast(self):
        self.feed(self.first)
        second = self.puller(self.first, sourceProtocol="multicast")
        self.check_numbers(self.reader(second), 200)
        self.first.wait_for_log(r"is reading from path 'cam', 1 track with UDP-multicast")

    def test_every_frame_comes_by_multicast(self):
        second = self.puller(self.first, sourceProtocol="multicast", sourceReconnectGrace="0s")
        self.check_film("h264_b_aac", self.first, second)

    def test_where_it_is_not_offered_it_says_so(self):
        self.first.configuration["protocols"] = ["udp", "tcp"]
        self.first.path.write_text(json.dumps(self.first.configuration))
        self.first.wait_for_log("protocols")
        self.feed(self.first)
        second = self.puller(self.first, sourceProtocol="multicast")
        second.wait_for_log(r"\[path cam\] \[rtsp source\] ERR: bad status code: 461")


class OtherPorts(PullTestCase):
    """A server that does not tell its ports, or sends from others."""

    def pull(self, upstream, **parameters):
        return self.puller(upstream.url, configuration={"readTimeout": "3s"}, **{"sourceProtocol": "udp", **parameters})

    def test_with_any_port_enabled_packets_come_all_the_same(self):
        for silent in ({"tells_ports": False}, {"uses_ports": False}, {"tells_ports": False, "uses_ports": False}):
            upstream = Upstream(self, **silent)
            self.check_numbers(self.reader(self.pull(upstream, sourceAnyPortEnable=True)))

    def test_without_it_the_ports_have_to_be_told(self):
        second = self.pull(Upstream(self, tells_ports=False))
        second.wait_for_log(r"\[rtsp source\] ERR: server ports have not been provided. Use AnyPortEnable to communicate with this server")

    def test_without_it_packets_from_elsewhere_do_not_count(self):
        second = self.pull(Upstream(self, uses_ports=False))
        second.wait_for_log(r"\[rtsp source\] ERR: UDP timeout")

    def test_automatic_then_takes_tcp(self):
        upstream = Upstream(self, uses_ports=False)
        self.check_numbers(self.reader(self.pull(upstream, sourceProtocol="automatic")))
        transports = [re.search(r"Transport: (\S+)", request)[1] for request in upstream.requests if request.startswith("SETUP")]
        self.assertRegex(" ".join(transports), r"^RTP/AVP;unicast;client_port=\S+ RTP/AVP/TCP;unicast;interleaved=0-1")


class FromGStreamer(PullTestCase):
    """GStreamer's server: what FFmpeg reads from Sluice is what it plays."""

    time_limit_s = 100
    SECONDS = 10  # to be equal, at least

    def serve(self, fixtures, **environment):
        """The port of GStreamer's server, which plays the fixtures."""
        ports = Ports()
        self.addCleanup(ports.close)
        pipelines = [f"{fixture}={clients.gstreamer_payloaders(fixture)}" for fixture in fixtures]
        server = self.start([clients.HERE / "gstreamer_server.py", ports.base + 2, *pipelines], stdout=subprocess.PIPE, env={**os.environ, **environment})
        self.addCleanup(server.stdout.close)
        self.assertEqual(server.stdout.readline(), b"ready\n")
        return ports.base + 2

    def check(self, transports, environment, url, **parameters):
        """transports: {fixture: sourceProtocol}; url with {port}."""
        url = url.format(port=self.serve(transports, **environment))
        second = self.server({"paths": {
            fixture: {"source": f"{url}/{fixture}", "sourceProtocol": transport, "sourceOnDemand": True, **parameters}
            for fixture, transport in transports.items()
        }})
        readers = {}
        for fixture in transports:
            command = clients.ffmpeg_reader(fixture, "ffmpeg", second.url(fixture), "tcp", second.folder / f"{fixture}.mkv")
            command[-1:-1] = ["-t", str(self.SECONDS + 3)]
            with (second.folder / f"{fixture}.log").open("wb") as log:
                readers[fixture] = self.start(command, stdout=log, stderr=log)
        complaints = {}
        for fixture, reader in readers.items():
            status = reader.wait(60)
            log = (second.folder / f"{fixture}.log").read_text(errors="replace")[-2000:]
            self.assertEqual(status, 0, log)
            found = media.check(fixture, second.folder / f"{fixture}.mkv", self.SECONDS)
            if found:
                complaints[fixture] = [*found, log]
        self.assertEqual(complaints, {})

    def test_by_udp_and_tcp_with_digest(self):
        self.check({"h264_b_aac": "udp", "vp9_mjpeg_pcmu": "tcp", "vp8_pcma": "automatic"},
                   {"CREDENTIALS": "digest me s3cret"}, "rtsp://me:s3cret@127.0.0.1:{port}")

    def test_by_tcp_and_udp_with_basic(self):
        self.check({"h265_aac": "tcp", "h264_opus": "udp"}, {"CREDENTIALS": "basic me s3cret"}, "rtsp://me:s3cret@127.0.0.1:{port}")

    def test_over_tls_with_digest(self):
        certificate = make_certificate()
        self.check({"h264_b_aac": "automatic", "h264_opus": "tcp"}, {"CREDENTIALS": "digest me s3cret", "CERTIFICATE": "".join(certificate)},
                   "rtsps://me:s3cret@127.0.0.1:{port}", sourceFingerprint=fingerprint(certificate[0]))
