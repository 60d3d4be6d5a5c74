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
from harness import HERE, Ports
from namespaces import Network
from pulling import PullTestCase
from rtsp import wait_until_published
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

    def fingerprint(self, certificate):
        lines = certificate[0].split("\n")
        return hashlib.sha256(base64.b64decode("".join(line for line in lines if "CERTIFICATE" not in line))).hexdigest()

    def test_a_certificate_is_known_by_its_fingerprint(self):
        certificate = make_certificate()
        first, right = self.upstream(certificate), self.fingerprint(certificate)
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
