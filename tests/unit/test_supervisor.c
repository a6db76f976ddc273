// SPDX-License-Identifier: GPL-3.0-or-later
// test_supervisor.c - a real supervisor in a network namespace of its own, with fake children: order of start and stop,
// what dies comes back and finds its region, back-off, stubborn children, a failed start, systemd's descriptor store.
#include "base/clock.h"
#include "base/log.h"
#include "gateway/instance.h"
#include "gateway/supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static const char text[] =
	"log: {level: debug, format: json}\n"
	"process: {user: root, state_dir: %s/state}\n"
	"limits: {calls: 4}\n"
	"dataplane: {hugepages: off, interfaces: [{name: null0, driver: null}]}\n"
	"realms:\n"
	"  - {name: a, interface: null0, listeners: [\"udp:192.0.2.1:5060\"], media: [{address: 192.0.2.1}], profile: p}\n"
	"profiles: [{name: p, keying: {accept: [none], offer: [none]}}]\n";

#define PROMPTLY 3500 // ms; a stop that waits for somebody takes 4.4 s

struct run { // a supervisor in a child process; its standard error comes to us
	char directory[32];
	pid_t pid;
	int log;
	char seen[256 * 1024];
	size_t len;
};

static pid_t running[4]; // those that run_end() has not seen end

static void remember(pid_t pid, pid_t instead)
{
	for (unsigned i = 0; i < sizeof(running) / sizeof(running[0]); i++) {
		if (running[i] == pid) {
			running[i] = instead;
			return;
		}
	}
}

// A test that failed leaves nobody to disturb the next.
static int end_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(running) / sizeof(running[0]); i++) {
		if (running[i] != 0 && kill(running[i], SIGKILL) == 0)
			waitpid(running[i], NULL, 0);
		running[i] = 0;
	}
	return 0;
}

static struct config *configuration(const char *directory)
{
	struct config_error why;
	struct config *cfg = NULL;
	char file[1024];
	int len = snprintf(file, sizeof(file), text, directory);

	if (config_parse(&cfg, file, (size_t)len, &why) < 0)
		fail_msg("%u:%u: %s", why.line, why.column, why.message);
	return cfg;
}

// In the forked process.
_Noreturn static void supervise(const struct run *r)
{
	struct config *cfg = configuration(r->directory);
	const struct supervisor_programs programs = {
		.relay = { .path = FAKE_CHILD, .argument = "relay" },
		.control = { .path = FAKE_CHILD, .argument = "control" },
		.file = "/nowhere/sallyport.yaml",
	};
	int status;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	log_setup(cfg->log_level, cfg->log_format, "supervisor");
	status = supervisor_run(cfg, &programs);
	config_free(cfg);
	exit(status);
}

// As systemd does: from descriptor 3 on, with names.
static void pass_stored(const int fds[2])
{
	char pid[16];
	int high[2] = { fcntl(fds[0], F_DUPFD_CLOEXEC, 100), fcntl(fds[1], F_DUPFD_CLOEXEC, 100) };

	dup2(high[0], 3);
	dup2(high[1], 4);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "media-region:call-region", 1);
}

static void run_begin(struct run *r, int listen_fds[2])
{
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	r->len = 0;
	r->seen[0] = '\0';
	r->pid = fork();
	if (r->pid == 0) {
		dup2(pair[1], STDERR_FILENO);
		if (listen_fds != NULL)
			pass_stored(listen_fds);
		supervise(r);
	}
	remember(0, r->pid);
	close(pair[1]);
	r->log = pair[0];
}

static void run_directory(struct run *r)
{
	memset(r, 0, sizeof(*r));
	strcpy(r->directory, "/tmp/sallyport-test-XXXXXX");
	assert_non_null(mkdtemp(r->directory));
}

static void run_new(struct run *r)
{
	run_directory(r);
	run_begin(r, NULL);
}

