// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_listener.c - ClientHellos from unproven addresses: merged in a fixed table, answered with a cookie, forgotten.
#include "dtls/dtls_cookie.h"
#include "dtls/dtls_hello.h"
#include "dtls/dtls_identity_priv.h"
#include "dtls/dtls_record.h"
#include "dtls/dtls_time.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SETS 256
#define WAYS 4 // half-received ClientHellos a port
#define SLOT_LIFE MONO_S(2)
#define HELLO_LIMIT 4096
#define PEER_MAX 28
#define REPLY_MAX 1500

struct slot {
	uint64_t port;
	mono_ns since; // 0: empty
	uint32_t bytes_in;
	uint8_t peer_len;
	uint8_t peer[PEER_MAX];
	struct dtls_hello_merge merge;
};

struct dtls_listener {
	const struct env *env;
	struct dtls_identity *identity;
	struct dtls_cookie *cookie;
	WOLFSSL_CTX *ctx;
	WOLFSSL *scratch; // looks at one hello after another, and keeps nothing of them
	bool dtls12, dtls13;
	uint16_t mtu;
	const uint8_t *in; // during a call
	size_t in_len;
	size_t reply_len;
	uint8_t reply[REPLY_MAX];
	struct dtls_hello_merge alone; // for hellos that come in one piece
	struct slot slots[SETS][WAYS];
	struct dtls_listener_info info;
};

static int on_recv(WOLFSSL *ssl, char *buf, int room, void *ctx)
{
	struct dtls_listener *l = ctx;
	size_t n = l->in_len;

	if (l->in == NULL || n > (size_t)room)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	memcpy(buf, l->in, n);
	l->in = NULL;
	return (int)n;
}

// At most one answer, and never an alert: whoever is there has proven nothing.
static int on_send(WOLFSSL *ssl, char *buf, int len, void *ctx)
{
	struct dtls_listener *l = ctx;

	if (len > 0 && len <= REPLY_MAX && buf[0] == DTLS_HANDSHAKE && l->reply_len == 0) {
		memcpy(l->reply, buf, (size_t)len);
		l->reply_len = (size_t)len;
	}
	return len;
}

static int scratch_renew(struct dtls_listener *l)
{
	wolfSSL_free(l->scratch);
	l->scratch = wolfSSL_new(l->ctx);
	if (l->scratch == NULL)
		return -ENOMEM;
	wolfSSL_SSLSetIORecv(l->scratch, on_recv);
	wolfSSL_SSLSetIOSend(l->scratch, on_send);
	wolfSSL_SetIOReadCtx(l->scratch, l);
	wolfSSL_SetIOWriteCtx(l->scratch, l);
	wolfSSL_dtls_set_using_nonblock(l->scratch, 1);
	wolfSSL_dtls_set_mtu(l->scratch, l->mtu);
	return 0;
}

int dtls_listener_open(struct dtls_listener **lp, const struct dtls_listener_config *config)
{
	struct dtls_listener *l;
	int err;

	if (lp == NULL || config == NULL || config->identity == NULL || config->cookie == NULL)
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -ENOMEM;
	l->env = config->env != NULL ? config->env : &env_real;
	l->identity = dtls_identity_ref(config->identity);
	l->cookie = config->cookie;
	l->dtls12 = config->min_version != DTLS_VERSION_1_3;
	l->dtls13 = config->max_version != DTLS_VERSION_1_2;
	l->mtu = config->mtu != 0 ? config->mtu : 1200;
	l->alone.limit = HELLO_LIMIT;
	for (size_t i = 0; i < SETS * WAYS; i++)
		l->slots[i / WAYS][i % WAYS].merge.limit = HELLO_LIMIT;
	l->ctx = dtls_identity_ctx(l->identity, DTLS_PASSIVE, config->min_version, config->max_version);
	err = l->ctx != NULL ? scratch_renew(l) : -EINVAL;
	if (err < 0)
		goto out;
	*lp = l;
	l = NULL;
out:
	dtls_listener_close(l);
	return err;
}

