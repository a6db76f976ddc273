# SPDX-License-Identifier: GPL-3.0-or-later
# Fixtures: a topology for a test, and the gateway's last words when one fails.
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib import cleanup, gateway, netns # noqa: E402


def pytest_sessionstart(session):
	netns.sweep()


def pytest_sessionfinish(session):
	cleanup.run()


@pytest.fixture
def topology():
	with netns.Topology() as made:
		yield made


@pytest.fixture
def start(topology):
	"""start(**settings) gives a running gateway in `topology`; at the end it must stop as it should."""
	running = []

	def begin(**settings):
		made = gateway.Gateway(topology, **settings)
		running.append(made)
		return made

	yield begin
	for made in running:
		made.__exit__(None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
	outcome = yield
	report = outcome.get_result()
	if report.failed:
		for name, value in getattr(item, "funcargs", {}).items():
			for made in _gateways(value):
				if made.process:
					report.sections.append(("gateway log", made.process.tail(150)))


def _gateways(value):
	if isinstance(value, gateway.Gateway):
		return [value]
	cells = getattr(value, "__closure__", None) or ()
	return [item for cell in cells if isinstance(cell.cell_contents, list) for item in cell.cell_contents
		if isinstance(item, gateway.Gateway)]
