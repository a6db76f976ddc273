// SPDX-License-Identifier: GPL-3.0-or-later
// admin_auth.c - digests made, kept and compared.
#include "gateway/admin/admin_auth.h"
#include "base/log.h"
#include "base/secret.h"
#include "dtls/dtls_fingerprint.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TAG "admin"
#define TOKEN_LEAST 16 // octets: less can be tried through
#define TOKEN_MOST 192

struct admin_client {
	struct admin_token as; // without a digest
	char subject[sizeof(((struct admin_certificate *)0)->subject)];
};

struct admin_auth {
	size_t n, n_clients;
	struct admin_client *clients;
	struct admin_token tokens[];
};

static int digest_of(uint8_t digest[ADMIN_DIGEST], const char *token, size_t len)
{
	struct dtls_fingerprint fp;
	int err = dtls_fingerprint_of(&fp, DTLS_HASH_SHA256, token, len);

	if (err == 0)
		memcpy(digest, fp.digest, ADMIN_DIGEST);
	return err;
}

static int read_token(struct admin_token *token)
{
	char text[TOKEN_MOST + 2];
	int fd = open(token->file, O_RDONLY | O_CLOEXEC | O_NOCTTY), err = -EINVAL;
	ssize_t n;
	size_t len;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		err = -errno;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	len = strcspn(text, "\r\n"); // an editor's last line end
	if (n > 0 && len >= TOKEN_LEAST && len <= TOKEN_MOST)
		err = digest_of(token->digest, text, len);
	secret_wipe(text, sizeof(text));
	return err;
}

int admin_auth_open(struct admin_auth **authp, const struct admin_config *config)
{
	struct admin_auth *auth = calloc(1, sizeof(*auth) + config->n_tokens * sizeof(auth->tokens[0]));

	if (auth == NULL)
		return -ENOMEM;
	auth->n = config->n_tokens;
	auth->clients = calloc(config->n_certificates + 1, sizeof(*auth->clients)); // calloc(0) may return NULL
	if (auth->clients == NULL) {
		free(auth);
		return -ENOMEM;
	}
	auth->n_clients = config->n_certificates;
	for (size_t i = 0; i < auth->n_clients; i++) {
		const struct admin_certificate *c = &config->certificates[i];

		auth->clients[i].as = (struct admin_token){ .role = c->role };
		memcpy(auth->clients[i].as.name, c->name, sizeof(c->name));
		memcpy(auth->clients[i].subject, c->subject, sizeof(c->subject));
	}
	for (size_t i = 0; i < auth->n; i++) {
		int err = 0;

		auth->tokens[i] = config->tokens[i];
		if (auth->tokens[i].file != NULL)
			err = read_token(&auth->tokens[i]);
		if (err < 0) {
			log_error(TAG, "token", LOG_STR("name", auth->tokens[i].name), LOG_STR("file", auth->tokens[i].file),
				  LOG_ERRNO(err));
			admin_auth_close(auth);
			return err;
		}
		auth->tokens[i].file = NULL; // the configuration's, which a reload frees
	}
	*authp = auth;
	return 0;
}

void admin_auth_close(struct admin_auth *auth)
{
	if (auth == NULL)
		return;
	free(auth->clients);
	secret_wipe(auth, sizeof(*auth) + auth->n * sizeof(auth->tokens[0]));
	free(auth);
}

const struct admin_token *admin_auth_find(const struct admin_auth *auth, const char *authorization)
{
	const struct admin_token *found = NULL;
	uint8_t digest[ADMIN_DIGEST];

	if (strncasecmp(authorization, "Bearer ", 7) != 0 ||
	    digest_of(digest, authorization + 7, strlen(authorization + 7)) < 0)
		return NULL;
	for (size_t i = 0; i < auth->n; i++) { // all of them, whoever it is
		if (secret_equal(digest, auth->tokens[i].digest, sizeof(digest)))
			found = &auth->tokens[i];
	}
	return found;
}

const struct admin_token *admin_auth_certificate(const struct admin_auth *auth, bool (*is)(const void *ctx, const char *name),
						 const void *ctx)
{
	for (size_t i = 0; i < auth->n_clients; i++) {
		if (is(ctx, auth->clients[i].subject))
			return &auth->clients[i].as;
	}
	return NULL;
}
