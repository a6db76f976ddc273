# SPDX-License-Identifier: GPL-3.0-or-later
# A person at Debian's Chromium, by Playwright: opens, reads, types and presses as one does, by the accessible roles and names of
# things. All that the browser asks of the network, and all it complains of, is kept. Each step waits until it can be done.
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from lib import cleanup, gateway
from lib.process import Process

PROGRAM = pathlib.Path(__file__).with_name("browser.js")
PATIENCE = 60 # seconds: more than browser.js has for a step, so that it is the one who says what was missing


class Browser:
	def __init__(self, ns):
		modules = gateway.dependencies() / "lib/node_modules"
		assert shutil.which("node"), "no command node: deploy/setup installs it"
		assert (modules / "playwright-core").is_dir(), f"no Playwright in {modules}: deploy/setup puts it there, or says why it cannot"
		self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spe2e-browser-"))
		self._number = 0
		# Were we to die, SIGTERM lets it take the browser along, which is in a process group of its own.
		self.process = Process("browser", ns.command("node", str(PROGRAM)), stdin=subprocess.PIPE, die_signal=signal.SIGTERM,
			env={**os.environ, "NODE_PATH": str(modules), "NO_COLOR": "1", "HOME": str(self.directory), "TMPDIR": str(self.directory)})
		self._handle = cleanup.register(self.close)
		self.forget()
		self.version = self._wait_told("ready", lambda _: True, "Chromium")["version"]

	def _step(self, step, *args):
		self._number += 1
		since, head = self.process.mark(), f'{{"id":{self._number},'
		self.process.popen.stdin.write(json.dumps({"id": self._number, "step": step, "args": args}).encode() + b"\n")
		self.process.popen.stdin.flush()
		answer = self.process.wait_until(lambda line: line.startswith(head) and json.loads(line), PATIENCE, f"{step} {args}", since)
		assert "error" not in answer, f"{step} {args}: {answer['error']}"
		return answer.get("value")

	# What a person does. A role is ARIA's; an input goes by "label", a cell by its "title", what folds by its "text".

	@contextlib.contextmanager
	def window(self, **how):
		"""Another window meanwhile, that knows nothing of this one: width, height, dark, mobile, clock."""
		self._step("window", how)
		try:
			yield
		finally:
			self._step("shut")

	def open(self, url):
		self._step("open", url)

	def press(self, role, name):
		"""With the mouse, once it is there, at rest, and nothing is before it."""
		self._step("press", role, name)

	def fill(self, label, text):
		self._step("fill", "label", label, text)

	def choose(self, role, name, value):
		self._step("choose", role, name, value)

	def focus(self, role, name):
		self._step("focus", role, name)

	def key(self, name):
		self._step("key", name)

	def dark(self, dark):
		self._step("dark", dark)

	def width(self, width):
		self._step("width", width)

	def later(self, seconds):
		"""In a window with a clock: timers that are due then fire now."""
		self._step("later", seconds)

	def connected(self, connected):
		self._step("connected", connected)

	def picture(self, path):
		self._step("picture", str(path))

	# What he sees

	def wait(self, role, name):
		self._step("shown", role, name)

	def wait_no(self, role, name):
		self._step("hidden", role, name)

	def wait_text(self, text, within=None):
		"""A text, or a pattern, that he can see."""
		self._step("seen", {"pattern": text.pattern} if isinstance(text, re.Pattern) else text, within)

	def wait_no_text(self, text, within=None):
		self._step("unseen", text, within)

	def has(self, role, name):
		return self._step("has", role, name)

	def text(self, selector="body"):
		return self._step("text", selector)

	def tree(self):
		"""What a screen reader has: a line each, - role "name"."""
		return self._step("tree")

	def run(self, expression):
		return self._step("run", expression)

	# What the browser does

	def forget(self):
		self._since = self.process.mark()

	def _told(self, event):
		lines = [line for _, _, line in self.process.lines[self._since:]]
		return [json.loads(line) for line in lines if line.startswith(f'{{"event":"{event}"')]

	def _wait_told(self, event, found, what):
		def told(line):
			return line.startswith(f'{{"event":"{event}"') and found(json.loads(line)) and json.loads(line)
		return self.process.wait_until(told, PATIENCE, what, self._since)

	def wait_response(self, path):
		"""Until a request for that is answered: its head is here, though its body may never end."""
		self._wait_told("response", lambda told: path in told["url"], f"response to {path}")

	def requests(self):
		return [told["url"] for told in self._told("request")]

	def complaints(self):
		"""Exceptions, errors of the console, violations of the policy."""
		return [told["text"] for told in self._told("complaint")]

	def wait_complaint(self, text):
		self._wait_told("complaint", lambda told: text in told["text"], f"complaint with {text}")

	def close(self):
		cleanup.done(self._handle)
		try:
			with contextlib.suppress(BrokenPipeError): # it is gone already
				self.process.popen.stdin.close()
			self.process.wait(15)
		finally:
			self.process.kill() # whose end closes the browser's pipe, and that ends the browser
			shutil.rmtree(self.directory, ignore_errors=True)

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
