"""Plants a violation of each check in a tree of its own and sees that it is found, alone."""

import json
import tempfile
from pathlib import Path

import checks

CLEAN = {
    ".clang-format": "BasedOnStyle: LLVM\nColumnLimit: 120\nSortIncludes: Never\n",
    "common/base/bytes.h": "// Bytes.\n#pragma once\n",
    "common/loop/loop.h": '// The loop.\n#pragma once\n#include "common/base/bytes.h"\n#include <uv.h>\n',
    "common/rtp/packet.h": '// RTP.\n#pragma once\n#include "common/base/bytes.h"\nResult<Packet> parse_packet(Bytes input);\n',
    "common/rtp/packet.cpp": '#include "common/rtp/packet.h" // not monotonic_now()\n',
    "workers/rtsp/worker.h": "// The worker.\n#pragma once\n",
    "supervisor/main.cpp": '#include "workers/rtsp/worker.h"\n',
    "tests/fuzz/packet_fuzz.cpp": '#include "common/rtp/packet.h"\nint f() { return parse_packet({}); }\n',
    "tests/fuzz/corpus/packet/empty": "",
}

# check, file, content, part of the complaint
VIOLATIONS = [
    ("include_directions", "common/rtp/a.h", '// A.\n#pragma once\n#include "ipc/ring/ring_layout.h"\n', "common knows nothing"),
    ("include_directions", "ipc/shm/a.h", '// A.\n#pragma once\n#include "workers/rtsp/worker.h"\n', "ipc is below"),
    ("include_directions", "workers/rtsp/a.h", '// A.\n#pragma once\n#include "supervisor/paths/path.h"\n', "never include supervisor"),
    ("include_directions", "workers/hls/a.h", '// A.\n#pragma once\n#include "workers/rtsp/worker.h"\n', "never include each other"),
    ("include_directions", "supervisor/api.h", '// A.\n#pragma once\n#include "workers/rtsp/worker.h"\n', "only supervisor/main.cpp"),
    ("include_directions", "supervisor/main.cpp", '#include "workers/rtsp/server.h"\n', "only worker.h"),
    ("include_directions", "common/media/a.h", '// A.\n#pragma once\n#include "common/rtp/packet.h"\n', "common/media includes only"),
    ("include_directions", "workers/rtsp/protocol/a.h", '// A.\n#pragma once\n#include "common/loop/loop.h"\n', "protocol includes only"),
    ("include_directions", "common/base/a.h", '// A.\n#pragma once\n#include "bytes.h"\n', "path from the root"),
    ("libuv_only_in_common_loop", "ipc/shm/a.h", "// A.\n#pragma once\n#include <uv.h>\n", "includes uv.h"),
    ("sans_io_rooms_are_pure", "ipc/ring/a.h", "// A.\n#pragma once\n#include <sys/socket.h>\n", "sys/socket.h"),
    ("sans_io_rooms_are_pure", "workers/rtsp/protocol/a.h", "// A.\n#pragma once\n#include <unistd.h>\n", "unistd.h"),
    ("sans_io_rooms_are_pure", "common/media/a.h", "// A.\n#pragma once\ninline auto f() { return monotonic_now(); }\n", "monotonic_now"),
    ("every_source_is_built", "common/base/forgotten.cpp", "", "in no preset"),
    ("headers_start_with_their_purpose", "common/base/a.h", "#pragma once\n", "without a comment"),
    ("headers_start_with_their_purpose", "common/base/a.h", "// A.\n", "no #pragma once"),
    ("every_parser_is_fuzzed", "common/rtp/a.h", "// A.\n#pragma once\nResult<int> decode_report(Bytes input);\n", "decode_report"),
    ("every_parser_is_fuzzed", "common/media/a.h", "// A.\n#pragma once\nclass AacDepacketizer {\n};\n", "AacDepacketizer"),
    ("sources_are_formatted", "common/base/a.cpp", "int  f( );\n", "would change it"),
    ("every_fuzz_target_has_a_corpus", "tests/fuzz/sdp_fuzz.cpp", "", "corpus/sdp"),
]


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def plant(files, forgotten=None):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, files)
        built = [name for name in files if name.endswith(".cpp") and name != forgotten]
        write(root, {"build/release/compile_commands.json": json.dumps([{"directory": str(root), "file": name} for name in built])})
        tree = checks.Tree(root)
        return {check.__name__: list(check(tree)) for check in checks.CHECKS}


def complaints():
    for check, found in plant(CLEAN).items():
        if found:
            yield f"{check} complains of a clean tree: {found}"
    for check, name, content, part in VIOLATIONS:
        found = plant({**CLEAN, name: content}, forgotten=name if check == "every_source_is_built" else None)
        if not any(part in complaint for complaint in found[check]):
            yield f"{check} does not find the violation in {name} ({part}): {found[check]}"
    long_function = "void f() {\n" + "  g();\n" * 80 + "}\n"
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {"common/base/long.cpp": long_function})
        if len(list(checks.sizes(checks.Tree(folder)))) != 1:
            yield "sizes does not report a function of 80 lines"
