// A manifest with files it includes and settings over it. The input: the manifest's text, then parts that begin with a line
// "--- NAME", a further file, or "+++ PATH=VALUE", a setting.
#include <map>

#include "fuzz.hpp"
#include "unit/manifest_fixture.hpp"

using namespace khost;
using namespace khost::fuzz;

namespace {

struct Input {
  std::map<std::string, std::string> files;
  std::vector<Setting> settings;
};

Input parts_of(std::string_view text) {
  Input input;
  std::string name = "m";
  std::string content;
  const auto end_file = [&] { input.files.emplace(name, std::exchange(content, {})); };
  while (!text.empty()) {
    const std::string line(take(text, "\n"));
    if (line.starts_with("--- ")) {
      end_file();
      name = line.substr(4);
    } else if (const std::size_t equals = line.find('='); line.starts_with("+++ ") && equals != line.npos) {
      input.settings.push_back({line.substr(4, equals - 4), line.substr(equals + 1)});
    } else {
      content += line + "\n";
    }
  }
  end_file();
  return input;
}

void hold_round_trip(const Json& json) {
  const std::string text = json.text();
  hold_printable(text);
  try {
    const Json back = parse_json(text, "printed");
    hold(back == json, "what is printed reads back as the same", text);
    hold(back.text() == text, "what is read back prints the same", text);
    hold(parse_json(json.pretty(), "printed") == json, "what is printed on lines reads back as the same", text);
  } catch (const Error& e) {
    // A setting may put a deep value deep into a manifest.
    hold(e.message().find("nested deeper") != std::string::npos, "what is printed can be read", e.what());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input = parts_of(text_of(data, size));
  const auto read = [&](const std::string& path) -> std::optional<Json> {
    const auto found = input.files.find(path);
    if (found == input.files.end()) return std::nullopt;
    Json json = parse_json(found->second, path);
    hold_round_trip(json);
    return json;
  };
  test::FakeCatalog catalog;
  try {
    const Json manifest = load_manifest("m", input.settings, read);
    hold_round_trip(manifest);
    const Experiment experiment = build_experiment(manifest, "m", catalog);
    for (const std::string& warning : experiment.warnings)
      hold(warning.size() < 20'000, "a warning is a few screens long at most");
    // The resolved manifest is a manifest again, and resolves to itself.
    const std::string resolved = experiment.resolved.pretty();
    Experiment again;
    try {
      again = build_experiment(parse_json(resolved, "m"), "m", catalog);
    } catch (const Error& e) {
      if (e.message().find("nested deeper") != std::string::npos) return 0;
      fail("a resolved manifest is a manifest", std::string(e.what()) + "\n" + resolved);
    }
    hold(again.resolved == experiment.resolved, "a resolved manifest resolves to itself", resolved);
  } catch (const Error& e) {
    // What a plugin is not, only the place of its component can say.
    hold_message(e, e.kind() == ErrorKind::usage);
  }
  return 0;
}
