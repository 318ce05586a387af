// Names of what is being made, and what killed processes leave of them.
//
// Whatever is made in the cache is made as NAME.tmp-TOKEN-COUNT and renamed when it is whole. TOKEN is the process's, and as long
// as that lives it keeps the file $KHOST_CACHE/owners/TOKEN (see owner.hpp): so a later run, wherever it runs, knows what is
// left.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifact/owner.hpp"

namespace khost {

std::string temporary_name(const std::string& path);  // makes no file; no two calls of any processes give the same
bool is_temporary_name(std::string_view file_name);

// Makes it known that this process has temporaries in the cache at `root`; before the first of them. Throws a usage Error when
// the cache cannot be written.
void own_temporaries(const std::string& root);

// Who else has made itself known so, and lives.
std::vector<Holder> others_at(const std::string& root);

// Removes what processes that are dead were making in the cache; of those that no owner file tells of, what is older than a day.
void remove_leftovers(const std::string& root);

// For the end of a process whose other threads still run: removes its temporaries and locks, and lets nobody make more.
void remove_own_temporaries();

}  // namespace khost
