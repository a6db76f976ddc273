# SPDX-License-Identifier: GPL-3.0-or-later
# A started program: its lines as they come, waited for by event, ended by its own process id.
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from . import cleanup

PR_SET_PDEATHSIG = 1
SANITIZER = re.compile(r"ERROR: (?:Address|Leak|Thread|Memory)Sanitizer|runtime error:|SUMMARY: \w*Sanitizer")
_libc = ctypes.CDLL(None)


class Timeout(AssertionError):
	pass


class Process:
	def __init__(self, name, command, env=None, cwd=None, die_signal=signal.SIGKILL, stdin=None):
		self.name = name
		self.lines = []      # (monotonic time, stream, text)
		self._changed = threading.Condition()
		self._ended = 0      # streams at their end

		def in_child():
			_libc.prctl(PR_SET_PDEATHSIG, int(die_signal))

		self.popen = subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
					      stderr=subprocess.PIPE, env=env, cwd=cwd, start_new_session=True,
					      preexec_fn=in_child)
		self._handle = cleanup.register(self.kill)
		self._readers = []
		for stream in ("stdout", "stderr"):
			reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
			reader.start()
			self._readers.append(reader)

	def _read(self, stream):
		for raw in getattr(self.popen, stream):
			text = raw.decode(errors="replace").rstrip("\n")
			with self._changed:
				self.lines.append((time.monotonic(), stream, text))
				self._changed.notify_all()
		with self._changed:
			self._ended += 1
			self._changed.notify_all()

	@property
	def pid(self):
		return self.popen.pid

	def alive(self):
		return self.popen.poll() is None

	def text(self, stream=None):
		with self._changed:
			return "\n".join(line for _, s, line in self.lines if stream in (None, s))

	def mark(self):
		"""Position for wait_for(since=): only what comes later counts."""
		with self._changed:
			return len(self.lines)

	def wait_until(self, found, timeout, what, since=0):
		"""found(line) gives something true; returns it. Fails at the end of the process or the timeout."""
		deadline = time.monotonic() + timeout
		with self._changed:
			seen = since
			while True:
				while seen < len(self.lines):
					result = found(self.lines[seen][2])
					seen += 1
					if result:
						return result
				left = deadline - time.monotonic()
				if self._ended == 2 or left <= 0:
					why = "ended" if self._ended == 2 else f"silent for {timeout} s"
					raise Timeout(f"{self.name} {why} before: {what}\n{self.tail_locked()}")
				self._changed.wait(left)

	def wait_for(self, regex, timeout=10, since=0):
		return self.wait_until(re.compile(regex).search, timeout, regex, since)

	def wait_bound(self, port, transport="udp", timeout=5):
		"""Until something in the process's network namespace is bound to that port (its kernel table says so)."""
		needle = re.compile(rf":{port:04X} [0-9A-F]+:0000 " + ("0A" if transport == "tcp" else "07"))
		deadline = time.monotonic() + timeout
		ours = os.readlink("/proc/self/ns/net")
		while time.monotonic() < deadline and self.alive():
			if os.readlink(f"/proc/{self.pid}/ns/net") == ours:
				time.sleep(0.005) # `ip netns exec` has not entered it yet: that table is another's
				continue
			for family in ("", "6"):
				try:
					with open(f"/proc/{self.pid}/net/{transport}{family}") as table:
						if needle.search(table.read()):
							return
				except OSError:
					pass
			time.sleep(0.01)
		raise Timeout(f"{self.name}: nothing bound {transport} {port} in {timeout} s\n{self.tail()}")

	def tail_locked(self, n=40):
		return "\n".join(f"  {self.name}| {line}" for _, _, line in self.lines[-n:])

	def tail(self, n=40):
		with self._changed:
			return self.tail_locked(n)

	def signal(self, number):
		if self.alive():
			self.popen.send_signal(number)

	def wait(self, timeout=10):
		"""Exit code; the output is complete afterwards."""
		try:
			code = self.popen.wait(timeout)
		except subprocess.TimeoutExpired:
			raise Timeout(f"{self.name} still runs after {timeout} s\n{self.tail()}") from None
		for reader in self._readers:
			reader.join(2) # a grandchild may hold the pipe; its lines are not ours to wait for
		cleanup.done(self._handle)
		return code

	def stop(self, timeout=5):
		self.signal(signal.SIGTERM)
		try:
			return self.wait(timeout)
		except Timeout:
			self.kill()
			raise

	def kill(self):
		cleanup.done(self._handle)
		if self.alive():
			self.popen.kill()
		self.popen.wait()

	def sanitizer_reports(self):
		return [line for _, _, line in self.lines if SANITIZER.search(line)]


class Stranger:
	"""A program that nobody here wrote, with a folder of its own: both are gone afterwards."""

	process = None

	def __init__(self, name):
		self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"spe2e-{name}-"))
		self._handle = cleanup.register(self._remove)

	def _remove(self):
		cleanup.done(self._handle)
		if self.process:
			self.process.kill()
		shutil.rmtree(self.directory, ignore_errors=True)

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self._remove()
