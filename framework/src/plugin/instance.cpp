// Calls through a plugin's descriptor: status and message become khost Errors.
#include <fmt/format.h>

#include "plugin/registry.hpp"

namespace khost {
namespace {

// The other side of detail::guarded in khost/plugin.hpp.
template <class Call>
void checked(const Plugin& plugin, std::string_view function, Call&& call) {
  khost_message message{};
  const int status = call(&message);
  if (status == 0) return;
  const bool known = status >= 1 && status <= 1 + static_cast<int>(ErrorKind::interrupted);
  message.text[sizeof message.text - 1] = 0;
  throw Error(known ? static_cast<ErrorKind>(status - 1) : ErrorKind::plugin,
              message.text[0] ? message.text : "failed without a message")
      .within(fmt::format("{} in {}", title_of(plugin), function));
}

}  // namespace

std::string title_of(const Plugin& plugin) { return fmt::format("{} '{}'", name_of(plugin.kind()), plugin.name()); }

Description describe(const Plugin& plugin, const Json* resolved) {
  Description description;
  if (plugin.kind() != Kind::compute)
    checked(plugin, "describe", [&](khost_message* m) { return plugin.descriptor->describe(resolved, &description, m); });
  return description;
}

Json resolve_config(const Plugin& plugin, const Json& given, std::vector<std::string>* warnings) {
  if (plugin.kind() == Kind::compute) {
    given.as_object();
    return given;
  }
  return resolve(describe(plugin, nullptr).schema, given, title_of(plugin), warnings);
}

void* create_instance(const Plugin& plugin, Kind kind, const Json& resolved, void* context) {
  if (plugin.kind() != kind)
    throw Error(ErrorKind::plugin, fmt::format("{} cannot be made as a component of kind {}", title_of(plugin), name_of(kind)));
  void* made = nullptr;
  checked(plugin, "create", [&](khost_message* m) { return plugin.descriptor->create(&resolved, context, &made, m); });
  if (!made) throw Error(ErrorKind::plugin, "it made nothing, and gave no reason").within(title_of(plugin) + " in create");
  return made;
}

}  // namespace khost
