// Calls through a plugin's descriptor: status and message become khost Errors.
#include <fmt/format.h>

#include "plugin/check_signals.hpp"
#include "plugin/registry.hpp"

namespace khost {
namespace {

std::string_view name_within(const Plugin& plugin) { return plugin.descriptor->name; }

// The other side of detail::guarded in khost/plugin.hpp; a plugin that was made without it may throw all the same.
template <class Call>
void checked(const Plugin& plugin, std::string_view function, Call&& call) {
  call_plugin({name_of(plugin.kind()), name_within(plugin), function}, [&] {
    khost_message message{};
    const int status = call(&message);
    if (status == 0) return;
    const bool known = status >= 1 && status <= 1 + static_cast<int>(ErrorKind::interrupted);
    message.text[sizeof message.text - 1] = 0;
    throw Error(known ? static_cast<ErrorKind>(status - 1) : ErrorKind::plugin,
                message.text[0] ? message.text : "failed without a message");
  });
}

// A compute plugin's options are plain C: any toolchain.
Schema schema_of_table(const khost_compute& table) {
  Schema schema;
  if (!table.options) return schema;
  for (const khost_compute_option* option = table.options; option->name; ++option) {
    Field& field = schema.fields.emplace_back();
    field.name = option->name;
    field.doc = option->doc ? option->doc : "";
    field.type = option->type == KHOST_OPTION_INTEGER   ? FieldType::integer
                 : option->type == KHOST_OPTION_BOOLEAN ? FieldType::boolean
                                                        : FieldType::string;
    field.path = option->type == KHOST_OPTION_PATH;
    field.required = option->required != 0;
    field.nullable = !field.required;
  }
  return schema;
}

}  // namespace

std::string title_of(const Plugin& plugin) { return fmt::format("{} '{}'", name_of(plugin.kind()), plugin.name()); }

Description describe(const Plugin& plugin, const Json* resolved) {
  Description description;
  if (plugin.kind() == Kind::compute)
    description.schema = schema_of_table(*plugin.descriptor->compute);
  else
    checked(plugin, "describe", [&](khost_message* m) { return plugin.descriptor->describe(resolved, &description, m); });
  if (plugin.kind() == Kind::probe) check_signals(description.signals, title_of(plugin), plugin.policy());
  return description;
}

int score_of(const Plugin& plugin) {
  return call_plugin({name_of(plugin.kind()), name_within(plugin), "score"}, [&] { return plugin.descriptor->compute->score(); });
}

void destroy_instance(const Plugin& plugin, void* instance) noexcept {
  const Within within(Within::What::plugin, {name_of(plugin.kind()), name_within(plugin), "destroy"});
  plugin.descriptor->destroy(instance);
}

Json resolve_config(const Plugin& plugin, const Json& given, std::vector<std::string>* warnings) {
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
