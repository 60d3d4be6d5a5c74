"""The checks of the tree's layout. Each is a function of a Tree that returns its complaints, one line each.
What is allowed stands in the tables below; self_test.py holds a violation of each."""

import json
import re
import subprocess
from pathlib import Path

SOURCE_FOLDERS = ("common", "ipc", "workers", "supervisor", "tests")
PRESETS = ("release", "debug", "asan", "tsan", "fuzz")

# Rooms that include nothing but these; {self} is always allowed. The first match counts.
INSIDE = [
    (r"common/base", []),
    (r"common/media", ["common/base"]),
    (r"common/rtp", ["common/base", "common/media"]),
    (r"common/http", ["common/base"]),
    (r"common/http/server", ["common/base", "common/http", "common/loop"]),
    (r"common/loop", ["common/base"]),
    (r"ipc/ring", ["common/base", "common/media"]),
    (r"workers/[^/]+/protocol", ["common/base", "common/media", "common/rtp", "common/http"]),
    (r"workers/hls/(playlist|demux|mux)", ["common/base", "common/media", "common/rtp", "common/http", "workers/hls"]),
    (r"workers/hls/pull", ["common/base", "common/media", "common/rtp", "common/http", "workers/hls/playlist", "workers/hls/demux"]),
]

# Pure rooms: bytes in, facts out. No descriptors, no system calls, no clock.
SANS_IO = [
    r"common/media", r"common/rtp", r"common/http", r"ipc/ring", r"workers/[^/]+/protocol", r"workers/hls/(playlist|demux|mux|pull)",
]
SANS_IO_HEADERS = re.compile(
    r"uv\.h|unistd\.h|fcntl\.h|poll\.h|pthread\.h|signal\.h|time\.h|netdb\.h|ctime|chrono|thread|fstream"
    r"|sys/.*|netinet/(?!in\.h).*|linux/.*|net/.*"  # arpa/inet.h only converts addresses
)
SANS_IO_CALLS = re.compile(
    r"\b(monotonic_now|wall_now|clock_gettime|gettimeofday|getrandom|nanosleep)\s*\(|_clock::now\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\)"
)

# Rooms whose input is a stranger's. There every function parse_*, decode_* or load_* that takes bytes or text, and
# every class *Parser, *Decoder, *Depacketizer, *Demuxer must be named in a fuzz target, or its header stands in
# COVERED_BY with the fuzz target that reaches it through another function.
PARSER_ROOMS = [r"common/media", r"common/rtp", r"common/http", r"ipc/control", r"workers/[^/]+/protocol", r"supervisor/config", r"supervisor/hooks",
                r"supervisor/auth", r"workers/hls/(playlist|demux|pull)"]
PARSER_FUNCTION = re.compile(r"\b((?:parse|decode|load)_\w+)\s*\(\s*(?:Bytes|std::span<const uint8_t>|ByteReader|std::string_view|const std::string\s*&)")
PARSER_CLASS = re.compile(r"^\s*(?:class|struct)\s+(\w*(?:Parser|Decoder|Depacketi[sz]er|Demuxer))\b(?!\s*;)", re.M)
COVERED_BY = {
    "supervisor/config/addresses.h": "yaml",  # parse_configuration validates what it has loaded
    "supervisor/config/values.h": "yaml",  # every scalar and every variable is decoded by it
    "supervisor/config/yaml.h": "yaml",  # the first thing that parse_configuration calls
    "workers/hls/demux/mp4_boxes.h": "mp4",  # every file is made of boxes
    "workers/hls/playlist/attributes.h": "hls_playlist",  # all values of a playlist are read by it
    "workers/hls/playlist/media_parser.h": "hls_playlist",  # takes the lines of parse_playlist
    "workers/hls/playlist/multivariant_parser.h": "hls_playlist",  # likewise
    "workers/rtsp/protocol/head.h": "rtsp_request",  # the first thing that parse_request and parse_response call
}

FUNCTION_LINES = 70
FILE_LINES = 400

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.files = sorted(
            str(path.relative_to(self.root))
            for folder in SOURCE_FOLDERS
            for path in (self.root / folder).rglob("*")
            if path.suffix in (".h", ".cpp") and path.is_file()
        )

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def code(self, name):
        """The text without comments; line numbers are kept."""
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), self.text(name), flags=re.S)
        return re.sub(r"//[^\n]*", "", text)

    def includes(self, name):
        return [(system == "<", target) for system, target in INCLUDE.findall(self.code(name))]


def matches(room, pattern):
    return re.fullmatch(pattern, room) is not None


def folder_of(name):
    return name.rpartition("/")[0]


def include_directions(tree):
    for name in tree.files:
        for system, target in tree.includes(name):
            if not system:
                reason = forbidden_include(name, target)
                if reason:
                    yield f"{name}: includes {target}: {reason}"


