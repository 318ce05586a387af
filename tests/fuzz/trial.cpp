// What the cache keeps: trial.json, and the sidecar of an artifact. The first byte says what the rest is: text of a file, text of
// the "trial" in a file whose checksum is right, a result to be written, damaged or not, and read, or a sidecar.
#include "store/trial_files.hpp"

#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "artifact/cache.hpp"
#include "fuzz.hpp"
#include "khost/hash.hpp"

using namespace khost;
using namespace khost::fuzz;

namespace {

namespace fs = std::filesystem;

// On a file system in memory, where there is one; removed at the end.
struct Folder {
  std::string path =
      (fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path().string()) + "/khost-fuzz-" + std::to_string(::getpid());
  Folder() {
    fs::create_directories(path + "/trial");
    std::ofstream(path + "/trial/trace.safetensors") << "12345678";
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

const Folder& folder() {
  static const Folder one;
  return one;
}
std::string trial_folder() { return folder().path + "/trial"; }

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool same(const TrialResult& a, const TrialResult& b) {
  if (a.key.arm != b.key.arm || a.key.base != b.key.base || a.key.draw != b.key.draw || a.key.seed != b.key.seed) return false;
  if (a.hash != b.hash || a.status != b.status || a.message != b.message || !same(a.seconds, b.seconds)) return false;
  if (a.adapter_parameters != b.adapter_parameters || a.trainable_parameters != b.trainable_parameters) return false;
  if (a.artifacts != b.artifacts || a.series.size() != b.series.size()) return false;
  for (std::size_t i = 0; i < a.series.size(); ++i) {
    const RecordSeries &x = a.series[i], &y = b.series[i];
    if (x.probe != y.probe || x.name != y.name || x.unit != y.unit || x.points.size() != y.points.size()) return false;
    for (std::size_t k = 0; k < x.points.size(); ++k)
      if (x.points[k].step != y.points[k].step || !same(x.points[k].value, y.points[k].value)) return false;
  }
  return true;
}

TrialResult read(const TrialFiles& files) {
  return read_trial(parse_json(files.json, "trial.json"), files.points, trial_folder());
}

void hold_round_trip(const TrialResult& result) {
  const TrialFiles files = trial_files(result, trial_folder());
  hold_printable(files.json);
  hold(same(read(files), result), "a trial reads back as the same", files.json);
}

void read_text(const std::string& text) {
  try {
    hold_round_trip(read({text, ""}));
  } catch (const Error& e) {
    hold_message(e, false);
    hold(e.kind() == ErrorKind::usage, "a wrong trial.json is a usage error", e.what());
  }
}

// Takes values off the front of the input.
class Source {
 public:
  explicit Source(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  template <class T>
  T value() {
    T value{};
    const std::size_t size = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), size);
    rest_.remove_prefix(size);
    return value;
  }
  // Of characters that JSON text can hold as they are: what it replaces does not read back as the same.
  std::string text() {
    std::string text;
    for (auto size = value<std::uint8_t>() % 12u; size > 0 && !rest_.empty(); --size)
      text += static_cast<char>(value<std::uint8_t>() & 0x7f);
    return text;
  }

 private:
  std::string_view rest_;
};

void write_and_read(std::string_view bytes) {
  Source from(bytes);
  const auto where = from.value<std::uint16_t>();
  const auto change = from.value<std::uint8_t>();
  TrialResult result;
  result.key = {from.text(), from.text(), from.value<std::int8_t>(), from.value<std::uint16_t>()};
  result.hash = from.text();
  result.status = "done";
  result.message = from.text();
  result.seconds = from.value<double>();
  result.adapter_parameters = from.value<std::int64_t>();
  result.trainable_parameters = from.value<std::int64_t>();
  const auto flags = from.value<std::uint8_t>();
  if (flags & 1) result.artifacts.push_back({"trace.safetensors", sha256("12345678")});
  for (int i = 0; !from.empty() && i < 4; ++i) {  // a list has an end and what lies between: more only takes longer
    Record record{from.text(), from.text(), from.value<std::int32_t>(), from.value<double>(), from.text()};
    record.step = std::max<std::int64_t>(record.step, -1);
    result.add(record);
  }
  if (flags & 2) return hold_round_trip(result);

  TrialFiles files = trial_files(result, trial_folder());
  std::string& text = where % 4 || files.points.empty() ? files.json : files.points;
  const std::size_t at = where % text.size();
  text[at] = static_cast<char>(text[at] ^ (change ? change : 1));
  TrialResult other;
  try {
    other = read(files);
  } catch (const Error& e) {
    return hold_message(e, false);
  }
  hold(same(other, result), "a changed byte is refused, or changes nothing", text);
}

// An artifact whose sidecar is any text: what is handed out is what was built.
void sidecar(std::string_view text) {
  Cache cache(folder().path);
  const Json recipe = Json::object({{"made", "of nothing"}});
  const std::string path = cache.path("thing", recipe);
  fs::create_directories(fs::path(path).parent_path());
  const std::string built = "what was built", there = text.size() % 3 ? "something else" : built;
  std::ofstream(path, std::ios::binary) << there;
  std::ofstream(path + ".json", std::ios::binary) << text;
  const std::string got = cache.get("thing", recipe, "a thing",
                                    [&](const std::string& temporary) { std::ofstream(temporary, std::ios::binary) << built; });
  std::ifstream file(got, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  hold(content == built || text.find(sha256(there)) != text.npos, "what is handed out is what was built", content);
  fs::remove_all(folder().path + "/thing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest = text_of(data + 1, size - 1);
  switch (data[0] % 64) {
    case 0:  // it touches files: seldom
      sidecar(rest);
      break;
    case 1: {
      try {
        const std::string trial = parse_json(rest, "trial.json").text();
        read_text("{\"khost_trial\":1,\"sha256\":\"" + sha256(trial) + "\",\"trial\":" + trial + "}");
      } catch (const Error& e) {
        hold_message(e, true);
      }
      break;
    }
    case 2:
      read_text(std::string(rest));
      break;
    default:
      write_and_read(rest);
  }
  return 0;
}
