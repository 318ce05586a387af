#include "plan/code_identity.hpp"

#include <gnu/libc-version.h>
#include <hwy/highway.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "compute/cpu_speed.hpp"
#include "khost/code_hash.hpp"
#include "khost/hash.hpp"

namespace khost {
namespace {

#if defined(__clang__)
constexpr const char* compiler = "clang " __VERSION__;
#else
constexpr const char* compiler = "gcc " __VERSION__;
#endif

std::string version(int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); }

// The C library chooses its functions by the CPU and by GLIBC_TUNABLES, and another may be preloaded: a version alone does not
// tell which one answers. So it is asked.
std::string mathematics() {
  std::vector<double> answers;
  for (int i = 1; i <= 300; ++i) {
    const volatile double x = 0.0137 * i * i - 0.31 * i + 0.5;  // volatile: not the compiler's own answers
    const volatile double positive = std::abs(x) + 1e-3 * i;
    const volatile float f = static_cast<float>(x) / 40;
    answers.insert(answers.end(),
                   {std::exp(x / 40), std::log(positive), std::sin(x), std::cos(x), std::pow(positive, x / 90), std::tanh(x / 50),
                    std::log1p(positive), std::erf(x / 80), static_cast<double>(std::exp(f)), static_cast<double>(std::tanh(f))});
  }
  const std::string_view bytes(reinterpret_cast<const char*>(answers.data()), answers.size() * sizeof(double));
  return std::string(gnu_get_libc_version()) + " " + short_hash(bytes);
}

}  // namespace

const Json& code_identity() {
  static const Json identity =
      Json::object({{"sources", KHOST_CODE_HASH},
                    {"compiler", compiler},
                    {"flags", KHOST_FLAGS},
                    {"standard_library", std::to_string(__GLIBCXX__)},
                    {"eigen", version(EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION) + "." + std::to_string(EIGEN_MINOR_VERSION)},
                    {"highway", version(HWY_MAJOR, HWY_MINOR)},
                    {"instructions", kernel_instruction_set()},
                    {"mathematics", mathematics()}});
  return identity;
}

Json code_identity(const Plugin& plugin) {
  return Json::object({{"plugin", plugin.name()},
                       {"numerics", static_cast<std::int64_t>(plugin.descriptor->numerics)},
                       {"content", plugin.content}});
}

Json content_of(const Json& path, const std::string& from) {
  if (path.is_list()) {
    Json::List all;
    for (const Json& each : path.as_list()) all.push_back(content_of(each, from));
    return all;
  }
  if (!path.is_string()) return path;
  const std::string file = std::filesystem::path(from) / path.as_string();
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) ? Json("content " + sha256_file(file)) : path;
}

Json with_names_replaced(const std::vector<Field>& fields, const Json& config,
                         const std::function<std::optional<Json>(const Field&, const Json&)>& told) {
  Json out{Json::Object{}};
  for (const JsonMember& member : config.as_object()) {
    const auto field = std::ranges::find(fields, member.key, &Field::name);
    if (field == fields.end()) {
      out.set(member.key, member.value);
    } else if (field->by_content || field->path) {
      if (auto value = told(*field, member.value)) out.set(member.key, std::move(*value));
    } else if (field->members.empty()) {
      out.set(member.key, member.value);
    } else if (member.value.is_object()) {
      out.set(member.key, with_names_replaced(field->members, member.value, told));
    } else if (member.value.is_list()) {
      Json::List all;
      for (const Json& each : member.value.as_list())
        all.push_back(each.is_object() ? with_names_replaced(field->members, each, told) : each);
      out.set(member.key, std::move(all));
    } else {
      out.set(member.key, member.value);
    }
  }
  return out;
}

Json component_identity(const Plugin& plugin, const Json& config) {
  const Schema schema = describe(plugin, nullptr).schema;
  Json out = code_identity(plugin);
  const auto told = [](const Field& field, const Json& name) {
    return field.by_content ? std::nullopt : std::optional(content_of(name));
  };
  out.set("config", with_names_replaced(schema.fields, identity_of(schema, config), told));
  return out;
}

}  // namespace khost
