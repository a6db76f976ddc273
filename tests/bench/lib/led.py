# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that is led by lines: each line on its standard input is answered with a line of JSON."""
import json
import select
import subprocess
import time

from .host import Trouble


class Led:
    def __init__(self, command, limit=30):
        self.name = command[0].rsplit("/", 1)[-1] if "ip" not in command[:1] else command[4].rsplit("/", 1)[-1]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.rest = b""
        self.limit = limit

    def line(self, limit=None):
        end = time.monotonic() + (limit or self.limit)
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Trouble(f"{self.name} says nothing for {limit or self.limit} s")
            more = self.process.stdout.read1(65536)
            if not more:
                raise Trouble(f"{self.name} ended: {self.process.stderr.read().decode(errors='replace').strip()}")
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def ask(self, line, limit=None):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # line() says why
        return self.line(limit)

    def close(self):
        """Ends it as its leader's end would; by signal if it does not."""
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
                self.process.wait(timeout=10)
            except (subprocess.TimeoutExpired, BrokenPipeError):
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()
