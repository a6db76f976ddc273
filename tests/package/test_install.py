# SPDX-License-Identifier: GPL-3.0-or-later
"""The package in a Debian that has nothing but what it depends on: as the container that the container file makes of both; installed,
started by its systemd, called through, killed, purged."""
import http.client
import os
import re
import shutil

import container
import machine
import pytest
from lib.admin import TOKENS, section
from lib.gateway import ROOT, configuration
from lib.leg import Leg, both_hear, call
from lib.netns import Topology

SOCKET = "unix:/run/sallyport/admin.sock"
CONFIGURATION = "/etc/sallyport/sallyport.yaml"
WRITTEN = {"/etc/sallyport": ("drwxr-x---", "root", "sallyport"),
           "/var/lib/sallyport": ("drwxr-x---", "sallyport", "sallyport"),
           "/var/log/sallyport": ("drwxr-x---", "sallyport", "sallyport")}
DEB = "/var/tmp/sallyport.deb"
# What a system that has been started, and one where a user was made, has more than one that has not.
SYSTEM = re.compile(r"/(dev|proc|run|sys|tmp)|/var/(log|tmp|cache|lib/(systemd|dpkg|apt|private)|\.updated)"
                    r"|/etc/(machine-id|\.updated|\.pwd\.lock|(passwd|group|shadow|gshadow)-)")


def unavailable(why):
    """What is no fault of the package: a host without a network or without containers."""
    if os.environ.get("SALLYPORT_FULL") == "1":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="module")
def bare(package, tmp_path_factory):
    try:
        made = machine.Root(tmp_path_factory.mktemp("debian") / "root", package)
    except machine.Unreachable as why:
        unavailable(f"no Debian to install it in: {why}")
    yield made
    made.delete()


@pytest.fixture(scope="module")
def image(bare, package):
    """(store, the image's name): of the container file, as it is, but for its first stage. What that makes, the package, is here already;
    to make it again takes minutes, and is made so with SALLYPORT_FULL=1."""
    store = container.Store(machine.archive()[1])
    store.base(bare.folder)
    try:
        store.run("run", "--rm", "--network=none", *container.limits(), container.BASE, "true")
    except AssertionError as why:
        store.delete()
        unavailable(f"podman runs no container here: {why}")
    made = store.folder / "made/src/build/release"  # where the first stage leaves it
    made.mkdir(parents=True)
    shutil.copy(package, made)
    store.build("sallyport", ROOT / "deploy/Containerfile", ROOT, *([] if container.FULL else [f"--build-context=build={store.folder / 'made'}"]))
    yield store, "sallyport"
    store.delete()


@pytest.fixture
def contained(image, tmp_path):
    """(topology, the container's process, its store): as the compose file has it, in the gateway's namespace of a topology."""
    store, name = image
    (tmp_path / "sallyport.yaml").write_text(configuration(state_dir="/var/lib/sallyport") + section("127.0.0.1:8780"))
    (tmp_path / "ctl.token").write_text(TOKENS["operator"])
    service = container.services()["sallyport"]
    with Topology() as topology:
        process = store.start("gateway", name, f"--network=ns:/run/netns/{topology.gw.name}",
                              *container.service_options(service, {"./sallyport": tmp_path, "state": "state", "records": "records"}))
        try:
            yield topology, process, store
        finally:
            store.run("rm", "--force", "--time=0", "gateway", check=False)
            process.kill()


