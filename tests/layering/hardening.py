# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shipped executable must have of its compiler and linker, read by readelf from the file itself.

    check(binary) yields what is missing, in words; nothing: all is there.
"""
import stat
import subprocess
import sys
from pathlib import Path


def readelf(binary, *options):
    return subprocess.run(["readelf", "-W", *options, str(binary)], stdout=subprocess.PIPE, check=True,
                          universal_newlines=True).stdout


def dynamic(binary):
    """{tag: [values]} of the dynamic section."""
    found = {}
    for line in readelf(binary, "-d").splitlines():
        parts = line.split(None, 2)
        if len(parts) >= 2 and parts[0].startswith("0x"):
            found.setdefault(parts[1].strip("()"), []).append(parts[2] if len(parts) > 2 else "")
    return found


def segments(binary):
    """[(type, flags)]"""
    found = []
    for line in readelf(binary, "-l").splitlines():
        parts = line.split()
        if len(parts) >= 8 and parts[1].startswith("0x"):
            found.append((parts[0], "".join(parts[6:-1])))
    return found


def imported(binary):
    return {line.split()[7].split("@")[0] for line in readelf(binary, "--dyn-syms").splitlines()
            if len(line.split()) > 7 and line.split()[6] == "UND"}


def check_addresses(binary):
    header, tags = readelf(binary, "-h"), dynamic(binary)
    if "DYN (" not in header or "PIE" not in " ".join(tags.get("FLAGS_1", [])):
        yield "not position-independent"
    if "TEXTREL" in tags or any("TEXTREL" in flags for flags in tags.get("FLAGS", [])):
        yield "code is relocated in place (TEXTREL)"


def check_relocations(binary):
    tags = dynamic(binary)
    if ("GNU_RELRO", "R") not in segments(binary):
        yield "no RELRO"
    if not any("BIND_NOW" in flags for flags in tags.get("FLAGS", [])) and \
       not any("NOW" in flags for flags in tags.get("FLAGS_1", [])):
        yield "bound lazily"


def check_memory(binary):
    kinds = dict(segments(binary))
    if "E" in kinds.get("GNU_STACK", "E"):
        yield "executable stack"
    yield from (f"segment that is written and executed ({kind})" for kind, flags in segments(binary)
                if "W" in flags and "E" in flags and kind != "GNU_STACK")


def check_compiler(binary):
    symbols = imported(binary)
    if "__stack_chk_fail" not in symbols:
        yield "no stack protector"
    if not any(symbol.startswith("__") and symbol.endswith("_chk") for symbol in symbols):
        yield "not fortified"


def check_file(binary):
    tags, mode = dynamic(binary), Path(binary).stat().st_mode
    for tag in ("RPATH", "RUNPATH"):
        if tag in tags:
            yield f"{tag}: {tags[tag][0]}"
    if mode & (stat.S_ISUID | stat.S_ISGID):
        yield "setuid or setgid"
    if mode & stat.S_IWOTH:
        yield "anybody may write it"


def check(binary):
    if not Path(binary).is_file():
        yield "not there"
        return
    for part in (check_addresses, check_relocations, check_memory, check_compiler, check_file):
        yield from part(binary)


if __name__ == "__main__":
    wrong = [f"{name}: {what}" for name in sys.argv[1:] for what in check(name)]
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
