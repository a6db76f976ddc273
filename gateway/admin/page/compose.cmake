# SPDX-License-Identifier: GPL-3.0-or-later
# The page's parts, put into its frame: cmake -D parts=FOLDER -D page=FILE -P compose.cmake
file(READ ${parts}/page.html text)
file(READ ${parts}/page.css css)
set(js "")
foreach(part dom api overview call main)
	file(READ ${parts}/${part}.js one)
	string(APPEND js "${one}")
endforeach()
string(REPLACE "@CSS@" "${css}" text "${text}")
string(REPLACE "@JS@" "${js}" text "${text}")
file(WRITE ${page} "${text}")
