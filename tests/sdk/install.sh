#!/bin/bash
# install.sh BUILD PREFIX: what `cmake --install` makes is whole, and stands by itself: none of it leads back to the tree.
set -euo pipefail
build=$1 prefix=$2
rm -rf "$prefix"
cmake --install "$build" --prefix "$prefix" >/dev/null
for file in bin/khost lib/libkhost.so lib/khost/plugins/{snr,gpt,adam,openblas}.so lib/khost/plugins/snr.pictures.json include/khost/{plugin.hpp,entry.h,fingerprint.hpp} \
  lib/cmake/khost/{khostConfig,KhostPlugin}.cmake share/khost/{published/paper85.json,report/page.html,experiments/paper85.manifest,templates/probe/plugin.cpp} \
  share/doc/khost/README.md; do
  [[ -s $prefix/$file ]] || { echo "$file is not installed" >&2; exit 1; }
done
source=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt")
for file in "$prefix"/bin/* "$prefix"/lib/*.so* "$prefix"/lib/khost/plugins/*.so; do
  if readelf -d "$file" | grep -E 'R(UN)?PATH' | grep -F "$source"; then
    echo "$file looks for its libraries in the tree it was built in" >&2
    exit 1
  fi
done
if grep -rlF "$source" "$prefix/lib/cmake" "$prefix/include"; then
  echo "these files name the tree" >&2
  exit 1
fi
