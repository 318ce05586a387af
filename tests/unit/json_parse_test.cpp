// The JSON reader: places, messages, and that whatever it writes it reads back.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <random>
#include <vector>

#include "khost/json.hpp"

using khost::Json;
using khost::parse_json;

namespace {

std::string message_of(const std::string& text) {
  try {
    return "read: " + parse_json(text, "m").text();
  } catch (const khost::Error& e) {
    CHECK(e.kind() == khost::ErrorKind::usage);
    return e.what();
  }
}

Json random_json(std::mt19937_64& random, int depth) {
  static const std::vector<std::string> texts = {
      "", "a", "K32-drop0.1", "\"\\/\b\f\n\r\t", "\x01\x1f", "\u00e9\u4e2d\U0001f600", "// no", "{"};
  switch (random() % (depth > 0 ? 8 : 6)) {
    case 0:
      return Json();
    case 1:
      return Json(random() % 2 == 0);
    case 2:
      return Json(static_cast<std::int64_t>(random()));
    case 3:
      return Json(static_cast<std::int64_t>(random() % 200) - 100);
    case 4: {
      const double mantissa = static_cast<double>(static_cast<std::int64_t>(random()));
      return Json(std::ldexp(mantissa, static_cast<int>(random() % 1800) - 1000));
    }
    case 5:
      return Json(texts[random() % texts.size()]);
    case 6: {
      Json::List list;
      for (std::uint64_t i = random() % 5; i > 0; --i) list.push_back(random_json(random, depth - 1));
      return Json(std::move(list));
    }
    default: {
      Json object{Json::Object{}};
      for (std::uint64_t i = random() % 5; i > 0; --i)
        object.set(texts[random() % texts.size()] + std::to_string(i), random_json(random, depth - 1));
      return object;
    }
  }
}

}  // namespace

TEST_CASE("json: comments, trailing commas and places") {
  const Json json = parse_json(
      "// a manifest\n/* of\n two lines **/ {\n  \"a\": 12, // twelve\n  \"\u00e9\": [true, \"x\", /**/ {\"b\": null,},],\n}\n/* "
      "end */ // it",
      "m");
  CHECK(json.text() == "{\"a\":12,\"\u00e9\":[true,\"x\",{\"b\":null}]}");
  CHECK(json.place.text() == "m:3:16");
  CHECK(json.at("a").place.text() == "m:4:8");
  CHECK(json.as_object()[1].place.text() == "m:5:3");
  const Json& list = json.at("\u00e9");
  CHECK(list.place.text() == "m:5:8");  // columns count characters, not bytes
  CHECK(list.as_list()[0].place.text() == "m:5:9");
  CHECK(list.as_list()[1].place.text() == "m:5:15");
  CHECK(list.as_list()[2].place.text() == "m:5:25");
  CHECK(list.as_list()[2].at("b").place.text() == "m:5:31");
  CHECK(list.as_list()[2].as_object()[0].place.text() == "m:5:26");
}

