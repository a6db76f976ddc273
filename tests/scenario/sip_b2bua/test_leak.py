# SPDX-License-Identifier: GPL-3.0-or-later
"""1,000 calls of SIPp, then 1,000 more: everything that was held for a call is given back."""
import shutil
import subprocess
import time

import pytest
from conftest import options

CALLS = 1000
TABLES = ("calls", "dialogs", "requests", "legs", "incoming", "outgoing", "sessions", "seats", "faults")


def run_calls(net, port):
    uas = subprocess.Popen(["sipp", "-sn", "uas", "-i", "127.0.2.1", "-p", str(port), "-nostdin", "-trace_err"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp")
    try:
        uac = subprocess.run(["sipp", "-sn", "uac", "-i", "127.0.1.1", "-s", "100", "-m", str(CALLS), "-r", "250", "-d", "100",
                              "-nostdin", "-timeout", "60", f"127.0.1.254:{net.access_port}"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd="/tmp", timeout=90)
        assert uac.returncode == 0, uac.stdout[-3000:]
    finally:
        uas.terminate()
        uas.wait()


def settled(net):
    """nta keeps a finished transaction for half a minute; then its tables are empty."""
    deadline = time.monotonic() + 60
    while True:
        counts = net.gateway.counts()
        if not any(counts[t] for t in TABLES):
            return counts
        assert time.monotonic() < deadline, counts
        time.sleep(0.5)


@pytest.mark.skipif(not shutil.which("sipp"), reason="sipp is not installed")
@options(quiet=True)
def test_thousand_calls_twice(net):
    port = net.core.port
    net.core.close()
    run_calls(net, port)
    first = settled(net)
    run_calls(net, port)
    second = settled(net)
    assert second["plans"] - first["plans"] == 2 * CALLS
    print(f"heap {first['heap']} -> {second['heap']}, rss {first['rss_kb']} -> {second['rss_kb']} KiB")
    if first["heap"] == 0:
        return  # a sanitizer's allocator: it keeps what is freed, and has LeakSanitizer at the end
    # Octets in use are exact. RSS follows the busiest moment, which another load on the host makes busier.
    assert second["heap"] - first["heap"] <= 64 * CALLS
