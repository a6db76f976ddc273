// SPDX-License-Identifier: GPL-3.0-or-later
// media_identity.h - our DTLS certificates: the one that new lines get, and those that lines have which began before. A seat names its
// own, in SDP and in every handshake of its line, for as long as the line lives and through restarts of control.
#pragma once
#include "mediarelay/media_certificate.h"
#include <stdatomic.h>

struct dtls_identity;
struct media_config;

struct media_identities {
	_Atomic unsigned n; // those before it never change; written by the main thread, read by any
	struct media_identity {
		struct dtls_identity *identity;
		uint16_t tag;
	} list[MEDIA_CERTIFICATES_MAX];
};

int media_identities_open(struct media_identities *all, const struct media_config *config);
void media_identities_close(struct media_identities *all);
const struct media_identity *media_identity_now(const struct media_identities *all);
const struct media_identity *media_identity_of(const struct media_identities *all, uint16_t tag); // an unknown one's: that of now