// Reads on until the n-th line that holds `what`; the text from there.
static const char *run_wait(struct run *r, const char *what, unsigned n, unsigned ms)
{
	mono_ns until = clock_now() + MONO_MS(ms);

	for (;;) {
		struct pollfd pfd = { .fd = r->log, .events = POLLIN };
		const char *at = r->seen;
		unsigned found = 0;
		mono_ns now = clock_now();
		ssize_t got;

		while ((at = strstr(at, what)) != NULL && ++found < n)
			at++;
		if (at != NULL)
			return at;
		if (now >= until || poll(&pfd, 1, (int)((until - now) / MONO_MS(1)) + 1) < 0)
			fail_msg("no %u. \"%s\" within %u ms in:\n%s", n, what, ms, r->seen);
		got = pfd.revents != 0 ? read(r->log, r->seen + r->len, sizeof(r->seen) - r->len - 1) : 0;
		if (pfd.revents != 0 && got <= 0)
			fail_msg("the supervisor ended before a %u. \"%s\":\n%s", n, what, r->seen);
		r->len += (size_t)got;
		r->seen[r->len] = '\0';
	}
}

static unsigned count(const struct run *r, const char *what)
{
	unsigned n = 0;

	for (const char *at = r->seen; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static long run_number(struct run *r, const char *what, unsigned n)
{
	return strtol(run_wait(r, what, n, 10000) + strlen(what), NULL, 10);
}

// Exit status within `ms`; then everything that it said is in r->seen.
static int run_end(struct run *r, unsigned ms)
{
	mono_ns until = clock_now() + MONO_MS(ms);
	char command[64];
	int status = -1;

	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		if (clock_now() > until)
			fail_msg("still there after %u ms:\n%s", ms, r->seen);
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	remember(r->pid, 0);
	fcntl(r->log, F_SETFL, O_NONBLOCK);
	for (ssize_t got; (got = read(r->log, r->seen + r->len, sizeof(r->seen) - r->len - 1)) > 0;)
		r->len += (size_t)got;
	r->seen[r->len] = '\0';
	close(r->log);
	snprintf(command, sizeof(command), "rm -rf %s", r->directory);
	assert_int_equal(system(command), 0);
	assert_int_equal(count(r, "stray descriptor"), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void gone_within(pid_t pid, unsigned ms)
{
	mono_ns until = clock_now() + MONO_MS(ms);
	char path[32], line[128] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		FILE *f = fopen(path, "re");

		if (f == NULL)
			return;
		if (fgets(line, sizeof(line), f) != NULL && strstr(line, ") Z ") != NULL) {
			fclose(f);
			return; // ended; who reaps it is not our affair
		}
		fclose(f);
		if (clock_now() > until)
			fail_msg("process %d is still there: %s", pid, line);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static void starts_and_stops_in_order(void **state)
{
	struct run r;
	struct stat st;
	char path[64];

	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	assert_true(strstr(r.seen, "fake relay: life") < strstr(r.seen, "fake control: pid"));
	snprintf(path, sizeof(path), "%s/state", r.directory);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	kill(r.pid, SIGHUP); // its file is not there
	run_wait(&r, "\"event\":\"reload\",\"refused\"", 1, 10000);
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r, PROMPTLY), 0);
	assert_true(strstr(r.seen, "fake control: told to end") < strstr(r.seen, "fake relay: told to end"));
	assert_non_null(strstr(r.seen, "gateway stopped"));
	assert_null(strstr(r.seen, "child died"));
}

static void what_dies_comes_back_and_finds_its_region(void **state)
{
	static const char *const roles[] = { "relay", "control" };
	struct run r;

	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	for (unsigned i = 0; i < 2; i++) {
		char pid[32], life[32];

		snprintf(pid, sizeof(pid), "fake %s: pid ", roles[i]);
		snprintf(life, sizeof(life), "fake %s: life ", roles[i]);
		assert_int_equal(kill((pid_t)run_number(&r, pid, 1), SIGKILL), 0);
		run_wait(&r, "\"event\":\"child died\"", i + 1, 10000);
		run_wait(&r, "\"signal\":\"KILL\"", i + 1, 10000);
		run_wait(&r, "\"event\":\"child back\"", i + 1, 10000);
		assert_int_equal(run_number(&r, life, 2), 2);
		assert_true(run_number(&r, "\"after_ms\":", i + 2) < 2000);
	}
	assert_int_equal(count(&r, "fake relay: pid"), 2); // the death of one is not the other's
	assert_int_equal(count(&r, "fake control: pid"), 2);
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r, PROMPTLY), 0);
}

static void back_off_grows(void **state)
{
	static const long least[] = { 0, 100, 200, 400 };
	struct run r;

	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	for (unsigned i = 0; i < 4; i++) {
		long after;

		assert_int_equal(kill((pid_t)run_number(&r, "fake relay: pid ", i + 1), SIGKILL), 0);
		run_wait(&r, "\"event\":\"child back\"", i + 1, 10000);
		after = run_number(&r, "\"after_ms\":", i + 2); // the first is of "gateway ready"
		if (after < least[i] || after > least[i] + 2000)
			fail_msg("life %u came after %ld ms", i + 2, after);
	}
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r, PROMPTLY), 0);
}

