# SPDX-License-Identifier: GPL-3.0-or-later
# The end-to-end library and its fixtures serve here, too; and a second reader of what we send to those peers.
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from lib import tshark # noqa: E402
from lib.capture import Capture # noqa: E402
from lib.fixtures import * # noqa: E402, F401, F403


@pytest.fixture
def wire(topology):
	"""What the access side's wire carries during the test; afterwards Wireshark has found nothing malformed in what we sent."""
	ours = topology.GW["access"]
	topology.gw.run("ethtool", "-K", topology.DEVICE["access"], "tx", "off") # else Linux leaves SIP's checksums to the card
	with Capture(topology.access) as capture:
		yield capture
		assert not tshark.malformed(capture.stop().path, ours)
		assert sum(1 for _ in capture.media(source=ours)) > 30
