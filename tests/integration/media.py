"""Files to publish, made once with FFmpeg in build/media, and the comparison of what came out with what went in.

Frames are compared in one form: access units of slices only, with start codes, for H264 and H265 (parameter sets,
delimiters and SEI may be repeated or left out on the way, and containers add their own); raw frames without ADTS
for AAC; packets as they are for Opus."""

import fcntl
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "media"
SECONDS = 25  # to compare 10 s, also where a busy machine starts the readers late

PICTURE = ["-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=30:duration={SECONDS}"]
TONE = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={SECONDS},volume=0.5"]
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", "keyint=30:min-keyint=30:scenecut=0:log-level=error"]
AAC = ["-c:a", "aac", "-b:a", "96k", "-ac", "2"]
OPUS = ["-c:a", "libopus", "-b:a", "64k", "-ac", "2"]

# name → arguments of FFmpeg, (video, audio)
FIXTURES = {
    "h264_b_aac": ([*PICTURE, *TONE, *X264, "-bf", "2", *AAC], ("h264", "aac")),
    "h264_aac": ([*PICTURE, *TONE, *X264, "-bf", "0", *AAC], ("h264", "aac")),
    "h265_aac": ([*PICTURE, *TONE, *X265, *AAC], ("hevc", "aac")),
    "h264_opus": ([*PICTURE, *TONE, *X264, "-bf", "0", *OPUS], ("h264", "opus")),
    # 8 s from key frame to key frame.
    "long_gop": (
        [*PICTURE, *TONE, *X264[:-6], "-g", "240", "-keyint_min", "240", "-sc_threshold", "0", "-bf", "2", *AAC],
        ("h264", "aac"),
    ),
    # About 8 Mbit/s with a third of a second from key frame to key frame.
    "noise": (
        ["-f", "lavfi", "-i", f"nullsrc=size=320x240:rate=30:duration={SECONDS},geq=random(1)*255:128:128", "-c:v", "libx264",
         "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-keyint_min", "10", "-sc_threshold", "0", "-bf", "0",
         "-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "4M"],
        ("h264",),
    ),
    # About 50 Mbit/s with 4 s from key frame to key frame: noise cannot be compressed.
    "large_gop": (
        ["-f", "lavfi", "-i", f"nullsrc=size=1280x720:rate=30:duration=17,geq=random(1)*255:128:128", "-c:v", "libx264",
         "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "120", "-keyint_min", "120", "-sc_threshold", "0",
         "-b:v", "50M", "-minrate", "50M", "-maxrate", "50M", "-bufsize", "25M"],
        ("h264",),
    ),
}

SLICES = {"h264": "1-5", "hevc": "0-31"}
FORM = {
    "h264": ["-bsf", f"h264_mp4toannexb,filter_units=pass_types={SLICES['h264']}"],
    "hevc": ["-bsf", f"hevc_mp4toannexb,filter_units=pass_types={SLICES['hevc']}"],
    "aac": ["-bsf", "aac_adtstoasc"],
    "opus": [],
}


def ffmpeg(*arguments, seconds=120):
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def fixture(name):
    return FOLDER / f"{name}-{SECONDS}s.mkv"


def codecs(name):
    return FIXTURES[name][1]


def make(name):
    path = fixture(name)
    if not path.exists():
        unfinished = path.with_suffix(".unfinished.mkv")
        ffmpeg(*FIXTURES[name][0], "-shortest", "-y", unfinished, seconds=300)
        os.replace(unfinished, path)


def make_all():
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in FIXTURES:
            make(name)


def frames(path, codec):
    """The MD5 of each frame of the file's only stream of this codec, in decoding order, as framemd5 tells them."""
    kind = "v" if codec in SLICES else "a"
    text = ffmpeg("-i", path, "-map", f"0:{kind}:0", "-c", "copy", *FORM[codec], "-f", "framemd5", "-")
    return [line.split(",")[5].strip() for line in text.split("\n") if line and not line.startswith("#")]


def frame_times(path, codec):
    """(MD5 as of frames(), seconds of its presentation)."""
    kind = "v" if codec in SLICES else "a"
    text = ffmpeg("-i", path, "-map", f"0:{kind}:0", "-c", "copy", "-copyts", *FORM[codec], "-f", "framemd5", "-")
    base = next(line for line in text.split("\n") if line.startswith("#tb 0:")).partition(":")[2].split("/")
    lines = [line.split(",") for line in text.split("\n") if line and not line.startswith("#")]
    return [(line[5].strip(), int(line[2]) * int(base[0]) / int(base[1])) for line in lines]


def decoded(name):
    """The MD5 of each picture of a fixture, decoded."""
    text = ffmpeg("-i", fixture(name), "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-")
    return [line.split(",")[5].strip() for line in text.split("\n") if line and not line.startswith("#")]


WARM_UP = 30  # frames in which a reader may still drop some: GStreamer drops most of its first AAC packet


def compare(source, read, at_least):
    """After at most WARM_UP frames, `read` is to be a gapless run of `source`, of at least so many frames. What is
    wrong, or None. The very last frame may be cut, since whoever read it was stopped."""
    places = {}
    for i, frame in enumerate(source):
        places.setdefault(frame, []).append(i)
    best = (0, 0, 0)  # length, where in read, where in source
    for first in range(min(WARM_UP, len(read))):
        for start in places.get(read[first], []):
            run = 0
            while first + run < len(read) and start + run < len(source) and read[first + run] == source[start + run]:
                run += 1
            best = max(best, (run, first, start))
    run, first, start = best
    if run >= at_least and first + run >= len(read) - 1:
        return None
    return f"of {len(read)} frames, {run} from {first} on equal the source's from {start} on; wanted are {at_least}, up to the end"


def check(name, read_path, at_least_s=10):
    """Complaints about each stream of the fixture, compared with the file that a reader wrote."""
    complaints = []
    for codec in codecs(name):
        source = frames(fixture(name), codec)
        duration = 17 if name == "large_gop" else SECONDS
        at_least = int(len(source) * at_least_s / duration)
        complaint = compare(source, frames(read_path, codec), at_least)
        if complaint:
            complaints.append(f"{codec}: {complaint}")
    return complaints
