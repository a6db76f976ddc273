# SPDX-License-Identifier: GPL-3.0-or-later
# The Debian package: cpack, or ninja package. It has the date of SOURCE_DATE_EPOCH, else of the commit, so that the same sources
# make the same package (deploy/reproduce).
if(NOT TARGET manual)
	return()
endif()
set(SALLYPORT_MAINTAINER "Sallyport maintainers <sallyport@localhost>" CACHE STRING "who answers for the package that you build")

if(DEFINED ENV{SOURCE_DATE_EPOCH})
	set(epoch $ENV{SOURCE_DATE_EPOCH})
else()
	execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} log -1 --format=%ct
		OUTPUT_VARIABLE epoch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT epoch MATCHES "^[0-9]+$")
	set(epoch 0)
endif()

set(package ${PROJECT_BINARY_DIR}/debian)
set(revision 1)
file(MAKE_DIRECTORY ${package})
execute_process(COMMAND date --utc --rfc-email --date=@${epoch} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
file(WRITE ${package}/changelog "sallyport (${PROJECT_VERSION}-${revision}) unstable; urgency=medium

  * What has changed is in changelog.gz.

 -- ${SALLYPORT_MAINTAINER}  ${date}
")
execute_process(COMMAND gzip -9nc ${package}/changelog OUTPUT_FILE ${package}/changelog.Debian.gz)
execute_process(COMMAND gzip -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md OUTPUT_FILE ${package}/changelog.gz)
foreach(page sallyportctl.1 sallyport.yaml.5 sallyport.8 sallyport-relay.8)
	string(REGEX REPLACE ".*\\." "" section ${page})
	set(source ${PROJECT_BINARY_DIR}/man/${page})
	if(EXISTS ${PROJECT_SOURCE_DIR}/docs/man/${page})
		set(source ${PROJECT_SOURCE_DIR}/docs/man/${page})
	endif()
	install(CODE "execute_process(COMMAND gzip -9nc ${source} OUTPUT_FILE ${package}/${page}.gz COMMAND_ERROR_IS_FATAL ANY)"
		COMPONENT package EXCLUDE_FROM_ALL)
	install(FILES ${package}/${page}.gz DESTINATION /usr/share/man/man${section} COMPONENT package EXCLUDE_FROM_ALL)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/conf/minimal.yaml DESTINATION /etc/sallyport RENAME sallyport.yaml
	COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${package}/changelog.Debian.gz ${package}/changelog.gz ${PROJECT_SOURCE_DIR}/deploy/debian/copyright
	DESTINATION /usr/share/doc/sallyport COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/debian/lintian-overrides DESTINATION /usr/share/lintian/overrides RENAME sallyport
	COMPONENT package EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS
	"${PROJECT_BINARY_DIR};sallyport;program;/;${PROJECT_BINARY_DIR};sallyport;package;/")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/package_modes.cmake)
set(CPACK_PACKAGE_NAME sallyport)
set(CPACK_PACKAGE_CONTACT ${SALLYPORT_MAINTAINER})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${revision})
set(CPACK_DEBIAN_PACKAGE_SECTION comm)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "procps, systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ethtool, iproute2")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "media security gateway: SIP B2BUA and SRTP relay
Sallyport joins telephone networks that are secured differently: DTLS-SRTP on
one side, SDES or plain RTP on the other, each side with keys of its own. SIP
is ended on both sides; media is relayed by DPDK over AF_XDP. REST, metrics
and call records for those who run it.")
foreach(script postinst prerm postrm conffiles)
	list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/deploy/debian/${script})
endforeach()
include(CPack)
