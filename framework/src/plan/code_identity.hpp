// What computes, as opposed to what is computed: the code behind a number. Every identity (of a trial, a base, singular vectors,
// draws of a null) has it from here, so that nothing that was computed by other code is ever taken for its own.
#pragma once

#include <functional>
#include <optional>

#include "manifest/experiment.hpp"

namespace khost {

// khost itself: a hash of the sources that compute, compiler and flags, the versions of what is compiled in, the instruction
// set that its kernels run on here, and the C library's mathematics.
const Json& code_identity();

// A plugin: its numerics number and the content of its shared library.
Json code_identity(const Plugin& plugin);

// A component at work: its code, and its configuration by the plugin's schema. Operational fields are left out; of a path the
// file's content counts and not its name; of a field `by_content` its plugin tells, in another way, what it holds.
Json component_identity(const Plugin& plugin, const Json& config);

// `config` with what `told` gives, or without it, in place of each value that names a file (`path`) or what a data source reads
// (`by_content`), at any depth.
Json with_names_replaced(const std::vector<Field>& fields, const Json& config,
                         const std::function<std::optional<Json>(const Field&, const Json&)>& told);

// "content HASH" of a file; of a folder or what is not there its name. In lists, of each. `from`: the folder of relative names.
Json content_of(const Json& path, const std::string& from = "");

// The keys of an object of the resolved manifest that belong to an identity as they are written: neither operational nor one of
// `otherwise`, which the identity has under other names, or as nothing. A key that is new in a declaration is thereby in it.
template <class Keys>
Json as_written(const Json& resolved, std::initializer_list<std::string_view> otherwise) {
  Json out = identity_of(schema_of<Keys>(), resolved);
  for (const std::string_view key : otherwise) out.erase(key);
  return out;
}

}  // namespace khost
