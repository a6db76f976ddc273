// SPDX-License-Identifier: GPL-3.0-or-later
// exception.c - the TAPs, and the thread that serves them.
#include "dataplane/worker/exception.h"
#include "base/log.h"
#include "dataplane/worker/relay.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define UP_RING 512  // frames to Linux that may wait; of the 8,192 buffers a queue
#define UP_TURN 256  // of one port before another has its turn
#define DOWN_TURN 64

struct dp_exception {
	struct dp_port *port;
	int tap; // -1: gone
	struct rte_ring *up;
	struct dp_port_record *record; // the thread's
};

struct exceptions {
	struct relay *relay;
	struct dp_exception *list[DP_PORTS_MAX];
	unsigned n;
	int wake;
	_Atomic bool sleeping, stop;
	pthread_t thread;
};

// ---- the TAP

static int tap_attach(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd;

	if (if_nametoindex(name) == 0)
		return -ENODEV; // we would make one without addresses
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

// Linux must answer ARP with the address that the NIC listens to.
static int tap_mac_set(const char *name, const uint8_t mac[6])
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", name);
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	err = ioctl(fd, SIOCSIFHWADDR, &ifr) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int exception_open(struct dp_exception **exp, struct dp_port *port, char why[256])
{
	struct dp_exception *ex = calloc(1, sizeof(*ex));
	char name[32];
	int err;

	if (ex == NULL)
		return -ENOMEM;
	ex->port = port;
	err = ex->tap = tap_attach(port->name);
	if (err >= 0)
		err = tap_mac_set(port->name, port->mac);
	snprintf(name, sizeof(name), "up%u", port->index);
	ex->up = rte_ring_create(name, UP_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (err >= 0 && ex->up == NULL)
		err = -rte_errno;
	if (err < 0) {
		snprintf(why, 256, "port %s: its TAP interface cannot be used (%s); ip tuntap add dev %s mode tap makes one",
			 port->name, strerror(-err), port->name);
		exception_close(ex);
		return err;
	}
	*exp = ex;
	return 0;
}

void exception_close(struct dp_exception *ex)
{
	struct rte_mbuf *m;

	if (ex == NULL)
		return;
	while (ex->up != NULL && rte_ring_dequeue(ex->up, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ex->up);
	if (ex->tap >= 0)
		close(ex->tap);
	free(ex);
}

bool exception_push(struct dp_exception *ex, struct rte_mbuf *m)
{
	return rte_ring_mp_enqueue(ex->up, m) == 0;
}

void exception_carrier(struct dp_exception *ex, bool up)
{
	int carrier = up;

	if (ex->tap >= 0)
		(void)ioctl(ex->tap, TUNSETCARRIER, &carrier);
}

// ---- frames

static void up_serve(struct dp_exception *ex)
{
	struct rte_mbuf *pkts[RELAY_BURST];
	unsigned n;

	for (unsigned done = 0; done < UP_TURN; done += n) {
		n = rte_ring_sc_dequeue_burst(ex->up, (void **)pkts, RELAY_BURST, NULL);
		for (unsigned i = 0; i < n; i++) {
			bool gone = write(ex->tap, rte_pktmbuf_mtod(pkts[i], void *), pkts[i]->data_len) < 0;

			dp_count(gone ? &ex->record->to_linux_lost : &ex->record->to_linux, 1);
			rte_pktmbuf_free(pkts[i]);
		}
		if (n == 0)
			return;
	}
}

// One frame of Linux's; NULL: there is none now, or none that fits.
static struct rte_mbuf *frame_read(struct dp_exception *ex, bool *more)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(ex->port->pool);
	uint8_t nowhere[64];
	ssize_t n;

	n = m == NULL ? read(ex->tap, nowhere, sizeof(nowhere)) :
			read(ex->tap, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
	*more = n > 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		log_error("relay", "TAP gone", LOG_STR("port", ex->port->name), LOG_ERRNO(-errno));
		close(ex->tap);
		ex->tap = -1;
	}
	if (m != NULL && n > 0 && n < rte_pktmbuf_tailroom(m)) { // as long as the room: cut
		m->data_len = (uint16_t)n;
		m->pkt_len = (uint32_t)n;
		return m;
	}
	if (n > 0)
		dp_count(&ex->record->from_linux_lost, 1);
	rte_pktmbuf_free(m);
	return NULL;
}

// True: there may be more.
static bool down_serve(struct exceptions *e, struct dp_exception *ex)
{
	struct rte_ring *outbox = ex->port->queues[0]->outbox;
	unsigned n = 0;
	bool more = true;

	while (ex->tap >= 0 && more && n < DOWN_TURN) {
		struct rte_mbuf *m = frame_read(ex, &more);

		if (m == NULL)
			continue;
		if (rte_ring_mp_enqueue(outbox, m) == 0) {
			dp_count(&ex->record->from_linux, 1);
		} else {
			dp_count(&ex->record->from_linux_lost, 1);
			rte_pktmbuf_free(m);
		}
		n++;
	}
	if (n > 0)
		relay_worker_wake(e->relay->workers[0]); // whose the first queue of each port is
	return more && n > 0;
}

static void wait(struct exceptions *e, bool more)
{
	struct pollfd fds[1 + DP_PORTS_MAX] = { { .fd = e->wake, .events = POLLIN } };
	uint64_t ticks;

	atomic_store(&e->sleeping, true);
	for (unsigned i = 0; i < e->n; i++) {
		fds[1 + i] = (struct pollfd){ .fd = e->list[i]->tap, .events = POLLIN }; // -1 is left out
		more |= rte_ring_count(e->list[i]->up) > 0;
	}
	poll(fds, 1 + e->n, more ? 0 : -1);
	atomic_store(&e->sleeping, false);
	(void)!read(e->wake, &ticks, sizeof(ticks));
}

static void *exceptions_run(void *arg)
{
	struct exceptions *e = arg;
	bool more = false;

	while (!atomic_load(&e->stop)) {
		wait(e, more);
		more = false;
		for (unsigned i = 0; i < e->n; i++) {
			up_serve(e->list[i]);
			more |= down_serve(e, e->list[i]);
		}
	}
	return NULL;
}

// ---- the thread

int exceptions_start(struct exceptions **ep, struct relay *relay)
{
	struct exceptions *e = calloc(1, sizeof(*e));
	int err;

	if (e == NULL)
		return -ENOMEM;
	e->relay = relay;
	e->wake = -1;
	for (unsigned i = 0; i < relay->map.config.n_ports; i++) {
		struct dp_exception *ex = relay->ports[i]->exception;

		if (ex == NULL)
			continue;
		ex->record = &relay->map.ports[i];
		e->list[e->n++] = ex;
	}
	if (e->n == 0) {
		free(e);
		return 0;
	}
	e->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = e->wake < 0 ? -errno : -pthread_create(&e->thread, NULL, exceptions_run, e);
	if (err < 0) {
		if (e->wake >= 0)
			close(e->wake);
		free(e);
		return err;
	}
	pthread_setname_np(e->thread, "taps");
	*ep = e;
	return 0;
}

void exceptions_stop(struct exceptions *e)
{
	if (e == NULL)
		return;
	atomic_store(&e->stop, true);
	eventfd_write(e->wake, 1);
	pthread_join(e->thread, NULL);
	close(e->wake);
	free(e);
}

void exceptions_wake(struct exceptions *e)
{
	if (atomic_exchange(&e->sleeping, false))
		eventfd_write(e->wake, 1);
}
