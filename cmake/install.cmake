# SPDX-License-Identifier: GPL-3.0-or-later
# ninja install: the programs, the unit, the commented configuration as an example. /etc is the operator's, nothing is put there.
include(GNUInstallDirs)

if(TARGET sallyport AND TARGET sallyport-relay)
	install(TARGETS sallyport RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
	install(TARGETS sallyportctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} OPTIONAL) # a host may do without
	install(TARGETS sallyport-relay RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/sallyport)
endif()

# The unit as it is in the sources is for the default prefix.
file(READ ${PROJECT_SOURCE_DIR}/deploy/sallyport.service unit)
string(REPLACE "/usr/local/" "${CMAKE_INSTALL_PREFIX}/" unit "${unit}")
file(WRITE ${PROJECT_BINARY_DIR}/sallyport.service "${unit}")
install(FILES ${PROJECT_BINARY_DIR}/sallyport.service DESTINATION lib/systemd/system)
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY conf/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/conf FILES_MATCHING PATTERN "*.yaml")
