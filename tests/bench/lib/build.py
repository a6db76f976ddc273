# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that measure: built with the release preset, found, run."""
import json
import os
import shutil
import subprocess
from pathlib import Path

from .host import ROOT, Trouble, say

IN_BIN = {"sallyport", "sallyport-relay"}


class Programs:
    def __init__(self, folder=None):
        self.folder = Path(folder or os.environ.get("SALLYPORT_BENCH_BUILD") or ROOT / "build" / "release").resolve()

    def path(self, name):
        return str(self.folder / ("bin" if name in IN_BIN else "tests/bench") / name)

    def build(self, names):
        if not shutil.which("cmake") or not shutil.which("ninja"):
            self.set_up()
        self.command(["cmake", "-S", str(ROOT), "-B", str(self.folder), "--preset", "release"], again=True)
        self.command(["ninja", "-C", str(self.folder), *names])

    def set_up(self):
        say("what is needed to build is missing: deploy/setup --build-only")
        self.command([str(ROOT / "deploy/setup"), "--build-only"])

    def command(self, words, again=False):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0 and again:
            self.set_up()
            return self.command(words)
        if done.returncode != 0:
            raise Trouble(f"{' '.join(words)} failed:\n" + "\n".join(done.stdout.splitlines()[-25:]))
        return done.stdout

    def run(self, name, words, limit=120):
        """The one JSON object that a program prints."""
        try:
            done = subprocess.run([self.path(name), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            raise Trouble(f"{name} {' '.join(map(str, words))}: nothing after {limit} s") from None
        if done.returncode != 0:
            raise Trouble(f"{name} {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout.splitlines()[-1])
