# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's Chromium without a window, led over its DevTools pipe: messages of JSON, each ended by a zero octet.
import json
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time

from lib import cleanup
from lib.process import Process, Timeout

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	 "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions",
	 "--disable-default-apps", "--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe")
PAGE = pathlib.Path(__file__).with_name("page.js").read_text()


class Chromium:
	def __init__(self, ns):
		self.ns = ns
		self.directory = pathlib.Path(tempfile.mkdtemp(prefix="spe2e-chromium-"))
		self._handle = cleanup.register(self._remove)
		self._number, self._answers, self._changed = 0, {}, threading.Condition()
		self.events = [] # what it told without being asked: (method, params)
		pipes = [self.directory / name for name in ("to", "from")]
		for pipe in pipes:
			os.mkfifo(pipe)
		# Both ends held open: neither side waits for the other to open its own.
		self._to, self._from = (os.open(pipe, os.O_RDWR) for pipe in pipes)
		self.process = Process("chromium", ns.command(
			"sh", "-c", 'exec "$@" 3<"$0/to" 4>"$0/from"', str(self.directory), "chromium", *FLAGS,
			f"--user-data-dir={self.directory / 'data'}", "about:blank"), env={**os.environ, "HOME": str(self.directory)})
		threading.Thread(target=self._read, daemon=True).start()
		self.version = self.call("Browser.getVersion", timeout=30)["product"].rpartition("/")[2]
		target = self.call("Target.createTarget", url="about:blank")["targetId"]
		self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
		self.run(PAGE + "; true")

	def _read(self):
		pending = b""
		while True:
			chunk = os.read(self._from, 65536)
			if chunk == b"close\0":
				os.close(self._from)
				return
			*whole, pending = (pending + chunk).split(b"\0")
			for message in map(json.loads, whole):
				with self._changed:
					if "id" in message:
						self._answers[message["id"]] = message
					else:
						self.events.append((message["method"], message.get("params", {})))
					self._changed.notify_all()

	def call(self, method, timeout=15, session=None, **params):
		self._number += 1
		message = {"id": self._number, "method": method, "params": params, **({"sessionId": session} if session else {})}
		os.write(self._to, json.dumps(message).encode() + b"\0")
		deadline = time.monotonic() + timeout
		with self._changed:
			while message["id"] not in self._answers:
				left = deadline - time.monotonic()
				if left <= 0 or not self.process.alive():
					raise Timeout(f"chromium: no answer to {method}\n{self.process.tail()}")
				self._changed.wait(min(left, 0.5))
			answer = self._answers.pop(message["id"])
		assert "error" not in answer, answer
		return answer["result"]

	def run(self, expression, timeout=15):
		"""The value of a JavaScript expression, a promise waited for."""
		answer = self.call("Runtime.evaluate", timeout, self.session, expression=expression, awaitPromise=True, returnByValue=True)
		assert "exceptionDetails" not in answer, answer["exceptionDetails"]["exception"].get("description")
		return answer["result"].get("value")

	def ask(self, function, *arguments, timeout=15):
		return self.run(f"{function}({', '.join(map(json.dumps, arguments))})", timeout)

	def close(self):
		if self.process.alive():
			try:
				self.call("Browser.close", timeout=5)
				self.process.wait(5)
			except AssertionError:
				pass
		self._remove()

	def _remove(self):
		cleanup.done(self._handle)
		if not self.directory.exists():
			return
		try:
			os.killpg(self.process.pid, signal.SIGKILL) # its helpers, were it to hang
		except ProcessLookupError:
			pass
		self.process.kill()
		writer = os.open(self.directory / "from", os.O_WRONLY)
		os.write(writer, b"close\0") # our reader waits at a pipe that has us as its writer, too
		os.close(writer)
		os.close(self._to)
		shutil.rmtree(self.directory, ignore_errors=True)

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
