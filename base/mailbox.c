// SPDX-License-Identifier: GPL-3.0-or-later
// mailbox.c - a ring of slots under a mutex, and an eventfd that is readable exactly while messages may be there.
#include "base/mailbox.h"
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	pthread_mutex_t lock;
	size_t slots, message_size;
	size_t first, used;
	bool rung; // the eventfd has been written, or is about to be, and is not yet read
	int fd;
	uint8_t data[];
};

int mailbox_open(struct mailbox **mbp, size_t slots, size_t message_size)
{
	struct mailbox *mb;
	size_t bytes;

	if (mbp == NULL || slots == 0 || message_size == 0)
		return -EINVAL;
	if (__builtin_mul_overflow(slots, message_size, &bytes) || bytes > SIZE_MAX - sizeof(*mb))
		return -ENOMEM;
	mb = calloc(1, sizeof(*mb) + bytes);
	if (mb == NULL)
		return -ENOMEM;
	mb->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mb->fd < 0) {
		int err = -errno;

		free(mb);
		return err;
	}
	pthread_mutex_init(&mb->lock, NULL);
	mb->slots = slots;
	mb->message_size = message_size;
	*mbp = mb;
	return 0;
}

void mailbox_close(struct mailbox *mb)
{
	if (mb == NULL)
		return;
	close(mb->fd);
	pthread_mutex_destroy(&mb->lock);
	explicit_bzero(mb->data, mb->slots * mb->message_size); // messages may have held keys
	free(mb);
}

static uint8_t *slot_at(struct mailbox *mb, size_t i)
{
	return mb->data + (i % mb->slots) * mb->message_size;
}

// Its write may still be on the way: then the bell stays rung, and that write wakes the reader once more.
static void silence_bell(struct mailbox *mb)
{
	eventfd_t value;

	if (mb->rung && eventfd_read(mb->fd, &value) == 0)
		mb->rung = false;
}

int mailbox_push(struct mailbox *mb, const void *message)
{
	int err = -ENOSPC;
	bool ring = false;

	pthread_mutex_lock(&mb->lock);
	if (mb->used < mb->slots) {
		memcpy(slot_at(mb, mb->first + mb->used), message, mb->message_size);
		mb->used++;
		ring = !mb->rung;
		mb->rung = true;
		err = 0;
	}
	pthread_mutex_unlock(&mb->lock);
	if (ring) // without the lock: whom it wakes on our core would come for that at once, and wait
		eventfd_write(mb->fd, 1);
	return err;
}

int mailbox_pop(struct mailbox *mb, void *message)
{
	int err = -EAGAIN;

	pthread_mutex_lock(&mb->lock);
	if (mb->used > 0) {
		memcpy(message, slot_at(mb, mb->first), mb->message_size);
		explicit_bzero(slot_at(mb, mb->first), mb->message_size);
		mb->first = (mb->first + 1) % mb->slots;
		mb->used--;
		err = 0;
	} else {
		silence_bell(mb);
	}
	pthread_mutex_unlock(&mb->lock);
	return err;
}

int mailbox_fd(const struct mailbox *mb)
{
	return mb->fd;
}
