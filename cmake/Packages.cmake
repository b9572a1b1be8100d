# Third-party libraries, each as an imported (hence SYSTEM) target.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(CZMQ REQUIRED IMPORTED_TARGET libczmq)
pkg_check_modules(LWS REQUIRED IMPORTED_TARGET libwebsockets)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET libssl libcrypto) # as lws needs it
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto) # signatures
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl) # DynamoDB
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson) # the chat example

# Libraries whose pkg-config file is absent (libev) or wrong (msgpack-c on
# Debian 13 names a relative include path): library(TARGET HEADER NAMES…).
function(library target header)
  find_path(${target}_INCLUDE ${header} REQUIRED)
  find_library(${target}_LIBRARY NAMES ${ARGN} REQUIRED)
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE})
  target_link_libraries(${target} INTERFACE ${${target}_LIBRARY})
endfunction()

library(ev ev.h ev)
library(msgpack msgpack.h msgpack-c msgpackc) # an example of a bare worker
library(hiredis hiredis/hiredis.h hiredis)
