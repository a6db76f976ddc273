# SPDX-License-Identifier: GPL-3.0-or-later
# How everything of ours is compiled and linked, as one interface target.
include(CheckPIESupported)

option(SALLYPORT_WERROR "treat warnings as errors" OFF)
set(SALLYPORT_SANITIZE "" CACHE STRING "comma separated list for -fsanitize=")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # gnu17: sendmmsg, accept4, typeof and friends
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
check_pie_supported(LANGUAGES C)

# No -DNDEBUG: an invariant that does not hold must stop the process that broke it, in the field too.
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

find_program(CCACHE ccache)
if(CCACHE)
	set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

set(folders_have_no_name -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -ffile-prefix-map=${PROJECT_BINARY_DIR}=build)

add_library(sallyport_flags INTERFACE)
target_include_directories(sallyport_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(sallyport_flags INTERFACE
	_GNU_SOURCE
	SALLYPORT_VERSION="${PROJECT_VERSION}")
target_compile_options(sallyport_flags INTERFACE
	-Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wpointer-arith -Wwrite-strings
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wimplicit-fallthrough
	-Wno-unused-parameter           # callbacks have the signature that their caller wants
	-Wno-missing-field-initializers # the rest of an initializer is zero, as we mean it
	$<$<BOOL:${SALLYPORT_WERROR}>:-Werror>
	# Packet headers are looked at through structs; the compiler must not take that for an impossibility.
	-fno-strict-aliasing
	-fno-omit-frame-pointer
	# What is shipped names no folder of whoever built it (deploy/reproduce).
	"$<$<CONFIG:Release>:${folders_have_no_name}>"
	# Any x86-64 server since 2009. What needs more (AES-NI, VAES, AVX-512) is chosen at run time by ipsec-mb and OpenSSL.
	-march=x86-64-v2)

target_link_options(sallyport_flags INTERFACE "$<$<CONFIG:Release>:${folders_have_no_name}>") # across files, the linker compiles

# Hardening. Fortification needs optimisation and disturbs the sanitizers' own interception.
target_compile_options(sallyport_flags INTERFACE
	-fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
target_link_options(sallyport_flags INTERFACE
	-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
if(SALLYPORT_SANITIZE STREQUAL "")
	target_compile_options(sallyport_flags INTERFACE $<$<CONFIG:Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
else()
	target_compile_options(sallyport_flags INTERFACE
		-fsanitize=${SALLYPORT_SANITIZE} -fno-sanitize-recover=all)
	target_link_options(sallyport_flags INTERFACE -fsanitize=${SALLYPORT_SANITIZE})
	if(SALLYPORT_SANITIZE MATCHES "thread")
		# It does not model fences: the reader of a sequence lock is right all the same.
		target_compile_options(sallyport_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-tsan>)
	endif()
	string(REPLACE "," ";" sanitizers ${SALLYPORT_SANITIZE})
	foreach(sanitizer IN LISTS sanitizers)
		string(REPLACE "-" "_" sanitizer ${sanitizer})
		string(TOUPPER ${sanitizer} sanitizer)
		target_compile_definitions(sallyport_flags INTERFACE SALLYPORT_SANITIZE_${sanitizer}=1)
	endforeach()
endif()
