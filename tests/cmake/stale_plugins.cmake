# A plugin that is no longer built goes; what the build did not make stays.
# cmake -DMODULE=KhostPlugin.cmake -DFOLDER=scratch -P stale_plugins.cmake
cmake_minimum_required(VERSION 3.25)
include(${MODULE})
file(REMOVE_RECURSE ${FOLDER})
foreach(name first second users)
  file(WRITE ${FOLDER}/${name}.so "${name}")
endforeach()
set(first ${FOLDER}/first.so)
set(second ${FOLDER}/second.so)
khost_remove_stale_plugins(${FOLDER}/made.txt "${first};${second}")
khost_remove_stale_plugins(${FOLDER}/made.txt "${second}")
khost_remove_stale_plugins(${FOLDER}/made.txt "${second}")  # what is gone already is no error
file(GLOB left RELATIVE ${FOLDER} ${FOLDER}/*.so)
list(SORT left)
if(NOT left STREQUAL "second.so;users.so")
  message(FATAL_ERROR "expected second.so and users.so to be left, found ${left}")
endif()