void dtls_listener_close(struct dtls_listener *l)
{
	if (l == NULL)
		return;
	wolfSSL_free(l->scratch);
	for (size_t i = 0; i < SETS * WAYS; i++)
		dtls_hello_merge_clear(&l->slots[i / WAYS][i % WAYS].merge);
	dtls_hello_merge_clear(&l->alone);
	dtls_identity_unref(l->identity);
	free(l);
}

static bool slot_is(const struct slot *s, uint64_t port, const void *peer, size_t peer_len)
{
	return s->since != 0 && s->port == port && s->peer_len == peer_len && memcmp(s->peer, peer, peer_len) == 0;
}

static void slot_clear(struct slot *s)
{
	dtls_hello_merge_clear(&s->merge);
	s->since = 0;
}

// The peer's slot in its port's set; else an empty or outlived one; else the oldest gives way.
static struct slot *slot_find(struct dtls_listener *l, uint64_t port, const void *peer, size_t peer_len)
{
	struct slot *set = l->slots[(port * UINT64_C(0x9E3779B97F4A7C15)) >> 56], *oldest = set;
	mono_ns now = env_now(l->env);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].since != 0 && now - set[i].since > SLOT_LIFE)
			slot_clear(&set[i]);
		if (slot_is(&set[i], port, peer, peer_len))
			return &set[i];
	}
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].since < oldest->since)
			oldest = &set[i];
	l->info.drops[DTLS_LISTENER_DROP_OVERWRITTEN] += oldest->since != 0;
	slot_clear(oldest);
	oldest->since = now != 0 ? now : 1;
	oldest->port = port;
	oldest->bytes_in = 0;
	oldest->peer_len = (uint8_t)peer_len;
	memcpy(oldest->peer, peer, peer_len);
	return oldest;
}

enum verdict { STATELESS_ANSWERED, STATELESS_PROVEN, STATELESS_REFUSED };

// Shows one hello to the library under one secret. What it would answer is in l->reply, unless there is an answer
// already.
static enum verdict stateless_try(struct dtls_listener *l, uint64_t generation, const void *peer, size_t peer_len,
				  const struct dtls_hello_result *hello)
{
	int r;

	if (l->scratch == NULL && scratch_renew(l) < 0)
		return STATELESS_REFUSED;
	if (dtls_cookie_use(l->cookie, generation, l->scratch, peer, peer_len) < 0)
		return STATELESS_REFUSED;
	l->in = hello->pass;
	l->in_len = hello->pass_len;
	r = wolfDTLS_accept_stateless(l->scratch);
	l->in = NULL;
	if (r == WOLFSSL_FAILURE)
		return STATELESS_ANSWERED;
	scratch_renew(l); // it has taken the hello up, or stumbled over it
	return r == WOLFSSL_SUCCESS ? STATELESS_PROVEN : STATELESS_REFUSED;
}

static int drop(struct dtls_listener *l, struct dtls_proof *proof, enum dtls_listener_drop why)
{
	l->info.drops[why]++;
	proof->drop = why;
	return 0;
}

// RFC 6347 section 4.2.1, and the rule of QUIC made stricter: never more bytes out than came in.
static int answer(struct dtls_listener *l, size_t bytes_in, const struct dtls_out *out, struct dtls_proof *proof)
{
	if (l->reply_len > bytes_in)
		return drop(l, proof, DTLS_LISTENER_DROP_TOO_LONG);
	l->info.answers_out++;
	l->info.bytes_out += l->reply_len;
	out->send(out->ctx, l->reply, l->reply_len);
	return 0;
}