// The fake's workers never turn.
static void relay_that_hangs_is_killed(void **state)
{
	struct run r;

	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	run_wait(&r, "\"event\":\"child hangs\",\"child\":\"relay\"", 1, 15000);
	run_wait(&r, "\"event\":\"child back\",\"child\":\"relay\"", 1, 10000);
	assert_int_equal(count(&r, "child hangs"), 1);
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r, PROMPTLY), 0);
}

static void stubborn_children_are_killed_within_five_seconds(void **state)
{
	mono_ns began;
	struct run r;

	setenv("FAKE_control", "stubborn", 1);
	setenv("FAKE_relay", "stubborn", 1);
	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	began = clock_now();
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r, 8000), 0);
	assert_true(clock_now() - began > MONO_S(4)); // they had their time
	assert_int_equal(count(&r, "child killed"), 2);
	unsetenv("FAKE_control");
	unsetenv("FAKE_relay");
}

static void second_signal_ends_at_once(void **state)
{
	struct run r;

	setenv("FAKE_control", "stubborn", 1);
	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	kill(r.pid, SIGINT);
	run_wait(&r, "fake control: told to end", 1, 10000);
	kill(r.pid, SIGINT);
	assert_int_equal(run_end(&r, PROMPTLY), 0);
	unsetenv("FAKE_control");
}

static void failed_start_ends_all(void **state)
{
	struct run r;

	setenv("FAKE_control", "broken", 1);
	run_new(&r);
	assert_int_equal(run_end(&r, 10000), 1);
	assert_non_null(strstr(r.seen, "\"child\":\"control\",\"pid\""));
	assert_non_null(strstr(r.seen, "\"status\":3"));
	assert_non_null(strstr(r.seen, "child did not start"));
	assert_non_null(strstr(r.seen, "fake relay: told to end"));
	assert_int_equal(count(&r, "fake control: pid"), 1);
	unsetenv("FAKE_control");
}

static void signal_during_start_is_obeyed(void **state)
{
	struct run r;

	setenv("FAKE_relay", "mute", 1);
	run_new(&r);
	run_wait(&r, "fake relay: life", 1, 10000);
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r, PROMPTLY), 0);
	assert_null(strstr(r.seen, "fake control"));
	unsetenv("FAKE_relay");
}

static void one_gateway_a_namespace(void **state)
{
	struct run first, second;

	run_new(&first);
	run_wait(&first, "gateway ready", 1, 15000);
	run_new(&second);
	assert_int_equal(run_end(&second, 15000), 1); // it waits for a claim that may be about to fall
	assert_non_null(strstr(second.seen, "another gateway runs in this network namespace"));
	kill(first.pid, SIGTERM);
	assert_int_equal(run_end(&first, PROMPTLY), 0);
}

// The one before us crashed, and a child of it that holds the claim is not quite gone.
static void successor_waits_for_the_claim(void **state)
{
	mono_ns began = clock_now();
	pid_t child = fork();
	struct run r;
	int claim;

	if (child == 0) {
		while ((claim = instance_claim()) < 0) // the parent looks all the time
			;
		nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
		_exit(0);
	}
	while ((claim = instance_claim()) >= 0) // until the child has it
		close(claim);
	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	assert_true(clock_now() - began > MONO_MS(490));
	waitpid(child, NULL, 0);
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r, PROMPTLY), 0);
}

