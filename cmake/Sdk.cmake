# The libraries that programs outside of this tree link.
include(CMakePackageConfigHelpers)

# Goes up when a program that was built with the former library would not run
# with this one (tests/lint/abi.txt; docs/c-worker.md, "Linking"); that is not
# what PROTOCOL.md calls a version.
set(HOIST_ABI 0)

# "a;b" with a word in front of each and behind it.
function(decorate out before after)
  list(TRANSFORM ARGN PREPEND "${before}")
  list(TRANSFORM ARGN APPEND "${after}")
  set(${out} "${ARGN}" PARENT_SCOPE)
endfunction()

# lib<name>.so: shows what lib<name>.map names, and nothing else.
function(sdk_shared name)
  set(map ${CMAKE_CURRENT_SOURCE_DIR}/lib${name}.map)
  add_library(lib${name} SHARED ${SDK_OBJECTS})
  set_target_properties(lib${name} PROPERTIES
    OUTPUT_NAME ${name} LINKER_LANGUAGE C LINK_DEPENDS ${map}
    VERSION ${PROJECT_VERSION} SOVERSION ${HOIST_ABI})
  target_link_options(lib${name} PRIVATE
    -Wl,--version-script=${map} -Wl,--no-undefined)
  decorate(uses lib "" ${SDK_USES})
  target_link_libraries(lib${name} PRIVATE
    build_flags ${uses} ${SDK_LINK} Threads::Threads)
  install(TARGETS lib${name} LIBRARY COMPONENT sdk NAMELINK_COMPONENT sdk)
endfunction()

# lib<name>.a: one object, whose names are local but for those that the public
# headers make visible; so none of ours (buf_put, settings_init, …) meets one of
# the program's.
function(sdk_archive name)
  set(archive ${CMAKE_CURRENT_BINARY_DIR}/lib${name}.a)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/lib${name}.o)
  add_custom_command(OUTPUT ${archive}
    COMMAND ${CMAKE_LINKER} -r -o ${object} ${SDK_OBJECTS}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${CMAKE_AR} rcs ${archive} ${object}
    DEPENDS ${SDK_PARTS} ${SDK_OBJECTS}
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(lib${name}_static ALL DEPENDS ${archive})
  install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
endfunction()

# What pkg-config and CMake find them by.  All is found from where the files lie,
# so that any --prefix and DESTDIR will do.
function(sdk_package name)
  string(REGEX REPLACE "^hoist-" "" SDK_TARGET ${name})
  set(SDK_NAME ${name})
  set(SDK_ABI ${HOIST_ABI})
  file(RELATIVE_PATH SDK_UP ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
    ${CMAKE_INSTALL_PREFIX})
  string(REPLACE ";" " " SDK_PC_USES "${SDK_USES}")
  decorate(uses "" -static ${SDK_USES})
  string(REPLACE ";" " " SDK_PC_USES_STATIC "${uses}")
  string(REPLACE ";" " " SDK_PC_REQUIRES "${SDK_REQUIRES}")
  string(REPLACE hoist- "" uses "${SDK_USES}")
  decorate(SDK_CMAKE_USES hoist:: "" ${uses})
  decorate(SDK_CMAKE_USES_STATIC hoist:: _static ${uses})

  set(at ${CMAKE_CURRENT_BINARY_DIR})
  configure_file(${PROJECT_SOURCE_DIR}/cmake/sdk/library.pc.in ${at}/${name}.pc @ONLY)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/sdk/library-static.pc.in
    ${at}/${name}-static.pc @ONLY)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/sdk/library.cmake.in
    ${at}/${name}.cmake @ONLY)
  install(FILES ${at}/${name}.pc ${at}/${name}-static.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT sdk)
  install(FILES ${at}/${name}.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hoist COMPONENT sdk)
endfunction()

# hoist_sdk_library(NAME DESCRIPTION text HEADERS files… PARTS targets…
#                   [LINK targets…] [REQUIRES modules…] [USES names…])
#
# A library and all that is installed with it: NAME is hoist or hoist-SOMETHING,
# lib<NAME>.map in its folder names what it shows.
#
#   PARTS     the static libraries of this tree that it is made of
#   LINK      what it links beside them, as CMake knows it,
#   REQUIRES  and the same as pkg-config knows it
#   USES      libraries of this kind (hoist) that its headers include
function(hoist_sdk_library name)
  cmake_parse_arguments(SDK "" "DESCRIPTION" "HEADERS;PARTS;LINK;REQUIRES;USES"
    ${ARGN})
  foreach(part ${SDK_PARTS})
    list(APPEND SDK_OBJECTS $<TARGET_OBJECTS:${part}>)
  endforeach()
  sdk_shared(${name})
  sdk_archive(${name})
  sdk_package(${name})
  install(FILES ${SDK_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT sdk)
  decorate(headers ${CMAKE_CURRENT_SOURCE_DIR}/ "" ${SDK_HEADERS})
  set_property(GLOBAL APPEND PROPERTY HOIST_SDK_LIBRARIES ${name})
  set_property(GLOBAL APPEND PROPERTY HOIST_SDK_HEADERS ${headers})
  set_property(GLOBAL PROPERTY HOIST_SDK_${name}
    ${CMAKE_CURRENT_SOURCE_DIR}/lib${name}.map $<TARGET_FILE:lib${name}>
    ${CMAKE_CURRENT_BINARY_DIR}/lib${name}.a ${headers})
endfunction()

# The files of find_package(hoist), once for all of them.
function(hoist_sdk_package)
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/hoist)
  file(RELATIVE_PATH SDK_CMAKE_UP ${CMAKE_INSTALL_FULL_LIBDIR}/cmake/hoist
    ${CMAKE_INSTALL_PREFIX})
  set(at ${CMAKE_CURRENT_BINARY_DIR})
  configure_file(${PROJECT_SOURCE_DIR}/cmake/sdk/hoist-config.cmake.in
    ${at}/hoist-config.cmake @ONLY)
  write_basic_package_version_file(${at}/hoist-config-version.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${at}/hoist-config.cmake ${at}/hoist-config-version.cmake
    DESTINATION ${folder} COMPONENT sdk)
endfunction()
