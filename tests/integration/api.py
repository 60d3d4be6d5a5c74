"""The HTTP API as a test asks it."""

import json
import urllib.error
import urllib.request


class Api:
    def __init__(self, port, credentials=None):
        self.url, self.credentials = f"http://127.0.0.1:{port}", credentials

    def call(self, method, route, body=None):
        """(status, decoded JSON or text)."""
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        request = urllib.request.Request(self.url + route, data=data, method=method)
        if self.credentials:
            request.add_header("Authorization", self.credentials)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def get(self, route):
        return self.call("GET", route)

    def post(self, route, body=None):
        return self.call("POST", route, {} if body is None else body)

    def paths(self):
        return self.get("/v1/paths/list")[1]["items"]
