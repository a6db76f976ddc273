// SPDX-License-Identifier: GPL-3.0-or-later
// media_certificate.h - which DTLS certificates are in use, and another one for the lines to come. No line that is up is touched.
#pragma once
#include "dtls/dtls_facts.h"

#define MEDIA_CERTIFICATES_MAX 16 // of one life of control

struct media;

struct media_certificate {
	const struct dtls_certificate_facts *facts; // as long as media is there
	bool current;                               // new lines get it
};

size_t media_certificates(const struct media *media, struct media_certificate list[MEDIA_CERTIFICATES_MAX]); // newest first; any thread

// By one thread at a time. pem NULL: a new one of our own, or, where the configuration names files, those read again. Else certificates
// and key as PEM, kept in the state directory; -EPERM: the configuration names files. -EINVAL: no such pair; -EKEYEXPIRED; -EEXIST: it
// is there already, or cannot be told from one that is; -ENOSPC: there were too many in this life.
int media_certificate_replace(struct media *media, const char *pem, size_t len);
