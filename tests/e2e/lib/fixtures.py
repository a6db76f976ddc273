# SPDX-License-Identifier: GPL-3.0-or-later
# pytest's part: a topology for a test, a gateway that must end as it should, and its last words when the test fails.
import pathlib
import tempfile

import pytest

from . import admin, cleanup, gateway, netns

__all__ = ["pytest_configure", "pytest_sessionstart", "pytest_sessionfinish", "pytest_runtest_makereport", "shared_folder",
	   "managed", "start", "start_managed", "topology"]


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


@pytest.fixture
def shared_folder():
	"""That control may read and write, whoever it has become; pytest shuts its own ones to others whenever a run begins."""
	with tempfile.TemporaryDirectory(prefix="spe2e-") as name:
		folder = pathlib.Path(name)
		folder.chmod(0o777)
		yield folder


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


@pytest.fixture
def managed(topology):
	"""A gateway with its management door open, as most tests of that want it."""
	with admin.Managed(topology) as made:
		yield made


@pytest.fixture
def start_managed(topology):
	"""The same with settings: start_managed(**settings)."""
	running = []

	def begin(**settings):
		running.append(admin.Managed(topology, **settings))
		return running[-1]

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
