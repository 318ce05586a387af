# Hashes of sources: khost/fingerprint.hpp, what must agree between a plugin's build and the host's, for each kind of plugin, and
# code_hash.hpp, which sources of the host decide what a trial computes.

set(KHOST_SDK_ABI 1)  # raise it for a change of the contract that the headers do not show
include(${CMAKE_CURRENT_LIST_DIR}/KhostPlugin.cmake)  # KHOST_PLUGIN_KINDS
set(KHOST_FINGERPRINT_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

# One hash of C++ files, paths relative to FOLDER: the same whatever their comments, white space and checkout folder.
function(khost_hash_sources FOLDER FILES RESULT)
  set(all "")
  foreach(source IN LISTS FILES)
    file(READ ${FOLDER}/${source} text)
    # A string, a character or any other byte stays; the comments that follow it go.
    string(REGEX REPLACE "(\"([^\"\\\n]|\\\\.)*\"|'(\\\\.|[^'\\])'|[^\"])(//[^\n]*|/\\*([^*]|\\*+[^*/])*\\*+/)*" "\\1" text "\n${text}")
    string(REGEX REPLACE "[ \t\r\n]+" "" text "${text}")
    string(SHA256 hash "${text}")
    string(APPEND all "${source} ${hash}\n")
  endforeach()
  string(SHA256 hash "${all}")
  string(SUBSTRING ${hash} 0 16 hash)
  set(${RESULT} ${hash} PARENT_SCOPE)
endfunction()

# Those of HEADERS, paths relative to FOLDER/khost, that HEADER includes at any depth, itself among them; not what the headers STOP
# include.
function(khost_included_headers FOLDER HEADERS HEADER STOP RESULT)
  set(found "")
  set(left ${HEADER})
  while(left)
    list(POP_FRONT left next)
    if(next IN_LIST found OR NOT next IN_LIST HEADERS)
      continue()
    endif()
    list(APPEND found ${next})
    if(next IN_LIST STOP)
      continue()
    endif()
    file(STRINGS ${FOLDER}/khost/${next} lines REGEX "^#include \"khost/")
    list(TRANSFORM lines REPLACE "^#include \"khost/([^\"]*)\".*" "\\1")
    list(APPEND left ${lines})
  endwhile()
  set(${RESULT} ${found} PARENT_SCOPE)
endfunction()

# Of HEADERS, sets <PREFIX>_KIND for each kind: those that must agree between khost and a plugin of that kind. These are all but
# another kind's own, so that a header nobody thought of counts for every kind. A kind's own are those that include its header and
# no other kind's (nulls.hpp: probes'), and what such headers alone include (signal.hpp). Compute has none of its own: its header
# is a C table with a version in it, which others may include. An adapter is written in a graph's operations and may bring its own,
# so what counts for models counts for adapters too. What a core shares with models (compute.hpp), its own header includes.
function(khost_headers_by_kind FOLDER HEADERS PREFIX)
  set(kind_headers ${KHOST_PLUGIN_KINDS})
  list(TRANSFORM kind_headers APPEND .hpp)
  set(without_kind "")
  foreach(header IN LISTS HEADERS)
    khost_included_headers(${FOLDER} "${HEADERS}" ${header} "" included)
    set(kinds "")
    foreach(kind IN LISTS KHOST_PLUGIN_KINDS)
      if(NOT kind STREQUAL compute AND ${kind}.hpp IN_LIST included)
        list(APPEND kinds ${kind})
      endif()
    endforeach()
    list(LENGTH kinds count)
    if(count EQUAL 0)
      list(APPEND without_kind ${header})
      continue()
    elseif(count GREATER 1)  # plugin.hpp: for everybody, with what it includes, but for the kinds' headers
      set(kinds all)
      khost_included_headers(${FOLDER} "${HEADERS}" ${header} "${kind_headers}" included)
      list(REMOVE_ITEM included ${kind_headers})
    endif()
    foreach(each IN LISTS included)
      list(APPEND users_of_${each} ${kinds})
    endforeach()
  endforeach()
  foreach(header IN LISTS without_kind)
    if(NOT users_of_${header})  # parallel.hpp: for whoever includes it
      khost_included_headers(${FOLDER} "${HEADERS}" ${header} "" included)
      foreach(each IN LISTS included)
        list(APPEND users_of_${each} all)
      endforeach()
    endif()
  endforeach()
  foreach(kind IN LISTS KHOST_PLUGIN_KINDS)
    khost_included_headers(${FOLDER} "${HEADERS}" ${kind}.hpp "" counting)
    foreach(header IN LISTS HEADERS)
      list(REMOVE_DUPLICATES users_of_${header})
      if(model IN_LIST users_of_${header})
        list(REMOVE_ITEM users_of_${header} adapter core)
      endif()
      list(LENGTH users_of_${header} count)
      if(count GREATER 1 OR users_of_${header} STREQUAL all OR users_of_${header} STREQUAL kind)
        list(APPEND counting ${header})
      endif()
    endforeach()
    if(kind STREQUAL adapter)
      list(APPEND counting ${of_models})
    endif()
    list(REMOVE_DUPLICATES counting)
    list(SORT counting)
    set(${PREFIX}_${kind} ${counting} PARENT_SCOPE)
    if(kind STREQUAL model)
      set(of_models ${counting})
    endif()
  endforeach()
endfunction()

# Writes <build>/generated/khost/fingerprint.hpp; untouched when nothing changed, so that nothing is rebuilt.
function(khost_generate_fingerprint)
  set(include ${CMAKE_CURRENT_SOURCE_DIR}/include)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${include}/khost ${include}/khost/*.hpp ${include}/khost/*.h)
  list(SORT headers)
  khost_headers_by_kind(${include} "${headers}" counting)
  set(KHOST_SDK_HASHES "")
  foreach(kind IN LISTS KHOST_PLUGIN_KINDS)
    khost_hash_sources(${include}/khost "${counting_${kind}}" hash)
    string(APPEND KHOST_SDK_HASHES "    {\"${kind}\", \"${hash}\"},\n")
  endforeach()
  list(TRANSFORM headers PREPEND ${include}/khost/)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
  configure_file(${KHOST_FINGERPRINT_CMAKE_DIR}/fingerprint.hpp.in ${CMAKE_BINARY_DIR}/generated/khost/fingerprint.hpp @ONLY)
endfunction()

# What of the host decides the numbers of a trial, a base or a null: the SDK, the kernels, the graph, the engine, and what plugins
# draw their nulls with. What plans, stores and reports is not among it: editing a report leaves every trial as it is.
# Writes <build>/generated/khost/code_hash.hpp when khost is built, after any change of these files, and touches it only when
# the hash is another.
function(khost_generate_code_hash RESULT)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR})
  set(patterns ${folder}/include/khost/*.hpp ${folder}/include/khost/*.h ${folder}/src/manifest/record_path.*
    ${folder}/src/plugin/nulls.cpp ${folder}/src/plugin/signals.cpp ${folder}/src/plugin/components.cpp)
  foreach(floor core artifact compute graph engine)
    list(APPEND patterns ${folder}/src/${floor}/*.cpp ${folder}/src/${floor}/*.hpp)
  endforeach()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${folder} ${patterns})
  list(SORT sources)
  set(header ${CMAKE_BINARY_DIR}/generated/khost/code_hash.hpp)
  list(JOIN sources "\n" lines)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/khost/code_sources.txt CONTENT "${lines}\n" @ONLY)
  list(TRANSFORM sources PREPEND ${folder}/)
  add_custom_command(OUTPUT ${header} VERBATIM
    DEPENDS ${sources} ${CMAKE_BINARY_DIR}/generated/khost/code_sources.txt ${KHOST_FINGERPRINT_CMAKE_DIR}/code_hash.cmake
      ${KHOST_FINGERPRINT_CMAKE_DIR}/KhostFingerprint.cmake
    COMMAND ${CMAKE_COMMAND} -DMODULE=${KHOST_FINGERPRINT_CMAKE_DIR}/KhostFingerprint.cmake -DFOLDER=${folder}
      -DLIST=${CMAKE_BINARY_DIR}/generated/khost/code_sources.txt -DHEADER=${header}
      -P ${KHOST_FINGERPRINT_CMAKE_DIR}/code_hash.cmake
    COMMENT "Hashing what computes")
  set(${RESULT} ${header} PARENT_SCOPE)
endfunction()
