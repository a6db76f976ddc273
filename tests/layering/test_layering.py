# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree keeps to its architecture, and the checker would see it if it did not."""
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import layering  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
HEAD = "// SPDX-License-Identifier: GPL-3.0-or-later\n// A file of the self-test.\n"


@pytest.mark.parametrize("name", sorted(layering.CHECKS))
def test_tree(name):
    assert list(layering.sources(ROOT)), "no sources found: the check has no subject"
    assert list(layering.CHECKS[name](ROOT)) == []


def test_long_files():
    for line in layering.long_files(ROOT):
        warnings.warn(line)


@pytest.mark.skipif("SALLYPORT_BIN" not in os.environ, reason="SALLYPORT_BIN is not set: nothing built to look at")
def test_binaries():
    assert list(layering.check_binaries(os.environ["SALLYPORT_BIN"])) == []


def tree(tmp_path, path, text, others=()):
    """A tree with base/log.h, the given file, built, and more headers."""
    for name, content in [("base/log.h", HEAD), (path, text), *((o, HEAD) for o in others)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    folder = path.split("/")[0]
    lists = tmp_path / folder / "CMakeLists.txt"
    lists.write_text(f"# {layering.SPDX}\nadd_library({folder} STATIC {path.split('/', 1)[1]})\n")
    return tmp_path


def violations(root):
    return [line for check in layering.CHECKS.values() for line in check(root)]


GOOD = [
    ("dtls/a.c", "#include <wolfssl/ssl.h>\n#include <string.h>\n#include \"base/log.h\"\n"),
    ("mediarelay/keying/a.c", "#include <srtp2/srtp.h>\n#include \"dtls/dtls.h\"\n#include \"mediarelay/media_priv.h\"\n"),
    ("gateway/a.c", "#include <event2/http.h>\n#include \"signaling/sip.h\"\n"),
    ("dataplane/worker/a.c", "#include <rte_mbuf.h>\n#include \"dataplane/record.h\"\n"),
]
OTHERS = ["dtls/dtls.h", "dtls/dtls_priv.h", "mediarelay/media.h", "mediarelay/media_priv.h", "signaling/sip.h", "gateway/gw.h",
          "dataplane/record.h", "dataplane/client/dp.h", "dataplane/worker/w.h"]


@pytest.mark.parametrize("path,text", GOOD)
def test_good_tree_passes(tmp_path, path, text):
    assert violations(tree(tmp_path, path, HEAD + text, OTHERS)) == []


BAD = [
    ("base/a.c", '#include "dtls/dtls.h"\n', "dtls is not below"),
    ("dtls/a.c", '#include "mediarelay/media.h"\n', "mediarelay is not below"),
    ("mediarelay/a.c", '#include "signaling/sip.h"\n', "signaling is not below"),
    ("signaling/a.c", '#include "gateway/gw.h"\n', "gateway is not below"),
    ("mediarelay/a.c", '#include "dataplane/worker/w.h"\n', "dataplane/worker is not below"),
    ("dataplane/client/a.c", '#include "dataplane/worker/w.h"\n', "dataplane/worker is not below"),
    ("dataplane/worker/a.c", '#include "dataplane/client/dp.h"\n', "dataplane/client is not below"),
    ("mediarelay/a.c", '#include "dtls/dtls_priv.h"\n', "private to dtls"),
    ("signaling/a.c", "#include <rte_mbuf.h>\n", "may not know DPDK"),
    ("dataplane/client/a.c", "#include <rte_ring.h>\n", "may not know DPDK"),
    ("dataplane/worker/srtp/a.c", "#include <rte_mbuf.h>\n", "may not know DPDK"),
    ("dataplane/worker/srtp/a.c", '#include "dataplane/worker/w.h"\n', "dataplane/worker is not below"),
    ("mediarelay/a.c", "#include <wolfssl/ssl.h>\n", "may not know wolfSSL"),
    ("dtls/a.c", "# include <srtp2/srtp.h>\n", "may not know libsrtp2"),
    ("gateway/a.c", "#include <sofia-sip/nta.h>\n", "may not know Sofia-SIP"),
    ("base/a.c", "#include <event2/event.h>\n", "may not know libevent"),
    ("base/a.c", "#include <glib.h>\n", "of no library"),
    ("base/a.c", '#include "log.h"\n', "not a path from the root"),
]


@pytest.mark.parametrize("path,text,why", BAD)
def test_bad_include_is_seen(tmp_path, path, text, why):
    found = violations(tree(tmp_path, path, HEAD + text, OTHERS))
    assert len(found) == 1 and why in found[0], found


def test_missing_head_is_seen(tmp_path):
    assert "no" in violations(tree(tmp_path, "base/a.c", "int x;\n"))[0]
    found = violations(tree(tmp_path, "base/a.c", HEAD.split("\n")[0] + "\n\nint x;\n"))
    assert len(found) == 1 and "base/a.c:2" in found[0], found


def test_uncompiled_file_is_seen(tmp_path):
    root = tree(tmp_path, "base/a.c", HEAD)
    (root / "base/aa.c").write_text(HEAD)
    found = violations(root)
    assert len(found) == 1 and "base/aa.c: not compiled" in found[0], found


@pytest.mark.parametrize("path", ["dataplane/worker/relay_a.c", "dataplane/worker/srtp/srtp_a.c"])
def test_worker_file_without_the_fast_path_is_seen(tmp_path, path):
    fast = '#include "dataplane/fastpath.h"\n'
    for text, bad in ((fast, 0), ("", 1), (fast + "#include <stdlib.h>\n", 1)):
        found = violations(tree(tmp_path, path, HEAD + text, ["dataplane/fastpath.h"]))
        assert len(found) == bad and all("fastpath.h last" in line for line in found), found


def test_long_file_is_seen(tmp_path):
    root = tree(tmp_path, "base/a.c", HEAD + "int x;\n" * layering.LONG_FILE)
    assert "602 lines" in next(layering.long_files(root))


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_linked_library_is_seen(tmp_path):
    (tmp_path / "a.c").write_text("int main(void) { return 0; }\n")
    for name in ("sallyport", "sallyport-relay"):
        subprocess.run(["cc", "-o", tmp_path / name, tmp_path / "a.c", "-Wl,--no-as-needed", "-lrte_eal"], check=True)
    found = list(layering.check_binaries(tmp_path))
    assert len(found) == 1 and found[0].startswith("sallyport: linked with librte_eal"), found
    assert len(list(layering.check_binaries(tmp_path / "nowhere"))) == 2
