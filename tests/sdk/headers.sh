#!/bin/bash
# headers.sh PREFIX CXX CC: each header of the SDK compiles alone and without a warning; the C ones as C, too.
. "$(dirname "$0")/common.sh"
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
compilers=("$CXX")
if [[ $CXX != *clang* ]] && type -P clang++-14 >/dev/null; then compilers+=(clang++-14); fi
cd "$prefix/include"
count=0
for compiler in "${compilers[@]}"; do
  while read -r header; do
    # By their own names, so that they are no system's headers, whose warnings are not shown; #pragma once has nothing to do there.
    echo "#include \"$header\"" | "$compiler" -std=c++20 "${warnings[@]}" -I . -fsyntax-only -x c++ - || fail "$header does not compile alone with $compiler"
    count=$((count + 1))
  done < <(find khost -name '*.hpp' -o -name '*.h')
done
for header in khost/entry.h khost/compute.hpp; do
  echo "#include \"$header\"" | "$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror -I . -fsyntax-only -x c - || fail "$header is not C"
done
[[ $count -ge 25 ]] || fail "only $count headers were found"
