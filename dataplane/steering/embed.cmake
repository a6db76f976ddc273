# SPDX-License-Identifier: GPL-3.0-or-later
# Writes the file IN as a C array to the header OUT.
file(READ ${IN} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR len "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "// The compiled XDP program. Generated.\n#include <stddef.h>\n"
	"static const unsigned char steering_image[] __attribute__((aligned(8))) = {\n${bytes}\n};\n"
	"static const size_t steering_image_len = ${len};\n")
