# SPDX-License-Identifier: GPL-3.0-or-later
# Third-party libraries as imported targets. Which folder may link which one is checked by tests/layering.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)

if(DEFINED ENV{SALLYPORT_DEPS})
	set(deps_default $ENV{SALLYPORT_DEPS})
else()
	set(deps_default /var/cache/sallyport/deps)
endif()
set(SALLYPORT_DEPS ${deps_default} CACHE PATH "where deploy/setup installed wolfSSL and libsrtp2")

# A static library of the private prefix; deploy/setup builds it from a pinned source.
function(sallyport_private_library name archive header)
	if(NOT EXISTS ${SALLYPORT_DEPS}/lib/${archive} OR NOT EXISTS ${SALLYPORT_DEPS}/include/${header})
		message(FATAL_ERROR "${archive} is not in ${SALLYPORT_DEPS}: run deploy/setup first, "
			"or say -DSALLYPORT_DEPS=DIR if it was run with --prefix DIR")
	endif()
	add_library(Sallyport::${name} STATIC IMPORTED GLOBAL)
	set_target_properties(Sallyport::${name} PROPERTIES
		IMPORTED_LOCATION ${SALLYPORT_DEPS}/lib/${archive}
		INTERFACE_INCLUDE_DIRECTORIES ${SALLYPORT_DEPS}/include)
endfunction()

sallyport_private_library(wolfssl libwolfssl.a wolfssl/options.h)
# wolfSSL's headers must see the options that it was built with.
target_compile_definitions(Sallyport::wolfssl INTERFACE WOLFSSL_USE_OPTIONS_H)
target_link_libraries(Sallyport::wolfssl INTERFACE m Threads::Threads)

sallyport_private_library(srtp libsrtp2.a srtp2/srtp.h)
target_link_libraries(Sallyport::srtp INTERFACE OpenSSL::Crypto)

pkg_check_modules(SOFIA REQUIRED IMPORTED_TARGET GLOBAL sofia-sip-ua)
pkg_check_modules(DPDK REQUIRED IMPORTED_TARGET GLOBAL libdpdk>=22.11)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET GLOBAL libevent libevent_pthreads)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET GLOBAL jemalloc)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET GLOBAL jansson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET GLOBAL yaml-0.1)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET GLOBAL libsystemd)
pkg_check_modules(BPF REQUIRED IMPORTED_TARGET GLOBAL libbpf)
pkg_check_modules(XDP REQUIRED IMPORTED_TARGET GLOBAL libxdp)
pkg_check_modules(MNL REQUIRED IMPORTED_TARGET GLOBAL libmnl)
if(BUILD_TESTING)
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET GLOBAL cmocka)
endif()

# ipsec-mb ships no pkg-config file.
find_library(IPSEC_MB_LIBRARY NAMES IPSec_MB REQUIRED)
find_path(IPSEC_MB_INCLUDE NAMES intel-ipsec-mb.h ipsec-mb.h REQUIRED)
add_library(Sallyport::ipsec_mb UNKNOWN IMPORTED GLOBAL)
set_target_properties(Sallyport::ipsec_mb PROPERTIES
	IMPORTED_LOCATION ${IPSEC_MB_LIBRARY}
	INTERFACE_INCLUDE_DIRECTORIES ${IPSEC_MB_INCLUDE})

# The XDP program is compiled by clang whatever compiles the rest; dataplane/steering/ does it with SALLYPORT_BPF_CLANG.
find_program(SALLYPORT_BPF_CLANG NAMES clang clang-19 clang-16 clang-14 REQUIRED)
execute_process(COMMAND ${SALLYPORT_BPF_CLANG} -print-targets OUTPUT_VARIABLE clang_targets ERROR_QUIET)
if(NOT clang_targets MATCHES "bpf ")
	message(FATAL_ERROR "${SALLYPORT_BPF_CLANG} has no BPF target: install Debian's clang (deploy/setup does)")
endif()
