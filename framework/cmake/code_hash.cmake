# Run by the build: cmake -DMODULE=KhostFingerprint.cmake -DFOLDER=... -DLIST=<a file of paths> -DHEADER=... -P code_hash.cmake
cmake_minimum_required(VERSION 3.25)
include(${MODULE})
file(STRINGS ${LIST} sources)
khost_hash_sources(${FOLDER} "${sources}" hash)
file(CONFIGURE OUTPUT ${HEADER} CONTENT "// Made by CMake: the sources that compute, without comments and white space.
#pragma once
#define KHOST_CODE_HASH \"${hash}\"
")
