// SPDX-License-Identifier: GPL-3.0-or-later
// admin_page.c - GET /: gateway/admin/page as one document, with a policy by which a browser runs that and nothing else.
#include "dtls/dtls_fingerprint.h"
#include "gateway/admin/admin_priv.h"
#include "mediarelay/keying/base64.h"
#include <string.h>

// As admin_openapi.c has its document.
__asm__(".section .rodata\n"
	".global admin_page_begin, admin_page_end\n"
	"admin_page_begin:\n"
	".incbin \"" SALLYPORT_PAGE "\"\n"
	"admin_page_end:\n"
	".byte 0\n"
	".previous\n");

extern const char admin_page_begin[], admin_page_end[];

// CSP Level 3, section 2.3.1: the digest of what stands between the tags, in base64.
static int hash_of(char *text, size_t size, const char *open, const char *close)
{
	const char *begin = strstr(admin_page_begin, open), *end;
	struct dtls_fingerprint digest;
	int err;

	if (begin == NULL)
		return -1;
	begin += strlen(open);
	end = strstr(begin, close);
	if (end == NULL)
		return -1;
	err = dtls_fingerprint_of(&digest, DTLS_HASH_SHA256, begin, (size_t)(end - begin));
	return err == 0 && base64_encode(text, size, digest.digest, 32) > 0 ? 0 : -1;
}

void admin_page(struct admin_request *rq)
{
	char style[48], script[48], headers[768];

	if (hash_of(style, sizeof(style), "<style>", "</style>") < 0 ||
	    hash_of(script, sizeof(script), "<script type=\"module\">", "</script>") < 0) {
		admin_problem(rq, 500, "no digest of the page");
		return;
	}
	snprintf(headers, sizeof(headers),
		 "Content-Security-Policy: default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; img-src data:; connect-src 'self'; "
		 "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"
		 "Referrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\nCross-Origin-Opener-Policy: same-origin\r\n"
		 "Cross-Origin-Resource-Policy: same-origin\r\n",
		 script, style);
	admin_answer(rq, &(struct http_answer){ .status = 200, .type = "text/html; charset=utf-8", .headers = headers,
						.body = admin_page_begin, .len = (size_t)(admin_page_end - admin_page_begin) });
}
