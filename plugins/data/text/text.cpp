#include "text.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/parallel.hpp"
#include "khost/schema.hpp"
#include "tokenizer.hpp"

namespace khost {
namespace {

using Config = Text::Config;
constexpr const char* kNotes = "notes";  // in the token file's metadata: a JSON list of texts
constexpr std::size_t kMostParts = 8;    // of what becomes <unk>, in a note
constexpr std::array kParts{Part::train, Part::calibration, Part::held_out};

bool same_source(const Config& a, const Config& b) { return a.corpus == b.corpus && a.files == b.files; }

// Where the manifest has `key` of this configuration; unknown when it was given no place.
Place place_of(const Config& config, const DataContext& context, const char* key) {
  for (const Json& sibling : context.siblings) {
    if (!same_source(read_config<Config>(sibling), config)) continue;
    const Json* value = sibling.find(key);
    return value && value->place.known() ? value->place : sibling.place;
  }
  return {};
}

void check(const Config& config, const DataContext& context) {
  if (config.corpus.has_value() == !config.files.empty()) {
    throw Error(ErrorKind::usage, place_of(config, context, "corpus"),
                config.corpus ? "data 'text' has both \"corpus\" and \"files\": give one of them"
                              : "data 'text' has neither \"corpus\" nor \"files\": give one of them")
        .hint(config.corpus ? "where a base replaces the experiment's corpus by files, it says \"corpus\": null"
                            : "\"corpus\": \"kjv\", or \"files\": [\"my.txt\"]");
  }
  if (config.held_out + config.calibration >= 1) {
    throw Error(ErrorKind::usage, place_of(config, context, "held_out"),
                "\"held_out\" and \"calibration\" together leave no document to train on: their sum must be below 1");
  }
}

// What shares a model reads one vocabulary; what shares documents splits them alike, or one's training text is another's held-out
// text.
void check_siblings(const Config& config, const DataContext& context) {
  for (const Json& sibling : context.siblings) {
    const Config other = read_config<Config>(sibling);
    const auto differ = [&](const char* key, const Json& mine, const Json& theirs) {
      if (mine == theirs) return;
      throw Error(ErrorKind::usage, place_of(config, context, key),
                  "data 'text': \"" + std::string(key) + "\" is " + mine.text() + " here, but " + theirs.text() +
                      (sibling.place.known() ? " at " + sibling.place.text() : " elsewhere in this experiment"))
          .hint(
              "all text of one experiment, its bases' included, must agree on \"vocab\", \"tokenizer\", \"held_out\" and "
              "\"calibration\"");
    };
    differ("vocab", config.vocab, other.vocab);
    differ("tokenizer", Json::List(config.tokenizer.begin(), config.tokenizer.end()),
           Json::List(other.tokenizer.begin(), other.tokenizer.end()));
    differ("held_out", config.held_out, other.held_out);
    differ("calibration", config.calibration, other.calibration);
  }
}

template <class Make>
Source made_at(const Place& place, Make&& make) {
  try {
    return make();
  } catch (Error& error) {
    if (place.known()) error.within("data 'text' at " + place.text());
    throw;
  }
}

std::vector<Source> sources_of(const Config& config, DataContext& context) {
  std::vector<Source> sources;
  if (config.corpus) {
    sources.push_back(
        made_at(place_of(config, context, "corpus"), [&] { return corpus_source(*config.corpus, context.artifacts); }));
  }
  for (const std::string& file : config.files) {
    sources.push_back(made_at(place_of(config, context, "files"), [&] { return file_source(file, context.manifest_folder); }));
  }
  return sources;
}

// In an order that does not depend on names or on who asks: the trainer's ties are broken by the order of the text.
void normalise(std::vector<Source>& sources) {
  const auto key = [](const Source& s) { return std::pair(s.content->checksum, s.form); };
  std::sort(sources.begin(), sources.end(), [&](const Source& a, const Source& b) { return key(a) < key(b); });
  sources.erase(std::unique(sources.begin(), sources.end(), [&](const Source& a, const Source& b) { return key(a) == key(b); }),
                sources.end());
}

std::vector<Source> tokenizer_sources(const Config& config, DataContext& context) {
  std::vector<Source> sources;
  for (const std::string& entry : config.tokenizer) {
    const bool file = entry.find_first_of("./") != entry.npos;
    sources.push_back(made_at(place_of(config, context, "tokenizer"), [&] {
      return file ? file_source(entry, context.manifest_folder) : corpus_source(entry, context.artifacts);
    }));
  }
  if (sources.empty()) {
    sources = sources_of(config, context);
    for (const Json& sibling : context.siblings) {
      const Config other = read_config<Config>(sibling);
      if (same_source(other, config)) continue;
      check(other, context);
      for (Source& source : sources_of(other, context)) sources.push_back(std::move(source));
    }
  }
  normalise(sources);
  return sources;
}

// Uniform in [0, 1), a function of the text alone.
double lot_of(const std::string& document) {
  return static_cast<double>(std::stoull(sha256("khost split\n" + document).substr(0, 13), nullptr, 16)) / 0x1p52;
}

Part part_of(const std::string& document, double held_out, double calibration) {
  const double lot = lot_of(document);
  if (lot < held_out) return Part::held_out;
  return lot < held_out + calibration ? Part::calibration : Part::train;
}

// "3 of 5,120 tokens are <unk>, for 2 different characters: ..." where there are any.
std::string note_of_unknown(const std::vector<std::string>& documents, const std::vector<std::vector<std::int32_t>>& encoded,
                            const Tokenizer& tokenizer) {
  std::int64_t unknown = 0, all = 0;
  std::set<std::string> parts;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto here = std::count(encoded[i].begin(), encoded[i].end(), tokenizer.unknown());
    all += std::ssize(encoded[i]);
    unknown += here;
    if (here && parts.size() < kMostParts)
      for (std::string& part : tokenizer.unknown_parts(documents[i])) parts.insert(std::move(part));
  }
  if (unknown == 0) return "";
  std::string names;
  std::size_t shown = 0;
  for (const std::string& part : parts)
    if (shown++ < kMostParts) names += (names.empty() ? "'" : ", '") + part.substr(0, 40) + "'";
  return std::to_string(unknown) + " of " + std::to_string(all) + " tokens are <unk>, as the tokenizer has no piece for " +
         names + (parts.size() > kMostParts ? ", ..." : "");
}

void write_tokens(const std::vector<Source>& sources, const Config& config, const Tokenizer& tokenizer, const std::string& name,
                  const std::string& path) {
  std::vector<std::string> documents;
  Json::List notes;
  for (const Source& source : sources) {
    Documents read = read_documents(source);
    for (std::string& document : read.texts) documents.push_back(std::move(document));
    if (!read.note.empty()) notes.push_back(source.name + ": " + read.note);
  }
  std::vector<std::vector<std::int32_t>> encoded(documents.size());
  std::vector<Part> part(documents.size());
  parallel_for(std::ssize(documents), 64, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      encoded[i] = tokenizer.encode(documents[i]);
      encoded[i].push_back(tokenizer.end_of_document());
      part[i] = part_of(documents[i], config.held_out, config.calibration);
    }
  });

  std::array<std::vector<std::int32_t>, kParts.size()> tokens;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    auto& all = tokens[static_cast<std::size_t>(part[i])];
    all.insert(all.end(), encoded[i].begin(), encoded[i].end());
  }
  std::vector<NamedArray> arrays;
  for (const Part p : kParts) {
    const auto& all = tokens[static_cast<std::size_t>(p)];
    const double asked = p == Part::held_out ? config.held_out : p == Part::calibration ? config.calibration : 1;
    if (all.empty() && asked > 0) {
      Error error(ErrorKind::usage, "none of the " + std::to_string(documents.size()) + " documents of " + name +
                                        " falls into its " + name_of(p) + " part");
      // Why there are so few may stand in what is otherwise said when the tokens are made: CRs alone end no line.
      for (const Json& note : notes) error.hint(note.as_string());
      throw error.hint("use more documents (in files, blank lines separate them), or other fractions: \"held_out\" is " +
                       Json(config.held_out).text() + ", \"calibration\" is " + Json(config.calibration).text() +
                       "; 0 asks for none");
    }
    arrays.push_back({name_of(p), {DType::i32, all.data(), {std::ssize(all)}}});
  }
  if (const std::string note = note_of_unknown(documents, encoded, tokenizer); !note.empty()) notes.push_back(name + ": " + note);
  write_safetensors(path, arrays, {{kNotes, Json(std::move(notes)).text()}});
}

