// SPDX-License-Identifier: GPL-3.0-or-later
// srtcp.h - SRTCP of one transport, direction and key epoch (RFC 3711 section 3.4), done on the media thread, where
// packets are few. libsrtp2 does the work; what must survive a restart is read and set here: a sender's indices are
// reserved in blocks, and the record must hold the reservation before the packet leaves (srtcp_unsaved()).
#pragma once
#include "dataplane/srtp_suite.h"
#include <stdbool.h>
#include <stddef.h>

#define SRTCP_SSRCS_MAX 16
#define SRTCP_TRAILER_MAX (20 + SRTP_MKI_MAX) // index, MKI, tag
#define SRTCP_BLOCK 64       // indices reserved at a time

enum srtcp_direction { SRTCP_RECEIVE, SRTCP_SEND };

struct srtcp_mark { // of one SSRC: a sender's reserved index, a receiver's newest one
	uint32_t ssrc, index;
};

struct srtcp_marks {
	uint32_t n;
	struct srtcp_mark mark[SRTCP_SSRCS_MAX];
};

struct srtcp;

int srtcp_setup(void); // before any other call; any number of times
int srtcp_open(struct srtcp **sp, const struct srtp_master *master, enum srtcp_direction direction);
void srtcp_close(struct srtcp *s); // wipes keys; NULL is fine
// Of every packet from now on: sent, or expected (-EBADMSG without it). At first there is none. s: NULL is fine.
void srtcp_set_mki(struct srtcp *s, const struct srtp_mki *mki);

// In place. *len grows by at most SRTCP_TRAILER_MAX; room is the size of the buffer.
// -EMSGSIZE no room, -ENOSPC too many SSRCs, -EBADMSG not a compound packet, -EKEYEXPIRED index used up.
int srtcp_protect(struct srtcp *s, uint8_t *packet, size_t *len, size_t room);
// -EBADMSG tag wrong or malformed, -EALREADY replayed, -ENOSPC too many SSRCs, -EPERM not encrypted (E = 0) or,
// of a suite that encrypts nothing, said to be (E = 1).
int srtcp_unprotect(struct srtcp *s, uint8_t *packet, size_t *len);

bool srtcp_unsaved(const struct srtcp *s); // the marks grew beyond what was last read
void srtcp_save(struct srtcp *s, struct srtcp_marks *marks);
int srtcp_restore(struct srtcp *s, const struct srtcp_marks *marks); // before the first packet
