// SPDX-License-Identifier: GPL-3.0-or-later
// media_identity.c - the list only grows: a reader needs no lock, and nothing that a line has is taken away from it.
#include "mediarelay/media_identity.h"
#include "base/log.h"
#include "mediarelay/media_priv.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CERTIFICATE_DAYS 365
#define PATH_ROOM 512

static const char *path_of(char path[PATH_ROOM], const struct media_config *config, const char *file)
{
	snprintf(path, PATH_ROOM, "%s/%s", config->state_dir, file);
	return path;
}

// Of its digest: the same after a restart. 0 is no tag.
static uint16_t tag_of(const struct dtls_identity *identity)
{
	const struct dtls_fingerprint *fp = dtls_identity_fingerprint(identity, DTLS_HASH_SHA256);
	uint16_t tag = (uint16_t)(fp->digest[0] << 8 | fp->digest[1]);

	return tag != 0 ? tag : 1;
}

// A tag is all that a seat knows it by: of two that are alike, the second one is refused.
static int judge(void *ctx, const struct dtls_identity *identity)
{
	const struct media_identities *all = ctx;
	unsigned n = atomic_load(&all->n);

	for (unsigned i = 0; i < n; i++) {
		if (all->list[i].tag == tag_of(identity))
			return -EEXIST;
	}
	return 0;
}

static void publish(struct media_identities *all, struct dtls_identity *identity)
{
	unsigned n = atomic_load(&all->n);

	all->list[n].identity = identity;
	all->list[n].tag = tag_of(identity);
	atomic_store(&all->n, n + 1);
}

// Lines of calls that began with it may be in the records.
static void open_before(struct media_identities *all, const struct media_config *config)
{
	struct dtls_identity *identity;
	char path[PATH_ROOM];

	if (dtls_identity_load(&identity, path_of(path, config, "dtls-before.pem"), path) == 0)
		publish(all, identity);
}

static int open_current(struct dtls_identity **identity, const struct media_config *config)
{
	char path[PATH_ROOM];

	if (config->dtls_certificate != NULL)
		return dtls_identity_load(identity, config->dtls_certificate, config->dtls_key);
	return dtls_identity_load_or_make(identity, path_of(path, config, "dtls.pem"), CERTIFICATE_DAYS);
}

int media_identities_open(struct media_identities *all, const struct media_config *config)
{
	struct dtls_identity *identity = NULL;
	int err = open_current(&identity, config);

	if (err < 0)
		return err;
	open_before(all, config);
	publish(all, identity);
	return 0;
}

void media_identities_close(struct media_identities *all)
{
	unsigned n = atomic_exchange(&all->n, 0);

	for (unsigned i = 0; i < n; i++)
		dtls_identity_unref(all->list[i].identity);
}

const struct media_identity *media_identity_now(const struct media_identities *all)
{
	return &all->list[atomic_load(&all->n) - 1];
}

const struct media_identity *media_identity_of(const struct media_identities *all, uint16_t tag)
{
	unsigned n = atomic_load(&all->n);

	for (unsigned i = n; i-- > 0;) {
		if (all->list[i].tag == tag)
			return &all->list[i];
	}
	return &all->list[n - 1];
}

size_t media_certificates(const struct media *media, struct media_certificate list[MEDIA_CERTIFICATES_MAX])
{
	unsigned n = atomic_load(&media->identities.n);

	for (unsigned i = 0; i < n; i++) {
		list[i].facts = dtls_identity_facts(media->identities.list[n - 1 - i].identity);
		list[i].current = i == 0;
	}
	return n;
}

static int reread(struct media_identities *all, struct dtls_identity **identity, const struct media_config *config)
{
	int err = dtls_identity_load(identity, config->dtls_certificate, config->dtls_key);

	if (err == 0)
		err = judge(all, *identity);
	if (err == -EEXIST)
		dtls_identity_unref(*identity);
	return err;
}

static int replace(struct media_identities *all, struct dtls_identity **identity, const struct media_config *config, const char *pem, size_t len)
{
	char path[PATH_ROOM], before[PATH_ROOM];

	return dtls_identity_replace(identity, pem, len, CERTIFICATE_DAYS, path_of(path, config, "dtls.pem"),
				     path_of(before, config, "dtls-before.pem"), judge, all);
}

int media_certificate_replace(struct media *media, const char *pem, size_t len)
{
	const struct media_config *config = media->start.config;
	struct media_identities *all = &media->identities;
	struct dtls_identity *identity = NULL;
	int err;

	if (config->dtls_certificate != NULL && pem != NULL)
		return -EPERM;
	if (atomic_load(&all->n) == MEDIA_CERTIFICATES_MAX)
		return -ENOSPC;
	err = config->dtls_certificate != NULL ? reread(all, &identity, config) : replace(all, &identity, config, pem, len);
	if (err < 0)
		return err;
	publish(all, identity);
	log_info("media", "certificate", LOG_STR("fingerprint", dtls_identity_facts(identity)->fingerprint),
		 LOG_STR("algorithm", dtls_identity_facts(identity)->algorithm));
	return 0;
}
