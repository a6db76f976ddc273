// SPDX-License-Identifier: GPL-3.0-or-later
// mailbox.h - bounded queue of small fixed-size messages from any thread to one thread, with an eventfd to wait on.
// The lock inside is held for one copy only. The reader's fd is readable while there may be messages.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct mailbox;

int mailbox_open(struct mailbox **mbp, size_t slots, size_t message_size);
void mailbox_close(struct mailbox *mb);
int mailbox_push(struct mailbox *mb, const void *message); // -ENOSPC when full
int mailbox_pop(struct mailbox *mb, void *message);        // -EAGAIN when empty; clears the fd then
int mailbox_fd(const struct mailbox *mb);
