#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that the tree keeps to its architecture: who may include whom, which folder may know which library.

usage: layering.py [ROOT] [--bin DIR]      prints one line a violation and exits 1 if there is any
"""
import re
import subprocess
import sys
from pathlib import Path

# Which parts may include the public headers of which others; a part is a folder, the longest that matches.
# Calls go down; what goes up are callbacks given at start.
BELOW = {
    "base": set(),
    "dtls": {"base"},
    # The records that both halves share; they are made of the words of the client's header and of the SRTP contexts.
    "dataplane": {"base", "dataplane/client", "dataplane/worker/srtp"},
    "dataplane/client": {"base", "dataplane"},
    "dataplane/steering": {"base", "dataplane"},
    "dataplane/worker": {"base", "dataplane", "dataplane/steering", "dataplane/worker/srtp", "dataplane/worker/cryptodev"},
    "dataplane/worker/cryptodev": {"base", "dataplane", "dataplane/worker/srtp"},  # SRTP by DPDK's crypto devices
    "dataplane/worker/srtp": {"base", "dataplane"},  # bulk SRTP knows neither DPDK nor ports
    "mediarelay": {"base", "dtls", "dataplane", "dataplane/client"},
    "signaling": {"base", "dtls", "dataplane", "dataplane/client", "mediarelay"},
    "gateway": {"base", "dtls", "dataplane", "dataplane/client", "dataplane/steering", "mediarelay", "signaling"},
}

# A library, by the headers that are its own, and the parts that alone may know it (! is an exception below one).
LIBRARIES = [
    ("Sofia-SIP", r"sofia-sip/.*|sofia-resolv/.*", {"signaling"}),
    ("c-ares", r"ares.*\.h", {"signaling"}),
    ("wolfSSL", r"wolfssl/.*", {"dtls"}),
    ("libsrtp2", r"srtp2/.*", {"mediarelay"}),
    ("libevent", r"event2/.*|event\.h|evhttp\.h", {"mediarelay", "gateway"}),
    ("jansson", r"jansson.*\.h", {"gateway"}),
    ("jemalloc", r"jemalloc/.*", {"gateway"}),
    ("libcyaml", r"cyaml/.*|yaml\.h", {"gateway"}),
    ("libsystemd", r"systemd/.*", {"gateway"}),
    ("DPDK", r"rte_.*\.h|ethdev_.*\.h|bus_.*driver\.h", {"dataplane/worker", "!dataplane/worker/srtp"}),
    ("libmnl", r"libmnl/.*", {"dataplane/worker", "!dataplane/worker/srtp"}),
    ("ipsec-mb", r"intel-ipsec-mb\.h|ipsec-mb\.h", {"dataplane/worker"}),
    ("libbpf, libxdp", r"bpf/.*|xdp/.*", {"dataplane/worker", "dataplane/steering"}),
]

# The C library's and the kernel's. A header that is neither here nor above must be given a place in one of the two.
SYSTEM = re.compile(
    r"(sys|linux|net|netinet|arpa|asm|asm-generic)/.*"
    r"|(assert|ctype|cpuid|dirent|dlfcn|endian|err|errno|execinfo|fcntl|fenv|float|fnmatch|getopt|grp|ifaddrs|[a-z]mmintrin|inttypes"
    r"|iso646|libgen|limits|link|locale|malloc|math|netdb|poll|pthread|pwd|sanitizer/[a-z_]+|sched|semaphore|setjmp|signal|spawn"
    r"|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|time|uchar"
    r"|ucontext|unistd|wchar|wctype|x86intrin)\.h"
)

LONG_FILE = 600
SOURCE_FOLDERS = sorted({part.split("/")[0] for part in BELOW})
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
SPDX = "SPDX-License-Identifier: GPL-3.0-or-later"
# Libraries that the control process must not carry: DPDK's loader would run in the process that parses the network.
FORBIDDEN_IN_CONTROL = re.compile(r"librte_|libIPSec_MB")
FORBIDDEN_IN_RELAY = re.compile(r"libsofia-sip|libevent|libjansson|libcyaml")


def part_of(path):
    """The part that a path relative to the root belongs to, or None."""
    fits = [part for part in BELOW if path == part or path.startswith(part + "/")]
    return max(fits, key=len, default=None)


def sources(root):
    """C sources and headers of the parts, as paths relative to the root."""
    for folder in SOURCE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h") and path.is_file():
                yield path.relative_to(root).as_posix()


def is_generated(root, header):
    """A header that the build makes: the CMakeLists.txt of its folder names it."""
    lists = (root / header).parent / "CMakeLists.txt"
    return lists.is_file() and Path(header).name in lists.read_text()


def check_include(root, path, kind, header):
    """What is wrong with one include line of one file, or None."""
    part = part_of(path)
    if kind == '"' and (root / header).is_file():
        other = part_of(header)
        if other is None:
            return f"includes {header}, which is of no part"
        if other != part and other not in BELOW[part]:
            return f"{part} may not include {header}: {other} is not below it"
        if header.endswith("_priv.h") and other.split("/")[0] != part.split("/")[0]:
            return f"includes {header}, which is private to {other}"
        return None
    for library, pattern, allowed in LIBRARIES:
        if re.fullmatch(pattern, header):
            inside = any(part == a or part.startswith(a + "/") for a in allowed)
            if inside and "!" + part not in allowed:
                return None
            return f"{part} may not know {library} ({header})"
    if kind == '"' and not is_generated(root, header):
        return f'"{header}" is not a path from the root of the repository'
    if kind == "<" and not SYSTEM.fullmatch(header):
        return f"<{header}> is of no library that the architecture names"
    return None


def check_includes(root):
    for path in sources(root):
        for kind, header in INCLUDE.findall((root / path).read_text(errors="replace")):
            why = check_include(root, path, kind, header)
            if why:
                yield f"{path}: {why}"


def check_heads(root):
    """Line 1 names the licence, line 2 of a C file says what it is."""
    for path in sources(root):
        lines = (root / path).read_text(errors="replace").split("\n", 2)
        if lines[0] != f"// {SPDX}":
            yield f"{path}:1: not // {SPDX}"
        elif len(lines) < 2 or not re.match(r"// \S", lines[1]):
            yield f"{path}:2: no // line that says what the file is"
    for pattern in ("tests/**/*.[ch]", "tests/**/*.py", "cmake/*.cmake", "**/CMakeLists.txt", "deploy/*"):
        for path in sorted(root.glob(pattern)):
            relative = path.relative_to(root).as_posix()
            if not path.is_file() or relative.startswith("build/") or path.stat().st_size == 0:
                continue
            head = path.read_text(errors="replace").split("\n", 2)
            if path.suffix in ("", ".c", ".h", ".py", ".cmake") or path.name == "CMakeLists.txt":
                if not any(SPDX in line for line in head[:2]):
                    yield f"{relative}: no SPDX line at its head"


def check_built(root):
    """Every C source is named in a CMakeLists.txt of its part: what is not compiled is dead."""
    for path in sources(root):
        if not path.endswith(".c"):
            continue
        folder = (root / path).parent
        named = False
        while folder != root and not named:
            lists = folder / "CMakeLists.txt"
            name = re.escape((root / path).relative_to(folder).as_posix())
            named = lists.is_file() and re.search(rf"(?<![\w./-]|\.){name}\b", lists.read_text().replace("./", "")) is not None
            folder = folder.parent
        if not named:
            yield f"{path}: not compiled: no CMakeLists.txt above it names it"


# What runs between two bursts; the rest of these folders starts, stops, rests or is another thread's.
FAST = ("dataplane/worker/relay_*.c", "dataplane/worker/srtp/srtp_*.c", "dataplane/worker/frame.c", "dataplane/worker/record_pool.c",
        "dataplane/worker/xsk_queue.c")
NOT_FAST = {"relay_main.c", "relay_report.c", "relay_size.c", "relay_syscalls.c", "relay_table.c", "relay_trial.c", "relay_version.c",
            "relay_worker.c", "srtp_engine.c", "srtp_selftest.c"}


def check_fast_path(root):
    """Every file that a worker runs forbids itself locks, allocation, output and system calls, behind all it includes."""
    for path in sorted(path for pattern in FAST for path in root.glob(pattern) if path.name not in NOT_FAST):
        included = INCLUDE.findall(path.read_text(errors="replace"))
        if not included or included[-1][1] != "dataplane/fastpath.h":
            yield f"{path.relative_to(root).as_posix()}: does not include dataplane/fastpath.h last"


def needed_libraries(binary):
    out = subprocess.run(["readelf", "-d", str(binary)], stdout=subprocess.PIPE, check=True, universal_newlines=True)
    return re.findall(r"\(NEEDED\).*\[(.*)\]", out.stdout)


def check_binaries(folder):
    """What the executables carry; a missing one is a violation, or the check would pass for want of a subject."""
    for name, forbidden in (("sallyport", FORBIDDEN_IN_CONTROL), ("sallyport-relay", FORBIDDEN_IN_RELAY)):
        binary = Path(folder) / name
        if not binary.is_file():
            yield f"{name}: not in {folder}"
            continue
        for library in needed_libraries(binary):
            if forbidden.match(library):
                yield f"{name}: linked with {library}"


def long_files(root):
    """Files beyond LONG_FILE lines: a question, not an error. Tables are named in long_files.txt, with the reason."""
    listed = root / "tests/layering/long_files.txt"
    known = [line.split()[0] for line in listed.read_text().splitlines() if line.strip() and line[0] != "#"] if listed.is_file() else []
    for path in sources(root):
        lines = (root / path).read_text(errors="replace").count("\n")
        if lines > LONG_FILE and path not in known:
            yield f"{path}: {lines} lines; does it still have one noun?"


CHECKS = {
    "includes": check_includes,
    "heads": check_heads,
    "built": check_built,
    "fast path": check_fast_path,
}


def main(argv):
    folder = None
    if "--bin" in argv:
        at = argv.index("--bin")
        folder = argv[at + 1]
        argv = argv[:at] + argv[at + 2:]
    root = Path(argv[1] if len(argv) > 1 else Path(__file__).resolve().parents[2])
    found = [line for check in CHECKS.values() for line in check(root)]
    if folder:
        found += check_binaries(folder)
    for line in found:
        print(line)
    for line in long_files(root):
        print(f"warning: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
