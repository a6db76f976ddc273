# SPDX-License-Identifier: GPL-3.0-or-later
# One list of what to undo, last made first. Whoever makes something registers its end at once, so that a failed test,
# Ctrl-C or SIGTERM leaves nothing behind.
import atexit
import itertools
import os
import signal
import sys

_undo = {}
_numbers = itertools.count()
_owner = os.getpid()


def register(function):
	"""Remembers function() for the end; returns a handle for done()."""
	handle = next(_numbers)
	_undo[handle] = function
	return handle


def done(handle):
	_undo.pop(handle, None)


def run():
	if os.getpid() != _owner:
		return # a child between fork and exec
	for handle in sorted(_undo, reverse=True):
		function = _undo.pop(handle, None)
		if function is None:
			continue # another one's end took it along
		try:
			function()
		except Exception as error:
			print(f"clean-up: {error}", file=sys.stderr)


def _on_signal(number, _frame):
	# SystemExit unwinds through every `finally`, then atexit runs.
	signal.signal(number, signal.SIG_IGN)
	sys.exit(128 + number)


atexit.register(run)
signal.signal(signal.SIGTERM, _on_signal)
signal.signal(signal.SIGHUP, _on_signal)
