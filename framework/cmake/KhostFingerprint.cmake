# Hashes of sources: khost/fingerprint.hpp, what must agree between a plugin's build and the host's, and code_hash.hpp, which sources
# of the host decide what a trial computes.

set(KHOST_SDK_ABI 1)  # raise it for a change of the contract that the headers do not show
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

# Writes <build>/generated/khost/fingerprint.hpp; untouched when nothing changed, so that nothing is rebuilt.
function(khost_generate_fingerprint)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/include/khost)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.hpp ${folder}/*.h)
  list(SORT headers)
  khost_hash_sources(${folder} "${headers}" KHOST_SDK_HASH)
  list(TRANSFORM headers PREPEND ${folder}/)
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
