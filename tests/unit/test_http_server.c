// SPDX-License-Identifier: GPL-3.0-or-later
// test_http_server.c - clients that take their time: each phase of a connection ends, however often an octet comes; and when all
// places are taken, who keeps us waiting gives way to who asks.
#include "gateway/admin/http_server.h"
#include <arpa/inet.h>
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#define LONG_S 30 // what only a fault reaches
#define BIG (8u << 20)

struct stand {
	struct event_base *base;
	struct http_server *server;
	struct event *on_stop;
	int stop;
	pthread_t thread;
	struct sockaddr_un at;
	char *big;
	unsigned char next; // of the stream's pieces
	_Atomic uint64_t gone, handled;
	struct http_exchange *stream; // loop
	struct event *on_pump;
};

static void gone(void *arg)
{
	struct stand *st = arg;

	counter_add(&st->gone, 1);
	st->stream = NULL;
}

static void pump(evutil_socket_t fd, short what, void *arg)
{
	static char line[4096];
	struct stand *st = arg;

	memset(line, 'a' + st->next++ % 26, sizeof(line));
	if (st->stream == NULL)
		return;
	http_stream_send(st->stream, line, sizeof(line));
	memset(line, 'a' + st->next++ % 26, sizeof(line));
	http_stream_send(st->stream, line, 1); // which may find room where the large one did not
}

static int head(void *ctx, struct http_exchange *x)
{
	if (http_exchange_request(x)->method != HTTP_DELETE)
		return 0;
	http_reply(x, &(struct http_answer){ .status = 403 });
	return 1;
}

static void request(void *ctx, struct http_exchange *x)
{
	struct stand *st = ctx;
	const char *path = http_exchange_request(x)->path;
	size_t len;
	const char *body = http_exchange_body(x, &len);

	counter_add(&st->handled, 1);
	if (strcmp(path, "/big") == 0) {
		http_reply(x, &(struct http_answer){ .status = 200, .type = "text/plain", .body = st->big, .len = BIG });
	} else if (strcmp(path, "/wait") == 0) {
		http_defer(x, gone, st);
	} else if (strcmp(path, "/stream") == 0) {
		http_defer(x, gone, st);
		http_stream_begin(x, "text/event-stream");
		st->stream = x;
	} else {
		http_reply(x, &(struct http_answer){ .status = 200, .type = "text/plain", .body = body, .len = len });
	}
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(((struct stand *)arg)->base);
}

static void *run(void *arg)
{
	event_base_dispatch(((struct stand *)arg)->base);
	return NULL;
}

static struct stand *stand_open(struct http_limits limits)
{
	static const struct timeval often = { .tv_usec = 1000 };
	struct stand *st = calloc(1, sizeof(*st));
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(st->at);

	assert_non_null(st);
	st->big = malloc(BIG);
	memset(st->big, 'y', BIG);
	st->at.sun_family = AF_UNIX;
	assert_int_equal(bind(listener, (struct sockaddr *)&st->at, sizeof(sa_family_t)), 0); // a name of the kernel's choice
	assert_int_equal(getsockname(listener, (struct sockaddr *)&st->at, &len), 0);
	assert_int_equal(listen(listener, 64), 0);
	st->base = event_base_new();
	st->stop = eventfd(0, 0);
	st->on_stop = event_new(st->base, st->stop, EV_READ, stop, st);
	st->on_pump = event_new(st->base, -1, EV_PERSIST, pump, st);
	event_add(st->on_stop, NULL);
	event_add(st->on_pump, &often);
	struct http_server_start start = {
		.base = st->base, .listener = listener, .limits = limits, .head = head, .request = request, .ctx = st,
	};
	assert_int_equal(http_server_open(&st->server, &start), 0);
	assert_int_equal(pthread_create(&st->thread, NULL, run, st), 0);
	return st;
}

static void stand_close(struct stand *st)
{
	eventfd_write(st->stop, 1);
	pthread_join(st->thread, NULL);
	http_server_close(st->server);
	event_free(st->on_stop);
	event_free(st->on_pump);
	event_base_free(st->base);
	close(st->stop);
	free(st->big);
	free(st);
}

static int dial(const struct stand *st)
{
	static const struct timeval patience = { .tv_sec = LONG_S };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&st->at, sizeof(sa_family_t) + 6), 0); // NUL and five digits
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// All until the server closes; how many octets.
static size_t hear_end(int fd, char *dst, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, dst + n, size - 1 - n, 0)) > 0)
		n += (size_t)got;
	dst[n] = '\0';
	return n;
}

static bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, 10) == 1 && recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) <= 0;
}

// An octet every ten milliseconds, until the server has had enough of it. False: it never has.
static bool dribble_until_closed(int fd, const char *text)
{
	for (int i = 0; i < LONG_S * 100; i++) {
		if (is_closed(fd) || send(fd, text, 1, MSG_NOSIGNAL) < 0)
			return true;
	}
	return false;
}

static void wait_for(const _Atomic uint64_t *counter, uint64_t value)
{
	for (int i = 0; counter_read(counter) < value; i++) {
		assert_true(i < LONG_S * 1000);
		usleep(1000);
	}
}

