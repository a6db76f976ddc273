# SPDX-License-Identifier: GPL-3.0-or-later
"""What calls leave behind, in the whole of the gateway: those that end well, and the cancelled, refused, abandoned and forgotten.

Exact in every run: after all have ended, as many calls as the limit allows are held at once, which takes every session and its
records back, and one more is refused. Memory is judged with SALLYPORT_FULL=1, 10,000 calls after a warm-up of as many, three times: the
transactions of a call live for half a minute after it, so it takes minutes.
"""
import os
import sys
import time
import types
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from lib import calls  # noqa: E402
from lib.build import Programs  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SALLYPORT_BIN", ROOT / "build/release/bin")).parent

FULL = bool(os.environ.get("SALLYPORT_FULL"))
RATE = 200 if FULL else 100
LIMIT = 1000 if FULL else 150
BATCH, BATCHES = 10000, 4
PATIENCE = 60  # seconds: a busy machine is no leak
# Talk, cancelled while it rings, refused, forgotten by its caller while it rings (timer C, 10 s), left without an ACK (32 s)
KINDS = "aaacaaaraaacaqaaaacaraaaaaaraaaal" if FULL else "aaacaaarqaac"
OVER_S = 120
TRANSACTIONS_END_S = 40  # RFC 3261: 32 s for timers B, D, F, H, J, and the 5 s of a BYE's timer K behind them


def own_kb(system, kind):
    text = Path(f"/proc/{system.child(kind)}/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0])


def state(system):
    return {kind: (own_kb(system, kind), len(os.listdir(f"/proc/{system.child(kind)}/fd"))) for kind in ("control", "relay")}


def ended(system):
    """Calls that began and calls that ended, as the log has them."""
    text = (system.folder / "log").read_text()
    return text.count(" call started "), text.count(" call ended ")


def mixed(system, count):
    said = system.load(KINDS, count, RATE)
    assert said["done"] > 0, said
    deadline = time.monotonic() + OVER_S
    while len(set(ended(system))) > 1 or ended(system)[0] == 0:
        assert time.monotonic() < deadline, ended(system)
        time.sleep(0.2)
    return said


def everything_is_back(system):
    """As many calls at once as there may be; a session that did not come back would be missed."""
    deadline = time.monotonic() + OVER_S
    held = 0
    while held < LIMIT and time.monotonic() < deadline:  # the relay's word that a port is free may be a moment behind
        held = system.load("h", LIMIT - held, RATE)["held"]
    assert held == LIMIT
    assert system.load("a", 1, RATE)["last_status"] == 503
    gone = system.generator.ask(f"drop {RATE}", limit=OVER_S + LIMIT / RATE)
    assert gone["done"] == LIMIT, gone


def test_what_calls_leave_behind():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    programs = Programs(BUILD)
    programs.build(calls.PROGRAMS)
    options = types.SimpleNamespace(smoke=True, realtime=False, cpu=max(os.sched_getaffinity(0)))
    with calls.Sallyport(options, programs, "leak", "udp", calls=LIMIT, patience=PATIENCE) as system:
        if not FULL:
            mixed(system, 300)
            everything_is_back(system)
            return
        points = []
        for _ in range(BATCHES):
            mixed(system, BATCH)
            time.sleep(TRANSACTIONS_END_S)
            points.append(state(system))
        print(f"(KiB, descriptors) after each {BATCH} mixed calls: {points}")
        everything_is_back(system)
    # The allocator keeps what a burst needed, and a busy machine makes bursts: that shows once. A leak shows each time.
    for kind in ("control", "relay"):
        grown = min(1024 * (after[kind][0] - before[kind][0]) / BATCH for before, after in zip(points, points[1:]))
        assert points[-1][kind][1] == points[0][kind][1], f"{kind}: descriptors"
        assert grown <= 64, f"{kind}: {grown:.0f} octets a call"
