// SPDX-License-Identifier: GPL-3.0-or-later
// sofia.c - what Sofia-SIP takes from the world, replaced: the clock, the log, name resolution, how much waits to be read, and the
// two calls by which messages come and go; and what it does to answers of other forks.
#include "signaling/sofia.h"
#include "base/clock.h"
#include "base/log.h"
#include <netdb.h>
#include <sofia-sip/su.h>
#include <sofia-sip/su_addrinfo.h>
#include <sofia-sip/su_log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define READ_MAX 65536 // octets at a time; with the rest of a message before them at most what a message may have

// A hook of the library: its own clock is the wall's, and a step of that would stop every timer.
extern void (*_su_time)(su_time_t *tv);

// In whole milliseconds: the library waits for so many, rounded down, and what is left of the last one before each timer it spent
// asking the kernel again and again. With some hundred calls a second that was all of a core.
static void monotonic_time(su_time_t *tv)
{
	mono_ns now = clock_now();

	tv->tv_sec = (unsigned long)(now / MONO_S(1)) + SU_TIME_EPOCH;
	tv->tv_usec = (unsigned long)(now % MONO_S(1) / MONO_MS(1) * 1000);
}

// The library writes lines in pieces; outside bytes in them are escaped by our log.
static void log_piece(void *stream, const char *format, va_list ap)
{
	static _Thread_local char line[512];
	static _Thread_local size_t used;
	int n = vsnprintf(line + used, sizeof(line) - used, format, ap);

	if (n < 0)
		return;
	used = used + (size_t)n < sizeof(line) ? used + (size_t)n : sizeof(line) - 1;
	if (used == 0 || (line[used - 1] != '\n' && used < sizeof(line) - 1))
		return;
	line[strcspn(line, "\n")] = '\0';
	log_debug("sofia", "message", LOG_STR("text", line));
	used = 0;
}

void sofia_setup(void)
{
	_su_time = monotonic_time;
	su_log_redirect(NULL, log_piece, NULL);
}

// Takes the place of the library's own function: an executable's symbol comes before a shared library's. Its transports
// would look up the name in a Via before they send a response, and block the sip thread for as long as a name server
// is silent: one malformed datagram from anybody was enough for 5 s. Names are never looked up here.
__attribute__((used, visibility("default"))) int su_getaddrinfo(const char *node, const char *service,
								const su_addrinfo_t *hints, su_addrinfo_t **res)
{
	su_addrinfo_t numeric = { 0 };

	if (hints != NULL)
		numeric = *hints;
	numeric.ai_flags |= AI_NUMERICHOST;
	return getaddrinfo(node, service, &numeric, res);
}

// In the library's place as well. Its stream transports read all that waits on a connection into one message, and when that is more
// than a message may have, they stop to read the connection for good: a tenth of a second without processor time was enough on a busy
// trunk. No datagram is longer, and what is left of a stream is read in the next round.
__attribute__((used, visibility("default"))) issize_t su_getmsgsize(su_socket_t s)
{
	int waiting = 0;

	if (ioctl(s, FIONREAD, &waiting) < 0)
		return -1;
	return waiting < READ_MAX ? waiting : READ_MAX;
}

static _Thread_local sofia_wire_f *on_wire;
static _Thread_local void *wire_ctx;

void sofia_on_wire(sofia_wire_f *wire, void *ctx)
{
	on_wire = wire;
	wire_ctx = ctx;
}

// In the library's place as well, these two: the same system calls, and a look at what went through them. The library's own log of
// messages leaves out repetitions, and wants each message kept twice.
__attribute__((used, visibility("default"))) issize_t su_vsend(su_socket_t s, su_iovec_t const iov[], isize_t len, int flags,
							       su_sockaddr_t const *su, socklen_t sulen)
{
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)su, .msg_namelen = sulen, .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = len,
	};
	ssize_t n = sendmsg(s, &msg, flags);

	if (n > 0 && on_wire != NULL)
		on_wire(wire_ctx, s, true, msg.msg_iov, len, (size_t)n, su != NULL ? &su->su_sa : NULL);
	return n;
}

__attribute__((used, visibility("default"))) issize_t su_vrecv(su_socket_t s, su_iovec_t iov[], isize_t len, int flags,
							       su_sockaddr_t *su, socklen_t *sulen)
{
	struct msghdr msg = {
		.msg_name = su, .msg_namelen = su != NULL && sulen != NULL ? *sulen : 0, .msg_iov = (struct iovec *)iov,
		.msg_iovlen = len,
	};
	ssize_t n = recvmsg(s, &msg, flags);

	if (sulen != NULL)
		*sulen = msg.msg_namelen;
	if (n > 0 && on_wire != NULL && (flags & (MSG_PEEK | MSG_ERRQUEUE)) == 0)
		on_wire(wire_ctx, s, false, msg.msg_iov, len, (size_t)n, su != NULL && msg.msg_namelen > 0 ? &su->su_sa : NULL);
	return n;
}

static sofia_stray_f *on_stray;
static void *stray_ctx;

void sofia_on_stray(sofia_stray_f *stray, void *ctx)
{
	on_stray = stray;
	stray_ctx = ctx;
}

int nta_msg_ackbye(nta_agent_t *agent, msg_t *msg);

// In the library's place as well. Its own sends ACK and BYE to wherever the Contact says, by name if need be, from the first
// socket of that transport, with the last CSeq that there is, and repeats neither.
__attribute__((used, visibility("default"))) int nta_msg_ackbye(nta_agent_t *agent, msg_t *msg)
{
	if (on_stray != NULL)
		return on_stray(stray_ctx, msg);
	msg_destroy(msg);
	return 0;
}