def forbidden_include(name, target):
    top, target_top = name.split("/")[0], target.split("/")[0]
    if top == "tests":
        return None
    if target_top not in SOURCE_FOLDERS:
        return "project headers are named by their path from the root"
    if target_top == "tests":
        return "nothing but tests includes tests"
    if top == "common" and target_top != "common":
        return "common knows nothing of processes"
    if top == "ipc" and target_top in ("workers", "supervisor"):
        return "ipc is below workers and supervisor"
    if top == "workers" and target_top == "supervisor":
        return "workers never include supervisor"
    if top == "workers" and target_top == "workers" and target.split("/")[1] not in (name.split("/")[1], "base"):
        return "workers never include each other"
    if top == "supervisor" and target_top == "workers":
        if name != "supervisor/main.cpp" or not re.fullmatch(r"workers/[^/]+/worker\.h", target):
            return "only supervisor/main.cpp includes workers, and of them only worker.h"
    room, target_room = folder_of(name), folder_of(target)
    for pattern, allowed in INSIDE:
        if matches(room, pattern):
            if target_room != room and target_room not in allowed:
                return f"{room} includes only {', '.join([*allowed, 'itself'])}"
            break
    return None


def libuv_only_in_common_loop(tree):
    for name in tree.files:
        if name.startswith(("common/loop/", "tests/")):
            continue
        for _, target in tree.includes(name):
            if re.fullmatch(r"uv\.h|uv/.*", target):
                yield f"{name}: includes {target}; only common/loop does"


def sans_io_rooms_are_pure(tree):
    for name in tree.files:
        if not any(matches(folder_of(name), pattern) for pattern in SANS_IO):
            continue
        for system, target in tree.includes(name):
            if system and SANS_IO_HEADERS.fullmatch(target):
                yield f"{name}: includes <{target}> in a room without I/O"
        for number, line in enumerate(tree.code(name).split("\n"), 1):
            call = SANS_IO_CALLS.search(line)
            if call:
                yield f"{name}:{number}: {call.group().strip()}: time and chance are arguments here"


def every_source_is_built(tree):
    built, presets = set(), []
    for preset in PRESETS:
        commands = tree.root / "build" / preset / "compile_commands.json"
        if not commands.exists():
            continue
        presets.append(preset)
        for command in json.loads(commands.read_text()):
            built.add(Path(command["directory"], command["file"]).resolve())
    if not presets:
        yield "no preset is configured: cmake --preset release"
        return
    for name in tree.files:
        if name.endswith(".cpp") and (tree.root / name).resolve() not in built:
            yield f"{name}: in no preset of {', '.join(presets)}"


def headers_start_with_their_purpose(tree):
    for name in tree.files:
        if name.endswith(".h") and not name.startswith("tests/"):
            text = tree.text(name)
            if not text.startswith("//"):
                yield f"{name}: begins without a comment that says what it is"
            if "#pragma once" not in text:
                yield f"{name}: has no #pragma once"


def every_parser_is_fuzzed(tree):
    fuzzers = {name: tree.code(name) for name in tree.files if re.fullmatch(r"tests/fuzz/\w+_fuzz\.cpp", name)}
    words = {name: set(re.findall(r"\w+", text)) for name, text in fuzzers.items()}
    for header, fuzzer in COVERED_BY.items():
        if header in tree.files and f"tests/fuzz/{fuzzer}_fuzz.cpp" not in fuzzers:
            yield f"{header}: tests/fuzz/{fuzzer}_fuzz.cpp, said to cover it, does not exist"
    for name in tree.files:
        if not name.endswith(".h") or name in COVERED_BY:
            continue
        if not any(matches(folder_of(name), pattern) for pattern in PARSER_ROOMS):
            continue
        code = tree.code(name)
        for parser in sorted({*PARSER_FUNCTION.findall(code), *PARSER_CLASS.findall(code)}):
            if not any(parser in found for found in words.values()):
                yield f"{name}: {parser} is in no fuzz target (or name its header in COVERED_BY)"


def every_fuzz_target_has_a_corpus(tree):
    for name in tree.files:
        target = re.fullmatch(r"tests/fuzz/(\w+)_fuzz\.cpp", name)
        if target:
            corpus = tree.root / "tests/fuzz/corpus" / target.group(1)
            if not corpus.is_dir() or not any(path.is_file() for path in corpus.iterdir()):
                yield f"{name}: tests/fuzz/corpus/{target.group(1)} is missing or empty"


def sources_are_formatted(tree):
    if tree.files:
        command = ["clang-format", "--dry-run", "--style=file", *tree.files]
        warnings = subprocess.run(command, cwd=tree.root, capture_output=True, text=True).stderr
        for name, line in sorted(set(re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error)", warnings, re.M))):
            yield f"{name}:{line}: clang-format would change it"


CHECKS = [
    include_directions,
    libuv_only_in_common_loop,
    sans_io_rooms_are_pure,
    every_source_is_built,
    headers_start_with_their_purpose,
    every_parser_is_fuzzed,
    every_fuzz_target_has_a_corpus,
    sources_are_formatted,
]


def sizes(tree):
    """Files and functions beyond the habit: told, never failed."""
    for name in tree.files:
        lines = tree.text(name).split("\n")
        if len(lines) > FILE_LINES:
            yield f"{name}: {len(lines)} lines"
        start = None
        for number, line in enumerate(lines, 1):
            # As clang-format lays out: a function's body opens at the end of an unindented line, closes with "}".
            if re.match(r"[\w:~<>].*\{$", line) and not re.match(r"(namespace|class|struct|enum|union|extern)\b", line):
                start = number
            elif line == "}" and start:
                if number - start > FUNCTION_LINES:
                    yield f"{name}:{start}: a function of {number - start} lines"
                start = None
