// What a word must be that names a manifest or a run, and what may have been meant where it is not.
#pragma once

#include <string>
#include <vector>

namespace khost {

// Manifests that a word which is no file may mean: "paper85", "paper58.manifest".
std::vector<std::string> nearest_manifests(const std::string& word);

// Is a word that is no command a manifest, or meant as one?
bool may_be_manifest(const std::string& word);

// Throw a usage Error.
void expect_manifest(const std::string& word);
void expect_run(const std::string& word);

}  // namespace khost
