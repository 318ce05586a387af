#include <doctest/doctest.h>
#include <stdlib.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "artifact/cache.hpp"
#include "khost/error.hpp"
#include "khost/hash.hpp"
#include "khost/schema.hpp"
#include "message.hpp"
#include "text.hpp"
#include "tokenizer.hpp"

using namespace khost;
namespace fs = std::filesystem;

namespace {

const std::string kFixtures = KHOST_SOURCE_DIR "/tests/data";

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "khost-text-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(path + "/" + name).parent_path());
    std::ofstream(path + "/" + name, std::ios::binary) << text;
  }
  void write_corpus(const std::string& name, const std::string& text) const {
    write("corpora/" + name + ".txt", text);
    write("corpora/" + name + ".txt.sha256", sha256(text) + "  " + name + ".txt\n");
  }
  std::string path;
};

Json configuration(const std::string& text) {
  return resolve(schema_of<Text::Config>(), parse_json(text, "test.manifest"), "data 'text'");
}

// The configurations share an experiment; the first is made.
std::unique_ptr<Text> make(Cache& cache, const std::vector<std::string>& texts, const std::string& folder = kFixtures) {
  DataContext context{cache, {}, folder, 1};
  for (const std::string& text : texts) context.siblings.push_back(configuration(text));
  auto data = std::make_unique<Text>(read_config<Text::Config>(context.siblings[0]), context);
  data->tokens(Part::train);  // made when first asked for
  return data;
}

std::vector<std::int32_t> all_of(const Text& data, Part part) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(data.tokens(part)));
  Random random(0, "test", "all");
  data.windows(part, 1, data.tokens(part), random, tokens);
  return tokens;
}

const std::string kVillage = R"({"files": ["village.txt"], "vocab": 150, "held_out": 0.2, "calibration": 0.1})";

}  // namespace

