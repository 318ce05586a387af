#!/bin/bash
# other_compiler.sh PREFIX CXX CC: with another compiler than khost's own a backend, which is C, builds and runs; a plugin of classes is
# refused before it is built, with what to do.
. "$(dirname "$0")/common.sh"
if [[ $CXX == *clang* ]]; then other_cxx=g++ other_cc=gcc; else other_cxx=clang++-14 other_cc=clang-14; fi
type -P "$other_cxx" >/dev/null || exit 77
export CXX=$other_cxx CC=$other_cc
khost new compute loops >/dev/null
khost new probe top >/dev/null
cmake -S loops -B loops/build >/dev/null
cmake --build loops/build >/dev/null
(cd loops && says 'loops' khost loops.manifest)
said=$(cmake -S top -B top/build 2>&1) && fail "$CXX was taken for a plugin of classes"
[[ $said == *"this khost was built with"* && $said == *"-DCMAKE_CXX_COMPILER="* ]] || fail "the message does not help: $said"
