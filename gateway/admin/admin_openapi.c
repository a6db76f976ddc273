// SPDX-License-Identifier: GPL-3.0-or-later
// admin_openapi.c - GET /v1/openapi.json: gateway/admin/openapi.json, as it was when this was built.
#include "gateway/admin/admin_priv.h"

// The assembler takes the file in; the compiler would need a copy of it as text. CMakeLists.txt says where it is.
__asm__(".section .rodata\n"
	".global admin_openapi_begin, admin_openapi_end\n"
	"admin_openapi_begin:\n"
	".incbin \"" SALLYPORT_OPENAPI "\"\n"
	"admin_openapi_end:\n"
	".byte 0\n"
	".previous\n");

extern const char admin_openapi_begin[], admin_openapi_end[];

void admin_openapi(struct admin_request *rq)
{
	admin_answer_text(rq, 200, "application/json", admin_openapi_begin, (size_t)(admin_openapi_end - admin_openapi_begin));
}