std::string name_of_sources(const std::vector<Source>& sources) {
  return sources.size() == 1 ? sources[0].name : sources[0].name + " and " + std::to_string(sources.size() - 1) + " more files";
}

}  // namespace

Text::Text(const Config& config, DataContext& context) : vocabulary_(config.vocab) {
  check(config, context);
  check_siblings(config, context);
  const std::vector<Source> sources = sources_of(config, context);
  name_ = name_of_sources(sources);

  const std::vector<Source> training = tokenizer_sources(config, context);
  Json recipe{Json::Object{}};
  recipe.set("format", 2);
  recipe.set("tokenizer", tokenizer_recipe(training, config.vocab));
  Json::List text;
  for (const Source& source : sources) text.push_back(identity_of({source}));  // here their order counts
  recipe.set("text", std::move(text));
  recipe.set("held_out", config.held_out);
  recipe.set("calibration", config.calibration);
  identity_ = "text " + sha256(recipe.canonical());

  make_file_ = [=, this, &artifacts = context.artifacts] {
    const std::string path = artifacts.get("tokens", recipe, "tokens of " + name_, [&](const std::string& temporary) {
      write_tokens(sources, config, Tokenizer(training, config.vocab, artifacts), name_, temporary);
    });
    auto file = std::make_unique<SafetensorsFile>(path);
    // Said whenever the tokens are used, not only when they are made.
    if (const auto found = file->metadata().find(kNotes); found != file->metadata().end()) {
      const Json notes = parse_json(found->second, path);
      for (const Json& note : notes.as_list()) artifacts.note(note.as_string());
    }
    return file;
  };
}

