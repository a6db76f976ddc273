# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine: what it is, its hugepages, its cores' time, and what disturbed a run."""
import contextlib
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES = Path("/proc/sys/vm/nr_hugepages")
FREE = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")

# Of a measured thread: more often without its core than this, and the run says so.
SWITCHES = 20
STOLEN_MS = 10
SPREAD = 15  # percent between the least and the greatest of the runs


class Trouble(Exception):
    """What the person who runs a bench must know and can mend."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_pages():
    try:
        return int(FREE.read_text())
    except (OSError, ValueError):
        return 0


@contextlib.contextmanager
def hugepages(wanted):
    """At least so many free pages of 2 MB while it lasts, if we are root and the machine has them; how many there are."""
    before = None
    if free_pages() < wanted and os.geteuid() == 0 and PAGES.exists():
        before = int(PAGES.read_text())
        PAGES.write_text(str(before + wanted - free_pages()))
    try:
        if free_pages() < wanted:
            say(f"{free_pages()} of {wanted} hugepages: what does not fit lies on 4 KB pages, and is slower")
        yield free_pages()
    finally:
        if before is not None:
            PAGES.write_text(str(before))


def cpu_model():
    text = Path("/proc/cpuinfo").read_text()
    fields = dict(re.findall(r"^(model name|cpu family|model|vendor_id)\s*: (.*)$", text, re.M))
    return f"{fields.get('model name', 'unknown')} (family {fields.get('cpu family')}, model {fields.get('model')})"


def commit():
    found = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def describe(cpu, pages):
    virtual = "hypervisor" in Path("/proc/cpuinfo").read_text()
    return {"machine": cpu_model(), "virtual": virtual, "cores": os.cpu_count(), "kernel": platform.release(),
            "hugepages_free": pages, "commit": commit(), "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "cpu": cpu, "load_before": round(os.getloadavg()[0], 2)}


def sentence(result):
    of = result["host"]
    return (f"{result['bench']}: {of['date']}, {of['machine']}, {of['cores']} cores{' of a virtual machine' if of['virtual'] else ''}, "
            f"Linux {of['kernel']}, {of['hugepages_free']} hugepages, commit {of['commit']}, core {of['cpu']}, "
            f"load before {of['load_before']}, {result['seconds']} s")


def cpu_times(cpu):
    """Seconds of a core: busy (all but idle and waiting), of that softirq and interrupts, stolen."""
    line = next(text for text in Path("/proc/stat").read_text().splitlines() if text.startswith(f"cpu{cpu} "))
    user, nice, system, idle, wait, irq, softirq, steal = (int(n) / os.sysconf("SC_CLK_TCK") for n in line.split()[1:9])
    return {"busy": user + nice + system + irq + softirq, "softirq": irq + softirq, "stolen": steal, "idle": idle + wait}


def since(before, after):
    return {key: round(after[key] - before[key], 3) for key in before}


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def spread(values):
    """Percent between the least and the greatest, of the median."""
    return round((max(values) - min(values)) / median(values) * 100, 1) if values and median(values) else 0.0


def rows(head, body):
    """A table: first column left, the others right."""
    widths = [max(len(str(row[i])) for row in [head, *body]) for i in range(len(head))]
    lines = ["  ".join(f"{str(cell):{'<' if i == 0 else '>'}{widths[i]}}" for i, cell in enumerate(row)) for row in [head, *body]]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
