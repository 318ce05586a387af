# The generated header khost/fingerprint.hpp: what must agree between a plugin's build and the host's.

set(KHOST_SDK_ABI 1)  # raise it for a change of the contract that the headers do not show
set(KHOST_FINGERPRINT_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

# One hash of the headers, paths relative to FOLDER: the same whatever their comments, white space and checkout folder.
function(khost_hash_headers FOLDER HEADERS RESULT)
  set(all "")
  foreach(header IN LISTS HEADERS)
    file(READ ${FOLDER}/${header} text)
    # A string, a character or any other byte stays; the comments that follow it go.
    string(REGEX REPLACE "(\"([^\"\\\n]|\\\\.)*\"|'(\\\\.|[^'\\])'|[^\"])(//[^\n]*|/\\*([^*]|\\*+[^*/])*\\*+/)*" "\\1" text "\n${text}")
    string(REGEX REPLACE "[ \t\r\n]+" "" text "${text}")
    string(SHA256 hash "${text}")
    string(APPEND all "${header} ${hash}\n")
  endforeach()
  string(SHA256 hash "${all}")
  string(SUBSTRING ${hash} 0 16 hash)
  set(${RESULT} ${hash} PARENT_SCOPE)
endfunction()

# Writes <build>/generated/khost/fingerprint.hpp; untouched when nothing changed, so that nothing is rebuilt.
function(khost_generate_fingerprint)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/include/khost)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.hpp)
  list(SORT headers)
  khost_hash_headers(${folder} "${headers}" KHOST_SDK_HASH)
  list(TRANSFORM headers PREPEND ${folder}/)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
  configure_file(${KHOST_FINGERPRINT_CMAKE_DIR}/fingerprint.hpp.in ${CMAKE_BINARY_DIR}/generated/khost/fingerprint.hpp @ONLY)
endfunction()
