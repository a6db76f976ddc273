# SPDX-License-Identifier: GPL-3.0-or-later
"""Manual and completion: every option, command and key is there, and mandoc has nothing to say against the pages."""
import re
import subprocess

import machine
import pytest
from lib.gateway import ROOT

PAGES = ["sallyport.8", "sallyport-relay.8", "sallyportctl.1", "sallyport.yaml.5"]
COMPLETE = """\
source /usr/share/bash-completion/bash_completion
source deploy/completion/%(program)s
PATH=%(folder)s:$PATH
COMP_WORDS=(%(words)s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE="${COMP_WORDS[*]}"
COMP_POINT=${#COMP_LINE}
%(function)s
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def pages(build):
    """{page: (path, what a reader sees)}."""
    found = {}
    for name in PAGES:
        path = build / "man" / name
        path = path if path.exists() else ROOT / "docs/man" / name
        found[name] = path, machine.run("mandoc", "-T", "utf8", "-O", "width=1000", path).stdout
    return {name: (path, re.sub(r".\x08", "", text)) for name, (path, text) in found.items()}


def usage(build, program):
    return machine.run(build / "bin" / program, "--help").stdout


def options(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def commands(text):
    """As --help has them: ["call", "hangup", ...]; of a command in two words both, as one string."""
    part = text.split("\noptions:")[0]
    for line in re.findall(r"^  ([a-z].*?)(?:  |$)", part, re.M):
        for name in line.split(", "):
            yield " ".join(re.match(r"[a-z-]+(?: [a-z-]+)*", name)[0].split())


def complete(build, program, *words):
    text = COMPLETE % {"program": program, "folder": build / "bin", "function": f"_{program}",
                       "words": " ".join(f"'{word}'" for word in (program, *words))}
    done = subprocess.run(["bash", "-c", text], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=30)
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def test_mandoc_is_content(pages):
    """Warnings, that is: its matters of style are OpenBSD's."""
    for path, _ in pages.values():
        done = machine.run("mandoc", "-T", "lint", "-W", "warning", path, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_man_is_content(pages):
    for path, text in pages.values():
        done = machine.run("man", "--warnings", "--local-file", path, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
        assert done.stderr == "" and len(done.stdout) > 1000
        assert "@" not in re.sub(r"\S+@\S+|@system", "", text), "a place of the template that nobody has filled"


def test_every_option_is_in_the_manual(build, pages):
    for program, page in (("sallyport", "sallyport.8"), ("sallyportctl", "sallyportctl.1")):
        missing = options(usage(build, program)) - options(pages[page][1])
        assert not missing, (page, missing)


def test_every_command_is_in_the_manual(build, pages):
    listed = list(commands(usage(build, "sallyportctl")))
    assert {"status", "calls", "call", "hangup", "version"} <= set(listed)
    part = pages["sallyportctl.1"][1].split("The commands are:")[1].split("The options are:")[0]
    assert not [name for name in listed if not re.search(rf"^ +(?:.*, )?{name}\b", part, re.M)]


def test_every_key_is_in_the_manual(pages):
    """Of the example that has every key, which tests/conf holds to the program."""
    text = re.sub(r"#.*", "", (ROOT / "conf/sallyport.yaml").read_text())
    keys = set(re.findall(r"(?:^|[\s{,-])([a-z_]+):(?=\s|$)", text, re.M))
    assert len(keys) > 60
    page = pages["sallyport.yaml.5"][1]
    assert not {key for key in keys if not re.search(rf"\b{key}:", page)}


def test_every_option_is_completed(build):
    for program in ("sallyport", "sallyportctl"):
        wanted = {option for option in options(usage(build, program)) if option.startswith("--")}
        assert not wanted - complete(build, program, "--"), program


def test_every_command_is_completed(build):
    for name in commands(usage(build, "sallyportctl")):
        words = name.split()
        for n, word in enumerate(words):
            assert word in complete(build, "sallyportctl", "--json", *words[:n], word[:1]), name
    assert complete(build, "sallyportctl", "zzz") == set()
    assert complete(build, "sallyportctl", "--address", "uni") == {"unix:/run/sallyport/admin.sock"}
