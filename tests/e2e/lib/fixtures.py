# SPDX-License-Identifier: GPL-3.0-or-later
# pytest's part: a topology for a test, a gateway that must end as it should, and its last words when the test fails.
import pathlib
import sys

import pytest

from . import cleanup, gateway, netns

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from topology import Leg, leaks # noqa: E402

__all__ = ["pytest_configure", "pytest_sessionstart", "pytest_sessionfinish", "pytest_runtest_makereport", "start", "topology"]


def pytest_configure(config):
	config.addinivalue_line("markers", "alone: measures time, so that nothing else runs beside it")


def pytest_sessionstart(session):
	netns.sweep()


def pytest_sessionfinish(session):
	cleanup.run()


@pytest.fixture
def topology():
	with netns.Topology() as made:
		yield made
		check_topology(made)


def check_topology(made):
	"""Nothing of one side on the other, in any message that our own phones got or sent in this test."""
	sides = [leg_of(getattr(made.access, "phones", [])), leg_of(getattr(made.core, "phones", []))]
	found = leaks(*sides, made.shows) + leaks(*reversed(sides), made.shows)
	assert not found, found[:5]


def leg_of(phones):
	return Leg([text for phone in phones for text in phone.sent], [text for phone in phones for text in phone.received])


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
		for made in gateway.Gateway.instances:
			if made.process:
				report.sections.append(("gateway log", made.process.tail(150)))
