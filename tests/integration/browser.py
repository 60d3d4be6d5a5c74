"""Chromium for a test, one at a time on this machine. browser/drive.mjs drives it, with playwright-core of npm, which is
installed once into build/browser."""

import contextlib
import fcntl
import json
import select
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent / "browser"
FOLDER = ROOT / "build" / "browser"
NPM_LIMIT_S, ANSWER_LIMIT_S, END_LIMIT_S = 120, 60, 10
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 720}


def install():
    """What the lock names; nothing when that is there."""
    installed = FOLDER / "installed"
    lock = (HERE / "package-lock.json").read_text()
    if installed.exists() and installed.read_text() == lock:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, FOLDER)
    command = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=NPM_LIMIT_S, check=False)
    if done.returncode != 0:
        raise AssertionError(f"npm can't install playwright-core: {done.stdout}{done.stderr}")
    installed.write_text(lock)


@contextlib.contextmanager
def one_browser():
    """A Browser; waits for those of other tests to end."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install()
        browser = Browser()
        try:
            yield browser
        finally:
            browser.close()


class Browser:
    def __init__(self):
        command = ["node", HERE / "drive.mjs", FOLDER / "node_modules", shutil.which("chromium") or "chromium"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _do(self, what, **arguments):
        self.process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], ANSWER_LIMIT_S)[0]:
            raise AssertionError(f"the browser has not answered {what} {arguments} within {ANSWER_LIMIT_S} s")
        line = self.process.stdout.readline()  # one answer for one command, so that nothing is left in its buffer
        if not line:
            raise AssertionError(f"the browser has ended with {self.process.wait(END_LIMIT_S)}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{what} {arguments}: {answer['error']}")
        return answer["value"]

    def open(self, url, within=None, viewport=None, touch=False, without_mse=False):
        self._do("open", url=url, within=within, viewport=viewport or DESK, touch=touch, without_mse=without_mse)

    def reload(self):
        self._do("reload")

    def evaluate(self, expression):
        return self._do("evaluate", expression=expression)

    def click(self, selector):
        self._do("click", selector=selector)

    def press(self, key):
        self._do("press", key=key)

    def fill(self, selector, text):
        self._do("fill", selector=selector, text=text)

    def requests(self):
        return self._do("requests")

    def complaints(self):
        return self._do("complaints")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(END_LIMIT_S)
        self.process.stdout.close()
