"""Chromium and Firefox for tests, three at a time on this machine, since they mostly wait. browser/drive.mjs drives them,
with puppeteer-core of npm, which is installed once into build/browser."""

import contextlib
import fcntl
import json
import select
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent / "browser"
FOLDER = ROOT / "build" / "browser"
NODE_MODULES = FOLDER / "node_modules"
AT_ONCE = 3
NPM_LIMIT_S, TURN_LIMIT_S, ANSWER_LIMIT_S, END_LIMIT_S = 120, 600, 90, 10
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 720}
EXECUTABLES = {"chromium": "chromium", "firefox": "firefox-esr"}


def install():
    """What the lock names; nothing when that is there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed, wanted = FOLDER / "installed", (HERE / "package-lock.json").read_text()
        if installed.exists() and installed.read_text() == wanted:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, FOLDER)
        command = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=NPM_LIMIT_S, check=False)
        if done.returncode != 0:
            raise AssertionError(f"npm can't install puppeteer-core and hls.js: {done.stdout}{done.stderr}")
        installed.write_text(wanted)


@contextlib.contextmanager
def turn():
    """Waits until fewer than AT_ONCE others have theirs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + TURN_LIMIT_S
    with contextlib.ExitStack() as files:
        locks = [files.enter_context((FOLDER / f"turn-{number}").open("w")) for number in range(AT_ONCE)]
        while not any(_locked(lock) for lock in locks):
            if time.monotonic() > until:
                raise AssertionError(f"other browsers have not ended within {TURN_LIMIT_S} s")
            time.sleep(0.1)
        yield


def _locked(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def one_browser(name="chromium"):
    """A Browser, when it is its turn."""
    install()
    with turn():
        browser = Browser(name)
        try:
            yield browser
        finally:
            browser.close()


class Browser:
    def __init__(self, name="chromium"):
        self.name = name
        executable = shutil.which(EXECUTABLES[name]) or EXECUTABLES[name]
        self.process = subprocess.Popen(["node", HERE / "drive.mjs", NODE_MODULES, name, executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def do(self, what, **arguments):
        self.process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], ANSWER_LIMIT_S)[0]:
            raise AssertionError(f"{self.name} has not answered {what} {arguments} within {ANSWER_LIMIT_S} s")
        line = self.process.stdout.readline()  # one answer for one command, so that nothing is left in its buffer
        if not line:
            raise AssertionError(f"{self.name} has ended with {self.process.wait(END_LIMIT_S)}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{what} {arguments}: {answer['error']}")
        return answer["value"]

    def open(self, url, within=None, viewport=None, touch=False, without_mse=False):
        """A Page of its own."""
        return Page(self, self.do("open", url=url, within=within, viewport=viewport or DESK, touch=touch, without_mse=without_mse))

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(END_LIMIT_S)
        self.process.stdout.close()


class Page:
    def __init__(self, browser, number):
        self.browser, self.number = browser, number

    def _do(self, what, **arguments):
        return self.browser.do(what, page=self.number, **arguments)

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
        self._do("close")
