"""deploy/openapi.yaml, and whether an answer is what it says."""

import jsonschema
import yaml

import harness


def _resolved(node, document):
    """The node with what its references name in their places; those beside them are kept."""
    if isinstance(node, list):
        return [_resolved(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    node = dict(node)
    reference = node.pop("$ref", None)
    resolved = {key: _resolved(value, document) for key, value in node.items()}
    if reference is None:
        return resolved
    target = document
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    return {**_resolved(target, document), **resolved}


class Description:
    def __init__(self):
        raw = yaml.safe_load((harness.ROOT / "deploy/openapi.yaml").read_text())
        document = _resolved(raw, raw)
        self.paths, self.schemas = document["paths"], document["components"]["schemas"]

    def operations(self):
        """(method, route, operation) of each."""
        for route, methods in self.paths.items():
            for method, operation in methods.items():
                yield method.upper(), route, operation

    def check(self, method, route, status, answer):
        """AssertionError unless that is an answer that the route (as described, "{name}" and all) may give."""
        responses = self.paths[route][method.lower()]["responses"]
        assert str(status) in responses, f"{method} {route}: {status} is not described: {answer}"
        content = responses[str(status)].get("content")
        if content is None:
            assert answer == "", f"{method} {route}: {status} has a body: {answer}"
            return
        (media_type, described), = content.items()
        assert isinstance(answer, str) == (media_type == "text/plain"), f"{method} {route}: {answer}"
        jsonschema.Draft202012Validator(described["schema"]).validate(answer)