static void children_do_not_outlive_the_supervisor(void **state)
{
	pid_t relay, control;
	struct run r;

	run_new(&r);
	run_wait(&r, "gateway ready", 1, 15000);
	relay = (pid_t)run_number(&r, "fake relay: pid ", 1);
	control = (pid_t)run_number(&r, "fake control: pid ", 1);
	kill(r.pid, SIGKILL);
	assert_int_equal(run_end(&r, PROMPTLY), 128 + SIGKILL);
	gone_within(relay, 10000);
	gone_within(control, 10000);
}

// One message of the notify protocol; a descriptor that came with it, or -1.
static int notified(int fd, char *message, size_t room)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { message, room - 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct cmsghdr *cm;
	int got = -1;
	ssize_t n;

	assert_int_equal(poll(&pfd, 1, 3000), 1);
	n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	assert_true(n > 0);
	message[n] = '\0';
	for (cm = CMSG_FIRSTHDR(&mh); cm != NULL; cm = CMSG_NXTHDR(&mh, cm)) {
		if (cm->cmsg_type == SCM_RIGHTS)
			memcpy(&got, CMSG_DATA(cm), sizeof(got));
	}
	return got;
}

static int notify_socket(const char *directory)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/notify", directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	return fd;
}

static void stored_regions_are_taken_back(void **state)
{
	int fd, stored[2] = { -1, -1 };
	char message[256] = "";
	struct run r;

	run_directory(&r);
	fd = notify_socket(r.directory);
	run_begin(&r, NULL);
	while (strstr(message, "READY=1") == NULL) {
		int got = notified(fd, message, sizeof(message));

		if (strstr(message, "FDSTORE=1") != NULL)
			stored[strstr(message, "call-region") != NULL] = got;
	}
	assert_true(stored[0] >= 0 && stored[1] >= 0);
	assert_int_equal(run_number(&r, "fake control: life ", 1), 1);
	kill(r.pid, SIGKILL); // a crash, after which systemd starts it again with what it keeps
	waitpid(r.pid, NULL, 0);
	close(r.log);
	run_begin(&r, stored);
	run_wait(&r, "gateway ready", 1, 15000);
	assert_non_null(strstr(r.seen, "\"kept\":true"));
	assert_int_equal(run_number(&r, "fake relay: life ", 1), 2);
	assert_int_equal(run_number(&r, "fake control: life ", 1), 2);
	kill(r.pid, SIGTERM);
	while (strstr(message, "STOPPING=1") == NULL)
		notified(fd, message, sizeof(message));
	assert_int_equal(run_end(&r, PROMPTLY), 0);
	close(stored[0]);
	close(stored[1]);
	close(fd);
	unsetenv("NOTIFY_SOCKET");
}

static int own_namespace(void **state)
{
	return unshare(CLONE_NEWNET) < 0 && errno != EPERM ? -1 : 0; // a name that a running gateway has would disturb
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(starts_and_stops_in_order, end_all),
		cmocka_unit_test_teardown(what_dies_comes_back_and_finds_its_region, end_all),
		cmocka_unit_test_teardown(back_off_grows, end_all),
		cmocka_unit_test_teardown(relay_that_hangs_is_killed, end_all),
		cmocka_unit_test_teardown(stubborn_children_are_killed_within_five_seconds, end_all),
		cmocka_unit_test_teardown(second_signal_ends_at_once, end_all),
		cmocka_unit_test_teardown(failed_start_ends_all, end_all),
		cmocka_unit_test_teardown(signal_during_start_is_obeyed, end_all),
		cmocka_unit_test_teardown(one_gateway_a_namespace, end_all),
		cmocka_unit_test_teardown(successor_waits_for_the_claim, end_all),
		cmocka_unit_test_teardown(children_do_not_outlive_the_supervisor, end_all),
		cmocka_unit_test_teardown(stored_regions_are_taken_back, end_all),
	};

	return cmocka_run_group_tests(tests, own_namespace, NULL);
}
