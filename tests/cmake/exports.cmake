# What the built files export and contain.
# cmake -DNM=nm -DREADELF=readelf -DPLUGINS=<file, a path per line> -DHOST=<file, a path per line> [-DSANITIZED=1] -P exports.cmake
#   each plugin exports khost_plugin_entry and nothing else;
#   no plugin has a static initialiser: .init_array holds only the compiler's frame_dummy;
#   host and libkhost neither have, nor use, nor need a BLAS;
#   of Boost the program alone needs a compiled part, the command line's.
cmake_policy(SET CMP0054 NEW)

function(run RESULT)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  set(${RESULT} "${output}" PARENT_SCOPE)
endfunction()

file(STRINGS ${PLUGINS} plugins)
foreach(plugin IN LISTS plugins)
  run(symbols ${NM} -D --defined-only ${plugin})
  string(REGEX REPLACE "[0-9a-f]+ [A-Za-z] " "" symbols "${symbols}")
  string(STRIP "${symbols}" symbols)
  if(NOT symbols STREQUAL "khost_plugin_entry")
    message(SEND_ERROR "${plugin} must export khost_plugin_entry alone; it exports\n${symbols}")
  endif()
  run(dynamic ${READELF} --wide --dynamic ${plugin})
  if(dynamic MATCHES "NEEDED[^\n]*libboost_[^\n]*")
    message(SEND_ERROR "${plugin} needs a compiled part of Boost: ${CMAKE_MATCH_0}")
  endif()
  run(sections ${READELF} --wide --section-headers ${plugin})
  if(NOT SANITIZED AND sections MATCHES "\\.init_array +INIT_ARRAY +[0-9a-f]+ [0-9a-f]+ 0*([0-9a-f]+) " AND NOT CMAKE_MATCH_1 STREQUAL "8")
    message(SEND_ERROR "${plugin} has static initialisers: .init_array is 0x${CMAKE_MATCH_1} bytes, the compiler's own part is 8. "
                       "Look for global objects with constructors, and for #include <iostream>.")
  endif()
endforeach()

file(STRINGS ${HOST} hosts)
foreach(host IN LISTS hosts)
  run(symbols ${NM} -D ${host})
  if(symbols MATCHES "[ \n](cblas_[a-z]+|openblas_[a-z_]+|dnnl_[a-z_]+|bli_[a-z_]+|[sdcz](gemm|gemv|symm|syrk|trsm|axpy|dot|scal|nrm2)_?)(@[^\n]*)?\n")
    message(SEND_ERROR "${host} has or uses the BLAS symbol ${CMAKE_MATCH_1}")
  endif()
  run(dynamic ${READELF} --wide --dynamic ${host})
  if(dynamic MATCHES "NEEDED[^\n]*(blas|blis|dnnl|mkl|atlas|lapack)[^\n]*")
    message(SEND_ERROR "${host} needs a BLAS: ${CMAKE_MATCH_0}")
  endif()
  string(REGEX MATCHALL "libboost_[a-z_]+" boost "${dynamic}")
  if(host MATCHES "/libkhost")
    set(expected "")
  else()
    set(expected "libboost_program_options")
  endif()
  if(NOT boost STREQUAL expected)
    message(SEND_ERROR "${host} needs of Boost's compiled parts '${boost}', expected are '${expected}'")
  endif()
endforeach()
