# Warnings every target of ours is built with.  Third-party headers arrive as
# SYSTEM includes and are exempt.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

option(STRICT "Treat warnings as errors (on in CI)" OFF)
set(SANITIZE "" CACHE STRING "address;undefined | thread | (empty)")
option(FUZZ "Build libFuzzer targets (clang)" OFF)

add_library(build_flags INTERFACE)

function(flag_if_known)
  foreach(flag ${ARGN})
    string(MAKE_C_IDENTIFIER "HAVE${flag}" var)
    check_c_compiler_flag("${flag}" ${var})
    if(${var})
      target_compile_options(build_flags INTERFACE ${flag})
    endif()
  endforeach()
endfunction()

flag_if_known(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wundef -Wvla
  -Wcast-qual -Wwrite-strings -Wpointer-arith -Wstrict-prototypes
  -Wmissing-prototypes -Wimplicit-fallthrough -Wdouble-promotion
  -Wduplicated-cond -Wlogical-op)
if(STRICT)
  target_compile_options(build_flags INTERFACE -Werror)
endif()

if(SANITIZE)
  string(REPLACE ";" "," san "${SANITIZE}")
  target_compile_options(build_flags INTERFACE
    -fsanitize=${san} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(build_flags INTERFACE -fsanitize=${san})
  if(FUZZ)
    # The fuzzer steers by the coverage of the libraries under test.
    target_compile_options(build_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
else()
  # FORTIFY hides what ASan would report, so the two never meet.
  target_compile_options(build_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
  flag_if_known(-fstack-protector-strong -fstack-clash-protection
    -fcf-protection=full -fstrict-flex-arrays=3)
  target_link_options(build_flags INTERFACE
    -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
endif()
