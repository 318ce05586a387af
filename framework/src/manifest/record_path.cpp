#include "manifest/record_path.hpp"

namespace khost {

std::optional<RecordPath> parse_record_path(std::string_view text) {
  RecordPath path;
  const auto take = [&](std::string& part) {
    const std::size_t slash = text.find('/');
    if (slash == 0 || slash == std::string_view::npos) return false;
    part = text.substr(0, slash);
    text.remove_prefix(slash + 1);
    return true;
  };
  if (!text.empty() && text[0] == '@') {
    text.remove_prefix(1);
    if (!take(path.base)) return std::nullopt;
  }
  if (!take(path.arm) || !take(path.probe) || text.empty()) return std::nullopt;
  path.record = text;
  return path;
}

RecordName record_name(const Component& probe, std::string_view name) {
  if (!name.starts_with('/')) return {probe.name, std::string(name)};
  if (probe.name != probe.plugin) return {probe.name, std::string(name.substr(1))};
  const std::size_t end = name.find('/', 1);
  return {std::string(name.substr(1, end - 1)), std::string(name.substr(end + 1))};
}

}  // namespace khost
