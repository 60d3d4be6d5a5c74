"""Every test, in order: layout, builds, units (release, ASan and UBSan, TSan), corpora, model, real clients.
Started by tests/run. A step that cannot be built, crashes or hangs is a failed test."""

import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 2

# preset → what is built of it. TSan: where threads share memory.
BUILDS = {
    "release": ["all"],
    "asan": ["sluice", "unit_tests"],
    "tsan": ["unit_ring", "unit_shm", "unit_store"],
    "fuzz": ["fuzzers"],
}
BUILD_LIMIT_S, UNIT_LIMIT_S, CORPUS_LIMIT_S, SCRIPT_LIMIT_S = 2400, 600, 60, 1800

passed, failed = 0, 0
running = set()  # process groups to end with this process


def indented(text, lines=200):
    return "".join("    " + line + "\n" for line in text.rstrip("\n").split("\n")[-lines:])


def report(name, problem=None):
    """One test: passed, or failed with what there is to see."""
    global passed, failed
    if problem is None:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {name}\n{indented(problem)}", flush=True)


def run(command, limit_s, environment=None):
    """(exit status, output) of a command whose processes all end with it."""
    process = subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, **(environment or {})},
    )
    running.add(process.pid)
    try:
        output = process.communicate(timeout=limit_s)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0].decode(errors="replace")
        return -1, f"{output}\nnot finished after {limit_s} s\n"
    finally:
        running.discard(process.pid)
    return process.returncode, output


def end_all(number, _):
    for group in list(running):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os._exit(128 + number)


def step(name):
    """Tells how long each part took."""

    def decorate(function):
        def timed(*arguments):
            started, before = time.monotonic(), (passed, failed)
            function(*arguments)
            counts = f"{passed - before[0]} passed, {failed - before[1]} failed"
            print(f"-- {name}{''.join(' ' + str(a) for a in arguments)}: {counts}, {time.monotonic() - started:.0f} s", flush=True)

        return timed

    return decorate


@step("build")
def build(preset):
    status, output = run(["cmake", "--preset", preset], BUILD_LIMIT_S)
    if status == 0:
        status, output = run(["cmake", "--build", f"build/{preset}", "--target", *BUILDS[preset]], BUILD_LIMIT_S)
    report(f"build.{preset}", None if status == 0 else output)


def unit_executables(preset):
    rooms = sorted({path.parent.name for path in (ROOT / "tests/unit").glob("*/*_test.cpp")})
    if preset == "tsan":
        rooms = [room for room in rooms if f"unit_{room}" in BUILDS["tsan"]]
    return [ROOT / "build" / preset / "tests" / f"unit_{room}" for room in rooms]


def run_unit(executable):
    if not executable.exists():
        return -1, f"{executable.relative_to(ROOT)} is not built"
    return run([executable, "--gtest_color=no"], UNIT_LIMIT_S, {
        "UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "second_deadlock_stack=1",
    })


@step("unit tests")
def unit_tests(preset):
    executables = unit_executables(preset)
    if not executables:
        report(f"unit.{preset}", "there is none")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for executable, (status, output) in zip(executables, pool.map(run_unit, executables)):
            report_unit(f"{preset}.{executable.name}", status, output)


def report_unit(name, status, output):
    """Counts the tests that GoogleTest tells of; one that began without an end took the process with it."""
    ended = set()
    for result, test in re.findall(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?\.\S+?)(?:,.*)? \(\d+ ms\)$", output, re.M):
        ended.add(test)
        if result == "SKIPPED":
            print(f"skipped {name}.{test}")
        else:
            start = output.find(f"[ RUN      ] {test}\n")
            report(f"{name}.{test}", None if result == "OK" else output[start:].split("[  FAILED  ]")[0])
    begun = [test for test in re.findall(r"^\[ RUN +\] (\S+)$", output, re.M) if test not in ended]
    for test in begun:
        report(f"{name}.{test}", f"exit status {status}\n" + output[output.find(f"[ RUN      ] {test}\n") :])
    if status != 0 and not begun and "[  FAILED  ]" not in output:
        report(name, f"exit status {status}\n{output}")
    if status == 0 and not ended:
        report(name, "it has no tests\n" + output)


@step("corpora")
def corpora():
    names = sorted(path.name.removesuffix("_fuzz.cpp") for path in (ROOT / "tests/fuzz").glob("*_fuzz.cpp"))

    def replay(name):
        executable = ROOT / "build/fuzz/tests" / f"fuzz_{name}"
        if not executable.exists():
            return -1, f"{executable.relative_to(ROOT)} is not built"
        return run([executable, "-runs=0", "-timeout=10", ROOT / "tests/fuzz/corpus" / name], CORPUS_LIMIT_S)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for name, (status, output) in zip(names, pool.map(replay, names)):
            report(f"corpus.{name}", None if status == 0 else output)


@step("script")
def script(path, *arguments):
    """A command that tells of its tests with lines "ok NAME" and "FAILED NAME", or only by its exit status."""
    environment = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    status, output = run([ROOT / path, *(argument for argument in arguments if "=" not in argument)], SCRIPT_LIMIT_S, environment)
    prefix = "asan." if "asan" in environment.get("SLUICE_EXECUTABLE", "") else ""
    failures = 0
    for result, test, detail in re.findall(r"^(ok|FAILED) (.*)\n((?:    .*\n)*)", output, re.M):
        failures += result == "FAILED"
        report(prefix + test, None if result == "ok" else re.sub(r"^    ", "", detail, flags=re.M))
    if status == 0 and not re.search(r"^ok ", output, re.M):
        report(path)
    if status != 0 and not failures:
        report(prefix + path, f"exit status {status}\n{output}")


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_all)
    for preset in BUILDS:
        build(preset)
    script("tests/house/run")
    for preset in ("release", "asan", "tsan"):
        unit_tests(preset)
    corpora()
    script("tests/spin/run")
    script("tests/integration/run")
    # Bad input and unusual sessions once more where every wrong access is seen.
    script("tests/integration/run", "test_requests.", "test_sessions.", "test_authentication.", "test_reload.", f"SLUICE_EXECUTABLE={ROOT}/build/asan/sluice")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