static void ask_once(const struct stand *st)
{
	char answer[512];
	int fd = dial(st);

	say(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
	hear_end(fd, answer, sizeof(answer));
	assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\nhello"));
	close(fd);
}

static void slow_heads_end(void **state)
{
	struct stand *st = stand_open((struct http_limits){ 8, 60000, 300, 60000, 60000 });
	int fd = dial(st), silent = dial(st);
	char answer[64];

	say(fd, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	assert_true(dribble_until_closed(fd, "y"));
	assert_int_equal(hear_end(silent, answer, sizeof(answer)), 0); // it never said anything
	assert_int_equal(counter_read(&http_server_counts(st->server)->late), 1);
	close(fd);
	close(silent);
	ask_once(st);
	stand_close(st);
}

static void slow_bodies_end(void **state)
{
	struct stand *st = stand_open((struct http_limits){ 8, 60000, 60000, 300, 60000 });
	int fd = dial(st);

	say(fd, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
	assert_true(dribble_until_closed(fd, "z"));
	assert_int_equal(counter_read(&st->handled), 0);
	close(fd);
	stand_close(st);
}

// Eight megabytes, of which a socket's buffers take a part.
static void slow_readers_end(void **state)
{
	struct stand *st = stand_open((struct http_limits){ 8, 60000, 60000, 60000, 300 });
	int fd = dial(st);
	char *all = malloc(BIG + 1024);

	say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_for(&http_server_counts(st->server)->late, 1);
	assert_true(hear_end(fd, all, BIG + 1024) < BIG);
	free(all);
	close(fd);
	stand_close(st);
}

static void the_longest_wait_gives_way(void **state)
{
	struct stand *st = stand_open((struct http_limits){ 4, 60000, 60000, 60000, 60000 });
	int idle[8];

	for (int i = 0; i < 8; i++)
		idle[i] = dial(st);
	wait_for(&http_server_counts(st->server)->evicted, 4);
	for (int i = 0; i < 4; i++) {
		char c;

		assert_true(recv(idle[i], &c, 1, 0) <= 0);
	}
	ask_once(st);
	for (int i = 0; i < 8; i++)
		close(idle[i]);
	stand_close(st);
}

// Those whose answers are due do not give way: accepting waits until one is done.
static void a_full_house_waits(void **state)
{
	struct stand *st = stand_open((struct http_limits){ 2, 60000, 60000, 60000, 60000 });
	int busy[2] = { dial(st), dial(st) };

	say(busy[0], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	say(busy[1], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_for(&st->handled, 2);
	int third = dial(st);
	say(third, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	usleep(20000);
	assert_int_equal(counter_read(&st->handled), 2);
	close(busy[0]);
	wait_for(&st->gone, 1);
	wait_for(&st->handled, 3);
	close(busy[1]);
	close(third);
	wait_for(&st->gone, 3);
	stand_close(st);
}

static void a_stream_that_is_not_read_ends(void **state)
{
	struct stand *st = stand_open((struct http_limits){ 4, 60000, 60000, 60000, 60000 });
	int fd = dial(st);

	say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_for(&st->gone, 1); // what waits for it is above its bound
	assert_int_equal(counter_read(&http_server_counts(st->server)->cut), 1);
	close(fd);
	ask_once(st);
	stand_close(st);
}

// What comes before the cut is whole and in order, and nothing comes from behind it.
static void a_stream_has_no_hole(void **state)
{
	struct stand *st = stand_open((struct http_limits){ 4, 60000, 60000, 60000, 60000 });
	char *got = malloc(BIG), *at;
	int fd = dial(st);
	size_t n;

	say(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
	wait_for(&st->gone, 1);
	n = hear_end(fd, got, BIG);
	at = strstr(got, "\r\n\r\n");
	assert_non_null(at);
	at += 4;
	assert_true(got + n - at > 10000);
	for (char c = *at; at < got + n; c = (char)('a' + (c - 'a' + 1) % 26)) { // pieces of 4096 and of 1, in turn
		size_t len = strspn(at, (char[]){ c, '\0' });

		assert_true(len == 4096 || len == 1 || at + len == got + n);
		at += len;
	}
	close(fd);
	free(got);
	stand_close(st);
}

static void who_may_not_sends_no_body(void **state)
{
	struct stand *st = stand_open(http_limits_default);
	int fd = dial(st);
	char answer[512];

	say(fd, "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n");
	hear_end(fd, answer, sizeof(answer));
	assert_memory_equal(answer, "HTTP/1.1 403 ", 13);
	assert_non_null(strstr(answer, "Connection: close\r\n"));
	assert_int_equal(counter_read(&st->handled), 0);
	close(fd);
	fd = dial(st);
	say(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_true(recv(fd, answer, sizeof(answer), 0) > 0);
	assert_memory_equal(answer, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	say(fd, "ok");
	assert_true(recv(fd, answer, sizeof(answer), 0) > 0);
	assert_memory_equal(answer, "HTTP/1.1 200 OK\r\n", 17);
	close(fd);
	stand_close(st);
}

// The server ends while clients are in every phase.
static void the_end_takes_all_down(void **state)
{
	struct stand *st = stand_open(http_limits_default);
	int fds[5];

	for (int i = 0; i < 5; i++)
		fds[i] = dial(st);
	say(fds[0], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	say(fds[1], "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	say(fds[2], "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
	say(fds[3], "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
	wait_for(&st->handled, 3);
	stand_close(st);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_heads_end),
		cmocka_unit_test(slow_bodies_end),
		cmocka_unit_test(slow_readers_end),
		cmocka_unit_test(the_longest_wait_gives_way),
		cmocka_unit_test(a_full_house_waits),
		cmocka_unit_test(a_stream_that_is_not_read_ends),
		cmocka_unit_test(a_stream_has_no_hole),
		cmocka_unit_test(who_may_not_sends_no_body),
		cmocka_unit_test(the_end_takes_all_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
