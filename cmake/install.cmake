# SPDX-License-Identifier: GPL-3.0-or-later
# ninja install: programs, unit, users and folders for systemd to make, manual, completion, documents. /etc is the operator's: only
# the package (cmake/package.cmake) puts a configuration there.
include(GNUInstallDirs)

if(NOT TARGET sallyport OR NOT TARGET sallyport-relay OR NOT TARGET sallyportctl)
	return()
endif()
install(TARGETS sallyport sallyportctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(TARGETS sallyport-relay RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/sallyport COMPONENT program)

# The unit as it is in the sources is for the default prefix; which one it will be is known when it is installed.
install(CODE "
	file(READ \"${PROJECT_SOURCE_DIR}/deploy/sallyport.service\" unit)
	string(REPLACE /usr/local/ \"\${CMAKE_INSTALL_PREFIX}/\" unit \"\${unit}\")
	file(WRITE \"${PROJECT_BINARY_DIR}/sallyport.service\" \"\${unit}\")" COMPONENT program)
install(FILES ${PROJECT_BINARY_DIR}/sallyport.service DESTINATION lib/systemd/system COMPONENT program)
install(FILES deploy/sallyport.sysusers DESTINATION lib/sysusers.d RENAME sallyport.conf COMPONENT program)
install(FILES deploy/sallyport.tmpfiles DESTINATION lib/tmpfiles.d RENAME sallyport.conf COMPONENT program)

# Component plain: what the package has in another form, as Debian wants it.
# The manual. Its lists of keys and of commands are made of what has them: the table of operations.md, and --help.
set(manual ${PROJECT_BINARY_DIR}/man)
file(MAKE_DIRECTORY ${manual})
find_program(AWK awk REQUIRED)
add_custom_command(OUTPUT ${manual}/sallyport.yaml.5
	COMMAND ${AWK} -f docs/man/keys.awk docs/operations.md docs/man/sallyport.yaml.5.in > ${manual}/sallyport.yaml.5
	DEPENDS docs/man/keys.awk docs/operations.md docs/man/sallyport.yaml.5.in
	WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
add_custom_command(OUTPUT ${manual}/sallyportctl.1
	COMMAND $<TARGET_FILE:sallyportctl> --help > ${manual}/sallyportctl.help
	COMMAND ${AWK} -f docs/man/help.awk - docs/man/sallyportctl.1.in < ${manual}/sallyportctl.help > ${manual}/sallyportctl.1
	DEPENDS sallyportctl docs/man/help.awk docs/man/sallyportctl.1.in
	WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual}/sallyport.yaml.5 ${manual}/sallyportctl.1)
install(FILES ${manual}/sallyportctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT plain)
install(FILES ${manual}/sallyport.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT plain)
install(FILES docs/man/sallyport.8 docs/man/sallyport-relay.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT plain)

install(FILES deploy/completion/sallyport deploy/completion/sallyportctl
	DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
install(FILES deploy/prometheus/alerts.yaml deploy/grafana/sallyport.json
	DESTINATION ${CMAKE_INSTALL_DATADIR}/sallyport COMPONENT program)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program
	FILES_MATCHING PATTERN "*.md" PATTERN "*.schema.json" PATTERN decisions EXCLUDE PATTERN man EXCLUDE)
install(DIRECTORY conf/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/conf COMPONENT program FILES_MATCHING PATTERN "*.yaml")
install(FILES LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT plain)