static int hello_handle(struct dtls_listener *l, const void *peer, size_t peer_len, size_t bytes_in,
			const struct dtls_hello_result *merged, const struct dtls_out *out, struct dtls_proof *proof)
{
	uint64_t generation = dtls_cookie_generation(l->cookie);
	struct dtls_hello hello;
	enum verdict verdict;

	if (dtls_hello_parse(&hello, merged->hello, merged->hello_len) < 0)
		return drop(l, proof, DTLS_LISTENER_DROP_MALFORMED);
	if (hello.n_ciphers == 0 || !((hello.dtls13 && l->dtls13) || (hello.dtls12 && l->dtls12)))
		return drop(l, proof, DTLS_LISTENER_DROP_NO_VERSION);
	l->reply_len = 0;
	verdict = stateless_try(l, generation, peer, peer_len, merged);
	if (verdict != STATELESS_PROVEN && hello.has_cookie && generation > 1) // the cookie may be of the last secret
		verdict = stateless_try(l, --generation, peer, peer_len, merged);
	if (verdict == STATELESS_PROVEN) {
		l->info.proven++;
		*proof = (struct dtls_proof){ merged->pass, merged->pass_len, generation, DTLS_LISTENER_KEPT };
		return 1;
	}
	if (hello.has_cookie)
		drop(l, proof, DTLS_LISTENER_DROP_BAD_COOKIE);
	if (l->reply_len > 0) // of the current secret; DTLS 1.2 answers a bad cookie by a good one
		return answer(l, bytes_in, out, proof);
	return hello.has_cookie ? 0 : drop(l, proof, DTLS_LISTENER_DROP_REFUSED);
}

int dtls_listener_input(struct dtls_listener *l, uint64_t port, const void *peer, size_t peer_len, const void *datagram,
			size_t len, const struct dtls_out *out, struct dtls_proof *proof)
{
	struct dtls_hello_result merged;
	struct slot *slot;

	if (peer_len == 0 || peer_len > PEER_MAX)
		return -EINVAL;
	*proof = (struct dtls_proof){ 0 };
	dtls_time_set(env_now(l->env));
	l->info.datagrams_in++;
	l->info.bytes_in += len;
	dtls_hello_filter(&l->alone, datagram, len, &merged);
	if (merged.hello != NULL) // all in one datagram: nothing to remember
		return hello_handle(l, peer, peer_len, len, &merged, out, proof);
	if (merged.pass != NULL)
		return drop(l, proof, DTLS_LISTENER_DROP_NOT_HELLO);
	dtls_hello_merge_clear(&l->alone);
	if (!merged.kept)
		return drop(l, proof, DTLS_LISTENER_DROP_MALFORMED);
	slot = slot_find(l, port, peer, peer_len);
	slot->bytes_in += (uint32_t)len;
	dtls_hello_filter(&slot->merge, datagram, len, &merged);
	if (merged.hello == NULL)
		return 0;
	slot->since = 1; // answered or proven: the first to give way
	return hello_handle(l, peer, peer_len, slot->bytes_in, &merged, out, proof);
}

bool dtls_is_hello(const void *datagram, size_t len)
{
	struct dtls_record r;

	return dtls_record_read(&r, datagram, len) > 0 && r.type == DTLS_HANDSHAKE && r.epoch == 0 && r.len > 0 &&
	       r.body[0] == DTLS_CLIENT_HELLO;
}

void dtls_listener_info(const struct dtls_listener *l, struct dtls_listener_info *info)
{
	*info = l->info;
}

#define X(name, word, text) { word, text },
static const struct {
	const char *word, *text;
} drops[] = { { "kept", "kept" }, DTLS_LISTENER_DROPS(X) };
#undef X

const char *dtls_listener_drop_word(enum dtls_listener_drop drop)
{
	return drop < DTLS_LISTENER_DROP_COUNT ? drops[drop].word : "unknown";
}

const char *dtls_listener_drop_text(enum dtls_listener_drop drop)
{
	return drop < DTLS_LISTENER_DROP_COUNT ? drops[drop].text : "unknown";
}