TEST_CASE("documents: blocks of files, lines of corpora, plain and gzip") {
  const Folder folder;
  folder.write("a.txt", "\xef\xbb\xbf one\r\ntwo  \r\n\r\n \t\r\nthree\n\n\n\nfour");
  const Source blocks = file_source("a.txt", folder.path);
  CHECK(read_documents(blocks).texts == std::vector<std::string>{"one two", "three", "four"});
  Source lines = blocks;
  lines.form = Form::lines;
  CHECK(read_documents(lines).texts == std::vector<std::string>{"one", "two", "three", "four"});

  const std::string text(300'000, 'x');
  const gzFile gz = gzopen((folder.path + "/b.gz").c_str(), "wb");
  gzwrite(gz, text.data(), static_cast<unsigned>(text.size()));
  gzclose(gz);
  CHECK(read_documents(file_source("b.gz", folder.path)).texts == std::vector<std::string>{text});
  fs::resize_file(folder.path + "/b.gz", fs::file_size(folder.path + "/b.gz") - 9);
  CHECK_THROWS_WITH_AS(read_documents(file_source("b.gz", folder.path)), doctest::Contains("/b.gz': is not whole"), Error);

  folder.write("latin1.txt", "plain\n\ncaf\xe9 noir\n");
  CHECK_THROWS_WITH_AS(read_documents(file_source("latin1.txt", folder.path)),
                       doctest::Contains("/latin1.txt': line 3 is not UTF-8"), Error);
  folder.write("zero.txt", std::string("a\nb\0c", 5));
  CHECK_THROWS_WITH_AS(read_documents(file_source("zero.txt", folder.path)), doctest::Contains("line 2 holds a NUL byte"), Error);
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    folder.write("bad.txt", bad);
    CHECK_THROWS_WITH_AS(read_documents(file_source("bad.txt", folder.path)), doctest::Contains("is not UTF-8"), Error);
  }
  folder.write("good.txt", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(read_documents(file_source("good.txt", folder.path)).texts.size() == 1);
  folder.write("empty.txt", "\n \n");
  CHECK_THROWS_WITH_AS(read_documents(file_source("empty.txt", folder.path)), doctest::Contains("holds no text"), Error);
  CHECK_THROWS_WITH_AS(file_source("none.txt", folder.path), doctest::Contains("/none.txt': there is no such file"), Error);
  CHECK_THROWS_WITH_AS(file_source(".", folder.path), doctest::Contains("is not a file"), Error);
}

TEST_CASE("documents: what is not taken as it stands is counted and said") {
  const Folder folder;
  const auto note = [&](const std::string& text) {
    folder.write("n.txt", text);
    return read_documents(file_source("n.txt", folder.path)).note;
  };
  const auto refusal = [&](const std::string& text) {
    folder.write("n.txt", text);
    return message_of([&] { read_documents(file_source("n.txt", folder.path)); });
  };
  CHECK(note("plain\n\ntext, with caf\xc3\xa9\tand tabs\n") == "");
  CHECK(note("\xef\xbb\xbfone\r\ntwo\r\nthree\rfour") ==
        "a byte order mark is passed over; 2 lines end in CR LF, read as LF; 1 CR without LF is read as blanks");
  CHECK(note("a \xe2\x96\x85 b \xe2\x96\x85\nc\nd \xe2\x96\x85\n") ==
        "2 lines hold U+2585, which SentencePiece keeps for itself: it becomes <unk>");
  CHECK(note("a\xef\xbf\xbd"
             "b\x01 \xe2\x96\x81 \xef\xbb\xbf \xef\xbf\xbd") ==
        "5 characters are read as a blank or not at all (U+0001 1, U+2581 1, U+FEFF 1, U+FFFD 2)");
  CHECK(note("text\n\n\xe2\x80\x8b\n\n\xc2\xad \xe2\x81\xa0\n") ==
        "1 character is read as a blank or not at all (U+200B 1); 2 documents of only invisible characters left out");
  // 30 kB on a line: cut at blanks nothing is lost and nothing to say; without blanks the trainer sees it in pieces.
  std::string words, run(30'000, 'x');
  while (words.size() < 30'000) words += "word ";
  CHECK(note(words) == "");
  CHECK(note("a " + run + " b") == "1 run of more than 4000 bytes without a blank is cut, for the tokenizer's training alone");

  CHECK(refusal("\xe2\x80\x8b\xef\xbb\xbf\n\n\xc2\xad\n").find("holds no text, only invisible characters") != std::string::npos);
  CHECK(refusal("a\nb\xff\xfe\nc\xff\nd\n").find("line 2 and 1 more are not UTF-8") != std::string::npos);
  CHECK(refusal(std::string("a\0b\nc\n\0\0d\n\0", 12)).find("line 1 and 2 more hold NUL bytes: it is not text") !=
        std::string::npos);
  CHECK(refusal(std::string("\xff\xfe"
                            "a\0",
                            4))
            .find("is UTF-16, not UTF-8\n  convert it first: iconv -f utf-16") != std::string::npos);
}

TEST_CASE("documents: gzip of several members, and what follows it") {
  const Folder folder;
  const auto member = [&](const std::string& text) {
    const std::string path = folder.path + "/m.gz";
    const gzFile gz = gzopen(path.c_str(), "wb");
    gzwrite(gz, text.data(), static_cast<unsigned>(text.size()));
    gzclose(gz);
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string two = member("one\n\ntw") + member("o\n");
  folder.write("two.gz", two + std::string(512, '\0'));
  CHECK(read_documents(file_source("two.gz", folder.path)).texts == std::vector<std::string>{"one", "two"});
  folder.write("more.gz", two + "plain");
  CHECK_THROWS_WITH_AS(read_documents(file_source("more.gz", folder.path)),
                       doctest::Contains("something else follows its gzip data"), Error);
  std::string damaged = two;
  damaged[two.size() / 4] ^= 0x55;
  folder.write("damaged.gz", damaged);
  CHECK_THROWS_WITH_AS(read_documents(file_source("damaged.gz", folder.path)), doctest::Contains("is not whole"), Error);
}

TEST_CASE("text: a file that is edited meanwhile is tokenized as it was hashed") {
  const Folder folder;
  std::string before, after;
  for (int i = 0; i < 60; ++i) {
    before += "an old document, number " + std::to_string(i) + "\n\n";
    after += "a new document, number " + std::to_string(i * 3) + ", longer than before\n\n";
  }
  const std::string config = R"({"files": ["t.txt"], "vocab": 40, "held_out": 0.2, "calibration": 0.2})";
  const auto tokens = [&](const std::string& cache_name, const std::string& first, const std::string& then) {
    Cache cache(folder.path + "/" + cache_name);
    folder.write("t.txt", first);
    DataContext context{cache, {configuration(config)}, folder.path, 1};
    const Text data(read_config<Text::Config>(context.siblings[0]), context);
    folder.write("t.txt", then);  // between the plan and the tokens
    return std::pair(data.identity(), all_of(data, Part::train));
  };
  const auto old_one = tokens("a", before, before), edited = tokens("b", before, after), new_one = tokens("c", after, after);
  CHECK(edited == old_one);  // name and tokens are of one text
  CHECK(new_one.first != old_one.first);
  CHECK(new_one.second != old_one.second);
  CHECK(tokens("b", before, before) == old_one);  // and so the cache holds the right tokens
  CHECK(tokens("b", after, after) == new_one);
}

TEST_CASE("text: what becomes <unk> is said, and so at every use") {
  const Folder folder;
  std::string text = "Zebra \xe2\x96\x85 line\r\n\r\n";
  for (int i = 0; i < 40; ++i) text += "document number " + std::to_string(i) + "\n\n";
  folder.write("t.txt", text);
  folder.write("other.txt", "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXY\n");
  std::vector<std::string> said;
  const auto made = [&](const std::string& more) {
    Cache cache(folder.path, [&](std::string_view what) { said.emplace_back(what); });
    return make(cache, {R"({"files": ["t.txt"], "held_out": 0.2, "calibration": 0.2, )" + more + "}"}, folder.path);
  };
  const std::string found =
      "note: 't.txt': 2 lines end in CR LF, read as LF; 1 line holds U+2585, which SentencePiece keeps for itself: it becomes "
      "<unk>";
  made(R"("vocab": 40)");
  REQUIRE(said.size() == 4);
  CHECK(said[2] == found);
  CHECK(said[3].starts_with("note: 't.txt': 1 of "));
  CHECK(said[3].ends_with(" tokens are <unk>, as the tokenizer has no piece for '\xe2\x96\x85'"));
  said.clear();
  made(R"("vocab": 40)");  // from the cache
  REQUIRE(said.size() == 2);
  CHECK(said[0] == found);
  Cache cache(folder.path);
  const Tokenizer tokenizer({file_source("t.txt", folder.path)}, 40, cache);
  for (const std::int32_t id : tokenizer.encode("Zebra")) CHECK(id != tokenizer.unknown());  // its line was not dropped
  said.clear();
  made(R"("vocab": 60, "tokenizer": ["./other.txt"])");  // which has no digits
  CHECK(said.back().find(" tokens are <unk>, as the tokenizer has no piece for '0', ") != std::string::npos);
}

TEST_CASE("text: exact vocabulary, three parts of whole documents, windows") {
  const Folder folder;
  Cache cache(folder.path);
  const auto data = make(cache, {kVillage});
  CHECK(data->vocabulary() == 150);

  const Tokenizer tokenizer({file_source("village.txt", kFixtures)}, 150, cache);
  std::set<std::vector<std::int32_t>> documents;
  for (const std::string& d : read_documents(file_source("village.txt", kFixtures)).texts) documents.insert(tokenizer.encode(d));
  CHECK(documents.size() == 60);
  std::size_t seen = 0, in_train = 0;
  std::set<std::int32_t> used;
  for (const Part part : {Part::train, Part::calibration, Part::held_out}) {
    std::vector<std::int32_t> document;
    for (const std::int32_t token : all_of(*data, part)) {
      used.insert(token);
      if (token != tokenizer.end_of_document()) {
        document.push_back(token);
        continue;
      }
      CHECK(documents.erase(document) == 1);  // whole, and in no other part
      ++seen;
      in_train += part == Part::train;
      document.clear();
    }
    CHECK(document.empty());
  }
  CHECK(seen == 60);
  CHECK(in_train > 30);
  CHECK(in_train < 52);
  CHECK(*used.begin() >= 1);  // no character is unknown
  CHECK(*used.rbegin() == 149);

  Random random(4, "test", "windows");
  const auto train = all_of(*data, Part::train);
  std::vector<std::int32_t> out(100 * 9);
  data->windows(Part::train, 100, 9, random, out);
  std::set<std::ptrdiff_t> starts;
  for (std::ptrdiff_t i = 0; i < 100; ++i) {
    const auto found = std::search(train.begin(), train.end(), out.begin() + i * 9, out.begin() + (i + 1) * 9);
    REQUIRE(found != train.end());
    starts.insert(found - train.begin());
  }
  CHECK(starts.size() > 80);
  std::vector<std::int32_t> many(1'000'000);
  CHECK_THROWS_WITH_AS(data->windows(Part::held_out, 1, 1'000'000, random, many),
                       ("a window of 1000000 tokens is longer than the text: the held_out part of 'village.txt' has " +
                        std::to_string(data->tokens(Part::held_out)) + "\n  shorten \"sequence\", or use more text")
                           .c_str(),
                       Error);
}

TEST_CASE("text: the same again is bit-identical, and comes from the cache") {
  const Folder first, second;
  std::vector<std::string> said;
  Cache cache(first.path, [&](std::string_view what) { said.emplace_back(what); });
  const auto a = make(cache, {kVillage});
  CHECK(said == std::vector<std::string>{"building tokens of 'village.txt'", "building tokenizer of 150 pieces"});
  said.clear();
  const auto again = make(cache, {kVillage});
  CHECK(said.empty());
  Cache fresh(second.path);
  const auto b = make(fresh, {kVillage});
  CHECK(a->identity() == b->identity());
  for (const Part part : {Part::train, Part::calibration, Part::held_out}) {
    CHECK(all_of(*a, part) == all_of(*b, part));
    CHECK(all_of(*a, part) == all_of(*again, part));
  }
}

TEST_CASE("text: the tokenizer is that of the whole experiment") {
  const Folder folder;
  folder.write_corpus("kjv",
                      "In the beginning God created the heaven and the earth.\nThus the heavens and the earth were finished.\n");
  Cache cache(folder.path);
  const std::string kjv = R"({"corpus": "kjv", "vocab": 150, "held_out": 0.2, "calibration": 0.1})";
  const auto alone = make(cache, {kVillage});
  const auto together = make(cache, {kVillage, kjv});
  CHECK(alone->identity() != together->identity());
  // Each of the two finds the tokenizer that the other made, in whichever order they are named.
  int tokenizers = 0;
  for (const auto& entry : fs::directory_iterator(folder.path + "/tokenizer")) tokenizers += entry.path().extension() == ".json";
  CHECK(tokenizers == 2);
  CHECK(make(cache, {kVillage, kjv, kVillage})->identity() == together->identity());
  const std::string fixed =
      R"({"files": ["village.txt"], "vocab": 150, "tokenizer": ["kjv", "./village.txt"], "held_out": 0.2, "calibration": 0.1})";
  CHECK(make(cache, {fixed})->identity() == together->identity());
}

TEST_CASE("text: what an experiment's data must agree on") {
  const Folder folder;
  Cache cache(folder.path);
  CHECK_THROWS_WITH_AS(make(cache, {kVillage, R"({"corpus": "kjv", "vocab": 151, "held_out": 0.2, "calibration": 0.1})"}),
                       doctest::Contains("data 'text': \"vocab\" is 150 here, but 151 at test.manifest:1:"), Error);
  CHECK_THROWS_WITH_AS(make(cache, {kVillage, R"({"corpus": "kjv", "vocab": 150, "calibration": 0.1})"}),
                       doctest::Contains("\"held_out\" is 0.2 here, but 0.05 at"), Error);
  CHECK_THROWS_WITH_AS(make(cache, {R"({"vocab": 100})"}), doctest::Contains("neither \"corpus\" nor \"files\""), Error);
  CHECK_THROWS_WITH_AS(make(cache, {R"({"vocab": 100, "corpus": "kjv", "files": ["a"]})"}),
                       doctest::Contains("both \"corpus\" and \"files\""), Error);
  CHECK_THROWS_WITH_AS(make(cache, {R"({"files": ["village.txt"], "vocab": 150, "held_out": 0.6, "calibration": 0.4})"}),
                       doctest::Contains("leave no document to train on"), Error);
  CHECK_THROWS_WITH_AS(configuration(R"({"corpus": "kjv"})"), doctest::Contains("vocab"), Error);
  CHECK_THROWS_WITH_AS(make(cache, {R"({"vocab": 100, "corpus": "kjv"})"}), doctest::Contains("run ./bootstrap corpora"), Error);
  CHECK_THROWS_WITH_AS(make(cache, {R"({"vocab": 100, "corpus": "kjv"})"}),
                       doctest::Contains("in data 'text' at test.manifest:1:26"), Error);
}

TEST_CASE("text: what a plan asks for needs no tokens") {
  const Folder folder;
  bool made = false;
  Cache cache(folder.path, [&](std::string_view) { made = true; });
  DataContext context{cache, {configuration(kVillage)}, kFixtures, 1};
  const Text data(read_config<Text::Config>(context.siblings[0]), context);
  CHECK(data.vocabulary() == 150);
  const std::string identity = data.identity();
  CHECK(!made);
  CHECK(data.tokens(Part::train) > 0);
  CHECK(made);
  CHECK(data.identity() == identity);
}

TEST_CASE("text: vocabularies that the text does not give") {
  const Folder folder;
  Cache cache(folder.path);
  std::int64_t most = 0;
  try {
    make(cache, {R"({"files": ["village.txt"], "vocab": 15007})"});
    FAIL("a village has no 15007 pieces");
  } catch (const Error& error) {
    const std::string words = "a vocabulary of 15007 is larger than the text supports: it gives ";
    CHECK(error.kind() == ErrorKind::usage);
    REQUIRE(error.message().starts_with(words));
    most = std::stoll(error.message().substr(words.size()));
    CHECK(std::string(error.what()).find("set \"vocab\" to at most " + std::to_string(most)) != std::string::npos);
  }
  const auto with = [&](std::int64_t vocab) {
    return make(cache, {R"({"files": ["village.txt"], "held_out": 0.2, "vocab": )" + std::to_string(vocab) + "}"});
  };
  CHECK(with(most)->vocabulary() == most);
  CHECK_THROWS_WITH_AS(with(most + 1), doctest::Contains("larger than the text supports"), Error);
  CHECK_THROWS_WITH_AS(
      with(9), doctest::Contains("a vocabulary of 9 is smaller than the number of different characters in the text, which with"),
      Error);
}

TEST_CASE("text: what could not be made is not tried again for the next who asks") {
  const Folder folder;
  int made = 0;
  Cache cache(folder.path, [&](std::string_view what) { made += what.starts_with("building tokenizer"); });
  DataContext context{cache, {configuration(R"({"files": ["village.txt"], "vocab": 15007})")}, kFixtures, 1};
  const Text data(read_config<Text::Config>(context.siblings[0]), context);
  for (int i = 0; i < 3; ++i)
    CHECK_THROWS_WITH_AS(data.tokens(Part::train), doctest::Contains("larger than the text supports"), Error);
  CHECK(made == 1);
}

TEST_CASE("text: a part that stays empty") {
  const Folder folder;
  Cache cache(folder.path);
  folder.write("one.txt", "one single document about nothing in particular, with words enough for a few pieces\n");
  const auto with = [&](const std::string& more) {
    return make(cache, {R"({"files": ["one.txt"], "vocab": 40)" + more + "}"}, folder.path);
  };
  CHECK_THROWS_WITH_AS(with(""), doctest::Contains("none of the 1 documents of 'one.txt' falls into its"), Error);
  folder.write("cr.txt", "one document, as it seems\r\rand another\rof two lines, all with words enough for a few pieces\r");
  CHECK_THROWS_WITH_AS(make(cache, {R"({"files": ["cr.txt"], "vocab": 40})"}, folder.path),
                       doctest::Contains("4 CRs without LF are read as blanks"), Error);
  const auto data = with(R"(, "held_out": 0, "calibration": 0)");
  CHECK(data->tokens(Part::held_out) == 0);
  CHECK(data->tokens(Part::train) > 10);
  Random random(1, "a", "b");
  std::vector<std::int32_t> out(4);
  CHECK_THROWS_WITH_AS(data->windows(Part::held_out, 1, 4, random, out),
                       doctest::Contains("the held_out part of 'one.txt' has 0"), Error);
}

TEST_CASE("text: copies of a document and long documents") {
  const Folder folder;
  Cache cache(folder.path);
  // 40 documents, each three times: copies stay together, so that every part has a multiple of three.
  std::string text;
  for (int copy = 0; copy < 3; ++copy)
    for (int i = 0; i < 40; ++i) text += "document number " + std::to_string(i * 7919) + "\n\n";
  folder.write("copies.txt", text);
  const auto data = make(cache, {R"({"files": ["copies.txt"], "vocab": 40, "held_out": 0.3, "calibration": 0.3})"}, folder.path);
  const Tokenizer tokenizer({file_source("copies.txt", folder.path)}, 40, cache);
  for (const Part part : {Part::train, Part::calibration, Part::held_out}) {
    const auto tokens = all_of(*data, part);
    CHECK(std::count(tokens.begin(), tokens.end(), tokenizer.end_of_document()) % 3 == 0);
  }
  // Characters that occur only far inside one long line, once with blanks around and once without: the trainer sees them all.
  std::string line;
  for (int i = 0; i < 3000; ++i) line += i == 2500 ? "Q " : "ab ba ";
  line += std::string(9000, 'c') + "Z" + std::string(3001, 'd');
  for (int i = 0; i < 3000; ++i) line += "\xc3\xa9";
  folder.write("long.txt", line);
  const Tokenizer trained({file_source("long.txt", folder.path)}, 20, cache);
  for (const char* letter : {"Q", "Z", "d", "\xc3\xa9"}) {
    const auto ids = trained.encode(letter);
    CHECK(std::find(ids.begin(), ids.end(), 0) == ids.end());  // 0: unknown
  }
}
