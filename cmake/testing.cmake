# SPDX-License-Identifier: GPL-3.0-or-later
# Helpers for tests/unit and tests/fuzz. Every test runs with the repository's root as its working directory.
option(SALLYPORT_FUZZ "build fuzzers with libFuzzer (clang); without it they replay their corpus" OFF)

# The first finding of a sanitizer ends a test, with a stack. No detect_stack_use_after_return: gcc 12 aligns such a frame to
# 32 bytes only, and the worker has objects on cache lines (GCC bug 110027).
set(SALLYPORT_TEST_ENVIRONMENT
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=1
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
	LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0)

# Sets ${result} to the first of the given targets that this build does not have, or to "".
function(sallyport_missing_target result)
	set(${result} "" PARENT_SCOPE)
	foreach(library IN LISTS ARGN)
		if(NOT library MATCHES "::" AND NOT TARGET ${library})
			set(${result} ${library} PARENT_SCOPE)
		endif()
	endforeach()
endfunction()

# A test may be left out only where a developer builds a part of the folders.
function(sallyport_leave_out name missing)
	if(SALLYPORT_FOLDERS STREQUAL SALLYPORT_ALL_FOLDERS)
		message(SEND_ERROR "${name}: ${missing} or ${name}.c is missing")
	endif()
endfunction()

function(sallyport_add_test name timeout)
	add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
	set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} ENVIRONMENT "${SALLYPORT_TEST_ENVIRONMENT}")
endfunction()

# sallyport_unit_test(test_noun LIBS folder... [SOURCES more.c...] [TIMEOUT seconds] [LABELS label...])
# Builds test_noun.c of this folder with cmocka and registers it with ctest, labelled unit unless LABELS says otherwise
# (a test with fake time and a script is a "scenario").
function(sallyport_unit_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LIBS;SOURCES;LABELS")
	sallyport_missing_target(missing ${arg_LIBS})
	if(missing OR NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.c)
		sallyport_leave_out(${name} "${missing}")
		return()
	endif()
	add_executable(${name} ${name}.c ${arg_SOURCES})
	target_link_libraries(${name} PRIVATE ${arg_LIBS} PkgConfig::CMOCKA)
	if(NOT arg_TIMEOUT)
		set(arg_TIMEOUT 60)
	endif()
	sallyport_add_test(${name} ${arg_TIMEOUT} ${name})
	if(NOT arg_LABELS)
		set(arg_LABELS unit)
	endif()
	set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}")
endfunction()

# sallyport_fuzzer(noun LIBS folder... [SOURCES more.c...])
# Builds fuzz_noun.c of this folder. With SALLYPORT_FUZZ it is a libFuzzer program; always a test that replays corpus/noun/.
function(sallyport_fuzzer noun)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS;SOURCES")
	set(name fuzz_${noun})
	sallyport_missing_target(missing ${arg_LIBS})
	if(missing OR NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.c)
		sallyport_leave_out(${name} "${missing}")
		return()
	endif()
	add_executable(${name} ${name}.c ${arg_SOURCES})
	target_link_libraries(${name} PRIVATE ${arg_LIBS})
	target_compile_options(${name} PRIVATE -Wno-missing-prototypes) # libFuzzer declares the entry point nowhere
	if(SALLYPORT_FUZZ)
		target_link_options(${name} PRIVATE -fsanitize=fuzzer)
	else()
		target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.c)
	endif()
	set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${noun})
	if(SALLYPORT_FUZZ)
		sallyport_add_test(${name} 120 ${name} -runs=0 ${corpus})
	else()
		sallyport_add_test(${name} 120 ${name} ${corpus})
	endif()
	set_tests_properties(${name} PROPERTIES LABELS fuzz)
endfunction()