def answer(topology, path):
    """The status of what the container's door answers."""
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = topology.gw.tcp_connect("127.0.0.1", 8780, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_container(contained):
    """Started, asked, called through, and ended with a call that is up, by the signal and within the time that image and compose file name."""
    topology, process, store = contained
    process.wait_until(lambda line: '"event":"gateway ready"' in line, 60, "ready")
    assert answer(topology, "/healthz") == answer(topology, "/readyz") == 200
    store.healthy("gateway")
    with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
        call(access, core)
        both_hear(access, core)
        stopping = store.stop("gateway")
        access.taken_down(30)
        core.taken_down(30)
    assert process.wait(30) == stopping.wait(30) == 0, process.tail()
    assert '"event":"gateway stopped"' in process.text()
    assert store.run("ps", "--all", "--quiet").stdout == ""


@pytest.fixture(scope="module")
def installed(bare):
    before = bare.files()
    bare.run("dpkg", "--install", DEB)
    bare.before, bare.added = before, {name: what for name, what in bare.files().items() if name not in before}
    return bare


def test_what_is_installed(installed):
    files = installed.added
    for name, what in WRITTEN.items():
        assert files[name] == what, name
    for name in ("/usr/bin/sallyport", "/usr/bin/sallyportctl", "/usr/libexec/sallyport/sallyport-relay"):
        assert files[name] == ("-rwxr-xr-x", "root", "root")
    assert files[CONFIGURATION] == ("-rw-r--r--", "root", "root")
    for name, (mode, owner, group) in files.items():
        if name.startswith("/var/lib/dpkg") or name in WRITTEN:
            continue
        assert (owner, group) == ("root", "root") and mode in ("-rw-r--r--", "-rwxr-xr-x", "drwxr-xr-x", "-rw-------"), (name, mode)
        assert "sallyport" in name or name.startswith("/etc/") and name.endswith("-"), name  # useradd's passwd-
    assert installed.run("dpkg", "--verify", "sallyport").stdout == ""
    assert installed.run("getent", "passwd", "sallyport").stdout.split(":")[5:] == ["/var/lib/sallyport", "/usr/sbin/nologin\n"]
    assert CONFIGURATION in installed.run("dpkg-query", "-W", "-f", "${Conffiles}", "sallyport").stdout


def test_what_is_installed_runs(installed):
    version = installed.run("sallyport", "--version").stdout
    assert "wolfSSL" in version and "libsrtp" in version and "DPDK" in version, version
    installed.run("sallyport", "--check", "--no-host")  # the configuration that comes with it
    assert installed.run("sallyportctl", "status", check=False).returncode == 3
    for program in ("/usr/bin/sallyport", "/usr/libexec/sallyport/sallyport-relay"):
        needed = installed.run("ldd", program).stdout
        assert "not found" not in needed and not re.search("wolfssl|srtp|librte", needed), needed


@pytest.fixture
def host(installed):
    """The installed system, started, in the gateway's namespace of a topology."""
    with Topology() as topology:
        (installed.folder / CONFIGURATION[1:]).write_text(configuration(state_dir="/var/lib/sallyport") + section(SOCKET))
        (installed.folder / "etc/sallyport/ctl.token").write_text(TOKENS["operator"])
        (installed.folder / "etc/systemd/system/sallyport.service.d").mkdir(parents=True, exist_ok=True)
        (installed.folder / "etc/systemd/system/sallyport.service.d/test.conf").write_text("[Service]\nWatchdogSec=8\n")
        try:
            made = machine.Machine(installed, topology.gw)
        except machine.NoSystem as why: # nothing of ours runs yet
            unavailable(f"systemd does not start within systemd-nspawn: {why}")
        try:
            yield topology, made
        finally:
            made.stop()


def ctl(host, *arguments):
    return host.run("sallyportctl", "-a", SOCKET, *arguments).stdout


def killed(host, *how):
    """The supervisor meets its end, and systemd brings another with the same calls."""
    restarts = int(host.property("NRestarts"))
    host.run("kill", *how, host.property("MainPID"))
    host.wait(lambda: int(host.property("NRestarts")), lambda n: n > restarts)
    host.wait(lambda: host.property("ActiveState"), lambda state: state == "active")


def test_its_life(host):
    topology, host = host
    host.run("sallyport", "--check")
    host.run("systemctl", "start", "sallyport")
    assert host.property("ActiveState") == "active" and host.property("StatusText") == "calls are served"
    assert host.property("WatchdogUSec") == "8s" and host.property("NFileDescriptorStore") == "4"
    assert "running" in ctl(host, "status")
    with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
        call(access, core)
        both_hear(access, core)
        assert "access" in ctl(host, "calls")
        killed(host, "-KILL")
        both_hear(access, core)  # the same keys, without a word of signalling
        killed(host, "-STOP")    # nobody hears of it: the watchdog ends it
        assert "watchdog" in host.journal().lower()
        both_hear(access, core)
        host.run("systemctl", "reload", "sallyport")
        host.wait(host.journal, lambda text: '"event":"reload"' in text)
        access.hang_up()
        core.taken_down()
    assert host.run("stat", "-c", "%U %a", "/var/lib/sallyport/dtls.pem").stdout == "sallyport 600\n"
    host.run("systemctl", "stop", "sallyport")
    assert host.property("Result") == "success" and host.property("NFileDescriptorStore") == "0"
    assert '"event":"gateway stopped"' in host.journal()


def test_purge_leaves_nothing(installed, host):
    _, host = host
    host.run("systemctl", "enable", "--now", "sallyport")
    assert host.property("ActiveState") == "active" and host.run("pgrep", "-c", "sallyport").stdout == "3\n"
    host.run("rm", "-r", "/etc/systemd/system/sallyport.service.d")  # this test's own
    host.run("dpkg", "--purge", "sallyport")
    assert host.property("ActiveState") == "inactive"
    assert host.run("pgrep", "sallyport", check=False).stdout == ""
    new = {name for name in installed.files() if name not in installed.before}
    assert not [name for name in new if "sallyport" in name and name != DEB]
    assert not [name for name in new if not SYSTEM.match(name)], new
    assert "sallyport" in host.run("getent", "passwd", "sallyport").stdout  # its number is given to nobody else