// What went wrong once goes wrong again, after as long: every trial that reads this text is told at once.
const SafetensorsFile& Text::file() const {
  const std::lock_guard lock(mutex_);
  if (failed_) throw *failed_;
  if (file_) return *file_;
  try {
    file_ = make_file_();
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::interrupted) failed_ = e;
    throw;
  }
  make_file_ = nullptr;  // with the text
  return *file_;
}

std::int64_t Text::tokens(Part part) const { return file().get(name_of(part)).size(); }

void Text::windows(Part part, std::int64_t count, std::int64_t length, Random& random, std::span<std::int32_t> out) const {
  const ArrayView view = file().get(name_of(part));
  const std::span<const std::int32_t> all = view.i32();
  if (count < 0 || length < 1 || std::ssize(out) != count * length) {
    throw Error(ErrorKind::plugin, "data 'text': " + std::to_string(count) + " windows of " + std::to_string(length) +
                                       " tokens do not fill " + std::to_string(out.size()) + " places");
  }
  if (std::ssize(all) < length) {
    throw Error(ErrorKind::usage, "a window of " + std::to_string(length) + " tokens is longer than the text: the " +
                                      name_of(part) + " part of " + name_ + " has " + std::to_string(all.size()))
        .hint("shorten \"sequence\", or use more text");
  }
  const auto starts = static_cast<std::uint64_t>(std::ssize(all) - length + 1);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto start = static_cast<std::ptrdiff_t>(random.below(starts));
    std::copy_n(all.begin() + start, length, out.begin() + i * length);
  }
}

}  // namespace khost
