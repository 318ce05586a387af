# The hash of the SDK's headers: blind to comments and white space, and to nothing else.
# cmake -DMODULE=.../KhostFingerprint.cmake -DFOLDER=<scratch> -P fingerprint.cmake
include(${MODULE})

function(hash_of TEXT RESULT)
  file(WRITE ${FOLDER}/a.hpp "${TEXT}")
  khost_hash_sources(${FOLDER} a.hpp hash)
  set(${RESULT} ${hash} PARENT_SCOPE)
endfunction()

set(plain [=[int a; const char* u = "http://a"; char c = '"'; int z = 1'000 / 2;]=])
hash_of("${plain}" expected)

set(same_1 [=[// one [; "
int a;  /* x * ** / " */ const char* u = "http://a"; // two
char c = '"'; // "three
int z = 1'000 / 2;]=])
set(same_2 [=[/** a "quote, it's

 **/int a;
const char*u="http://a";char c='"';/**/int z=1'000/2;//]=])
foreach(i 1 2)
  hash_of("${same_${i}}" got)
  if(NOT got STREQUAL expected)
    message(SEND_ERROR "comments or white space changed the hash:\n${same_${i}}")
  endif()
endforeach()

set(other_1 [=[int a; const char* u = "http://b"; char c = '"'; int z = 1'000 / 2;]=])
set(other_2 [=[int a; const char* u = "http://a"; char c = '"'; int z = 1'000 / 3;]=])
set(other_3 [=[long a; const char* u = "http://a"; char c = '"'; int z = 1'000 / 2;]=])
set(other_4 [=[int a; const char* u = "http://a"; char c = '"'; int z = 1'000 / 2; // d
int d;]=])
foreach(i 1 2 3 4)
  hash_of("${other_${i}}" got)
  if(got STREQUAL expected)
    message(SEND_ERROR "a change did not change the hash:\n${other_${i}}")
  endif()
endforeach()
