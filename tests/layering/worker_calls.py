#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker's round can call, seen in the compiled code: from relay_worker_round() on, function by function, whatever leaves our
archives must be in ALLOWED. Calls by pointer are not followed: DPDK's ports are ROOTS, too; an AF_XDP port makes its device's system
calls, and ipsec-mb none (test_relay_quiet).

usage: worker_calls.py ARCHIVE...     prints one line a violation and exits 1 if there is any
"""
import re
import subprocess
import sys

ROOTS = ["relay_worker_round", "ethdev_rx", "ethdev_tx", "lent_tx"]
ALLOWED = re.compile(
    r"mem(cpy|move|set|cmp)|explicit_bzero|__(mem\w+|explicit_bzero)_chk"  # of memory that is there
    r"|__(assert|stack_chk)_fail|__rte_panic"  # what ends the process
    r"|clock_gettime"  # the vDSO's: no system call
    r"|eventfd_write"  # a wake, one a round at most
    r"|rte_rand|__rte_pktmbuf_linearize|__tls_get_addr"  # each looks at memory alone
    r"|rte_eth_call_[rt]x_callbacks"  # there are none
)
OBJECT = re.compile(r"^(\S+\.o):\s+file format")
FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
CALL = re.compile(r"\s(?:call|j[a-z]+)\s+[0-9a-f]+ <([^>+]+)(?:\+0x[0-9a-f]+)?>")
RELOCATION = re.compile(r"\sR_X86_64_PLT32\s+([A-Za-z_][\w.]*)-0x4$")  # of the call before it, whose own target means nothing then


def functions(archives):
    """{(object, name): names that it calls}"""
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", *map(str, archives)], stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout
    lines = [line for line in text.splitlines() if line]
    found, within, function = {}, None, None
    for line, behind in zip(lines, lines[1:] + [""]):
        if begin := OBJECT.match(line):
            within = begin.group(1)
        elif begin := FUNCTION.match(line):
            function = found.setdefault((within, begin.group(1)), set())
        elif target := RELOCATION.search(line) or (CALL.search(line) if "R_X86_64_" not in behind else None):
            function.add(target.group(1))
    return found


def reached(calls, roots):
    """[(name that leaves our code, the way to it)], each name once"""
    ours = {}
    for within, name in calls:
        ours.setdefault(name, []).append(within)
    todo = [(within, root, root) for root in roots for within in ours.get(root, [])]
    seen, outside = {(within, name) for within, name, _ in todo}, {}
    assert len(todo) == len(roots), "a root is not there, or there twice"
    for within, name, way in todo:
        for target in sorted(calls[within, name]):
            where = within if (within, target) in calls else ours.get(target, [None])[0]
            if where is None:
                outside.setdefault(target, f"{target} < {way}")
            elif (where, target) not in seen:
                seen.add((where, target))
                todo.append((where, target, f"{target} < {way}"))
    return sorted(outside.items())


def violations(archives, roots=ROOTS):
    return [way for name, way in reached(functions(archives), roots) if not ALLOWED.fullmatch(name)]


if __name__ == "__main__":
    bad = violations(sys.argv[1:])
    print("\n".join(bad))
    sys.exit(1 if bad or len(sys.argv) < 2 else 0)