TEST_CASE("json: numbers are read to the last digit and keep their kind") {
  const Json json = parse_json(
      "[1, 1.0, -0, 1e2, 9223372036854775807, -9223372036854775808, 0.1, 1.7976931348623157e308, 2.2250738585072014E-308, 3e25]",
      "m");
  const auto& list = json.as_list();
  CHECK(list[0].is_integer());
  CHECK(list[1].is_integer());  // a whole number, however it is written
  CHECK_FALSE(list[1].written_whole());
  CHECK(list[1].text() == "1.0");
  CHECK(list[2].is_integer());
  CHECK(list[3].as_integer() == 100);
  CHECK_FALSE(list[6].is_integer());
  CHECK_FALSE(list[9].is_integer());  // doubles there are too sparse to mean one
  CHECK(list[4].as_integer() == std::numeric_limits<std::int64_t>::max());
  CHECK(list[5].as_integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(list[6].as_number() == 0.1);
  CHECK(list[7].as_number() == 1.7976931348623157e308);
  CHECK(list[8].as_number() == 2.2250738585072014e-308);
  CHECK(list[9].as_number() == 3e25);
}

TEST_CASE("json: a byte order mark is passed over") { CHECK(parse_json("\xef\xbb\xbf{}", "m").place.text() == "m:1:1"); }

TEST_CASE("json: what is wrong, where, and what to do") {
  struct Case {
    std::string text, message;
  };
  const std::string number =
      "\n  a number looks like 12, -0.5 or 5e-3: no leading zeros, no plus, digits on both sides of the point";
  const std::vector<Case> cases = {
      {"", "m:1:1: there is nothing here\n  a manifest is an object: { ... }"},
      {" // nothing", "m:1:1: there is nothing here\n  a manifest is an object: { ... }"},
      {"{", "m:1:1: this '{' is never closed; '}' is missing"},
      {"{\n \"a\": [1, 2", "m:2:7: this '[' is never closed; ']' is missing"},
      {"{\"a\" 1}", "m:1:6: ':' is missing after the key 'a', found '1'"},
      {"{\"a\": 1\n \"b\": 2}", "m:2:2: ',' is missing before '\"'"},
      {"[1 2]", "m:1:4: ',' is missing before '2'"},
      {"{\"a\":}", "m:1:6: a value is expected, found '}'"},
      {"{\"a\":1:2}", "m:1:7: a stray ':'; ',' or a closing bracket is expected"},
      {"[1,,2]", "m:1:4: a value or ']' is expected, found ','"},
      {"{a: 1}", "m:1:2: a key in double quotes or '}' is expected, found 'a'"},
      {"{'a': 1}", "m:1:2: texts and keys take double quotes, not single ones"},
      {"[1}", "m:1:3: '}' found, but the '[' of m:1:1 is still open"},
      {"{\"a\": 1]", "m:1:8: ']' found, but the '{' of m:1:1 is still open"},
      {"{} x", "m:1:4: 'x' after the end of the document\n  a manifest is one object; look for a '}' too many"},
      {"{}}", "m:1:3: '}' after the end of the document\n  a manifest is one object; look for a '}' too many"},
      {"{\"a\": kjv}", "m:1:7: 'kjv' is not a JSON value\n  a text stands in double quotes"},
      {"[True]", "m:1:2: 'True' is not a JSON value\n  the words are true, false and null"},
      {"[NaN]", "m:1:2: 'NaN' is not a JSON value\n  numbers are finite"},
      {"[tru", "m:1:2: 'tru' is not a JSON value\n  a text stands in double quotes"},
      {"[01]", "m:1:2: '01' is not a JSON value\n  write 1"},
      {"[-007.50]", "m:1:2: '-007.50' is not a JSON value\n  write -7.50"},
      {"[1., 2]", "m:1:2: '1.' is not a JSON value\n  write 1"},
      {"[5.e-3]", "m:1:2: '5.e-3' is not a JSON value\n  write 5e-3"},
      {"[.5]", "m:1:2: '.5' is not a JSON value\n  write 0.5"},
      {"[-.5e3]", "m:1:2: '-.5e3' is not a JSON value\n  write -0.5e3"},
      {"[+1]", "m:1:2: '+1' is not a JSON value\n  write 1"},
      {"[10_000]", "m:1:2: '10_000' is not a JSON value\n  write 10000"},
      {"[0x10]", "m:1:2: '0x10' is not a JSON value\n  write 16"},
      {"[1e]", "m:1:2: '1e' is not a JSON value" + number},
      {"[1.2.3]", "m:1:2: '1.2.3' is not a JSON value" + number},
      {"[5k]", "m:1:2: '5k' is not a JSON value" + number},
      {"[1e999]", "m:1:2: the number 1e999 is out of range\n  numbers are double precision, up to 1.8e308"},
      {"[1e99999999999]", "m:1:2: the number 1e99999999999 is out of range"},
      {"[9223372036854775808]",
       "m:1:2: the integer 9223372036854775808 is out of range\n  integers go from -9223372036854775808 to 9223372036854775807"},
      {"[\"abc", "m:1:2: this string is not closed on its line; '\"' is missing"},
      {"[\"ab\nc\"]", "m:1:2: this string is not closed on its line; '\"' is missing"},
      {"[\"a\tb\"]", "m:1:4: a control character in a string\n  write a tab as \\t"},
      {"[\"\\q\"]", "m:1:4: '\\q' is not an escape\n  a backslash itself is written \\\\"},
      {"[\"\\u12x4\"]", "m:1:7: \\u in a string takes four hexadecimal digits"},
      {"[\"\\ud800x\"]", "m:1:9: half of a surrogate pair (\\ud800 to \\udfff) in a string"},
      {"[\"\\ud800\\n\"]", "m:1:10: half of a surrogate pair (\\ud800 to \\udfff) in a string"},
      {"[\"\xff\"]", "m:1:3: this string is not valid UTF-8"},
      {"[\"\xc3\"]", "m:1:3: this string is not valid UTF-8"},
      {"\"\xf0\",\xf0,", "m:1:2: this string is not valid UTF-8"},
      {"[\"\xc3\xa9\xe2\x82\", 1]", "m:1:4: this string is not valid UTF-8"},
      {"[\"\\\xc3\xa9\"]", "m:1:4: '\\\xc3\xa9' is not an escape\n  a backslash itself is written \\\\"},
      {"[1, /* a", "m:1:5: this comment is never closed; '*/' is missing"},
      {"[1, / a]", "m:1:5: a lone '/'; comments start with // or /*"},
      {"# a", "m:1:1: '#' starts no comment; write //"},
      {"{\"a\": 1,\n \"a\": 2}", "m:2:2: the key 'a' is already set at m:1:2"},
      {std::string(65, '['), "m:1:65: brackets are nested deeper than 64 levels"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(message_of(c.text) == c.message);
  }
}

TEST_CASE("json: objects of very many keys") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"key." + std::to_string(i) + "\":1,\n";
  const Json json = parse_json(text + "}", "m");  // would take minutes if each key were compared with all before it
  CHECK(json.as_object().size() == 200'000);
  CHECK(message_of(text + "\"key.7\":2}") == "m:200001:1: the key 'key.7' is already set at m:8:1");
  CHECK(message_of(text + "\"key.199999\":2}") == "m:200001:1: the key 'key.199999' is already set at m:200000:1");
}

TEST_CASE("json: files that cannot be read") {
  CHECK_THROWS_WITH_AS(khost::parse_json_file("/nowhere/x.manifest"), "/nowhere/x.manifest: there is no such file", khost::Error);
  const std::string folder = std::filesystem::temp_directory_path().string();
  CHECK_THROWS_WITH_AS(khost::parse_json_file(folder), (folder + ": this is a folder, not a file").c_str(), khost::Error);
}

TEST_CASE("json: what is written reads back as the same value") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 500; ++i) {
    const Json json = random_json(random, 4);
    CHECK(parse_json(json.pretty(), "m") == json);
    CHECK(parse_json(json.text(), "m") == json);
  }
}
