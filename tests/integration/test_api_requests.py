"""Requests made from the API's own description, right and wrong ones: none ends in a 5xx, hangs, or changes anything when
it is refused."""

import http.client
import json
import urllib.parse

import hypothesis
import hypothesis.strategies as st

from harness import TestCase
from openapi import Description

# What would take the API from the test, or a long time.
KEPT = {"api", "apiAddress", "apiUser", "apiPass", "apiEncryption", "externalAuthenticationURL"}
COMMANDS = st.sampled_from(["", "true", "false", "sleep 1000", "'", "/nonexistent"])
ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20), st.lists(st.text(max_size=5), max_size=3),
                st.dictionaries(st.text(max_size=5), st.integers(), max_size=2))
NAMES = st.one_of(st.sampled_from(["cam", "a/b", "all", "~^.*$", "~^x(.*)$", "~(", "/x", "x/", ".."]), st.text(min_size=1, max_size=20))


def value_of(name, schema):
    """Mostly what the parameter takes."""
    if name.startswith("runOn") and not name.endswith(("Restart", "Timeout", "After")):
        return COMMANDS
    if name.endswith("Workers"):
        return st.integers(-1, 3)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.one_of(st.integers(-2, 70_000), st.integers())
    if kind == "array":
        items = schema["items"]
        return st.lists(st.sampled_from(items["enum"]) if "enum" in items else st.sampled_from(["10.0.0.0/8", "::1", "x", ""]), max_size=4)
    return st.sampled_from(["", "x", "10s", "1m0s", "0", "-1s", "50M", "99999999999999999999G", ":0", "127.0.0.1:1", "h:99999", "publisher",
                            "redirect", "rtsp://127.0.0.1:1/x", "rtsp://", "http://127.0.0.1:1/x.m3u8", "user", "sha256:x", "argon2:x", "é\n"])


def subsets(properties):
    """Objects with a few of the parameters; now and then one has a value of any kind."""
    pairs = [st.tuples(st.just(name), st.one_of(value_of(name, schema), value_of(name, schema), value_of(name, schema), ODD))
             for name, schema in properties.items() if name not in KEPT and name != "paths"]
    return st.lists(st.one_of(pairs), max_size=4).map(dict)


class GeneratedRequests(TestCase):
    time_limit_s = 400
    long = True

    def setUp(self):
        super().setUp()
        self.description = Description()
        self.sluice = self.server({"api": True, "rtspWorkers": 1, "paths": {"all": {}, "old": {}}})
        self.sluice.wait_for_log(r"\[API\] listener opened")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.sluice.api_port, timeout=20)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read().decode()
            described = json.loads(text) if text and answer.getheader("Content-Type") == "application/json" else text
            return answer.status, described
        finally:
            connection.close()

    def check(self, method, route, path, body=None):
        """The status, of an answer that is as described; a refusal has changed nothing."""
        before = self.ask("GET", "/v1/config/get") if method == "POST" else None
        status, answer = self.ask(method, path, body)
        self.assertLess(status, 500, (method, path, body, answer))
        described = self.description.paths[route][method.lower()]["responses"]
        if str(status) in described:
            self.description.check(method, route, status, answer)
        else:  # a name that makes it another route, or none
            self.assertIn(status, (400, 404), (method, path, answer))
            self.assertTrue(answer["error"])
        if method == "POST" and status != 200:
            self.assertEqual(self.ask("GET", "/v1/config/get"), before, (path, body, answer))
        return status

    def run_examples(self, examples, **strategies):
        def decorate(function):
            settings = hypothesis.settings(max_examples=examples, deadline=None, derandomize=True, database=None,
                                           suppress_health_check=list(hypothesis.HealthCheck))
            settings(hypothesis.given(**strategies)(function))()

        return decorate

    def test_of_the_configuration(self):
        seen = set()
        schemas = self.description.schemas
        bodies = st.one_of(subsets(schemas["GlobalParameters"]["properties"]).map(json.dumps), st.text(max_size=30), ODD.map(json.dumps))

        @self.run_examples(150, body=bodies)
        def _(body):
            seen.add(self.check("POST", "/v1/config/set", "/v1/config/set", body.encode()))

        self.assertEqual(seen, {200, 400})
        self.assertIsNone(self.sluice.process.poll())

    def test_of_path_entries(self):
        seen = set()
        properties = self.description.schemas["PathParameters"]["properties"]

        @self.run_examples(200, verb=st.sampled_from(["add", "edit", "remove"]), name=NAMES, body=st.one_of(subsets(properties).map(json.dumps), st.just("{}")))
        def _(verb, name, body):
            route = f"/v1/config/paths/{verb}/{{name}}"
            seen.add((verb, self.check("POST", route, route.format(name=urllib.parse.quote(name)), body.encode())))

        self.assertLessEqual({(verb, status) for verb in ("add", "edit", "remove") for status in (200, 400)}, seen)
        self.assertIsNone(self.sluice.process.poll())

    def test_of_any_route_with_any_method_and_name(self):
        routes = sorted(route for _, route, _ in self.description.operations() if "/config/" not in route)

        @self.run_examples(150, route=st.sampled_from(routes), method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "X"]), name=NAMES)
        def _(route, method, name):
            path = route.replace("{id}", urllib.parse.quote(name)).replace("{slot}", urllib.parse.quote(name))
            if method.lower() in self.description.paths[route]:
                self.check(method, route, path)
            else:
                self.assertIn(self.ask(method, path)[0], (200, 400, 404, 501) if method == "HEAD" else (400, 404, 501))

        self.assertIsNone(self.sluice.process.poll())
