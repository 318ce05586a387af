// What comes from files and plugins is shown without acting on the screen, and never at length.
#include "core/shown.hpp"

#include <doctest/doctest.h>

#include <iostream>
#include <sstream>

#include "khost/error.hpp"
#include "khost/json.hpp"
#include "khost/utf8.hpp"
#include "message.hpp"
#include "report/terminal.hpp"
#include "report/text.hpp"

using namespace khost;

namespace {

bool acts(std::string_view text) {
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.bytes == 0 || (acts_on_a_screen(c.code) && c.code != '\n' && c.code != '\t')) return true;
    text.remove_prefix(c.bytes);
  }
  return false;
}

// Every kind of thing that must not reach a terminal: colours, a title, a carriage return, C1, a turn of direction, a tag, no
// UTF-8.
const std::string nasty = std::string("a\x1b[31m\x1b]0;x\x07\rb\x7f\xc2\x9b") + "2J\xe2\x80\xae\xf3\xa0\x80\x81\xff\xc3" + '\0';

}  // namespace

TEST_CASE("characters are read by the rules of UTF-8 alone") {
  for (const char32_t code : {0x0u, 0x41u, 0x7fu, 0x80u, 0x7ffu, 0x800u, 0xd7ffu, 0xe000u, 0xffffu, 0x10000u, 0x10ffffu}) {
    std::string text;
    append_utf8(text, code);
    const Character c = first_character(text + "x");
    CHECK(c.code == code);
    CHECK(c.bytes == text.size());
    for (std::size_t cut = 1; cut < text.size(); ++cut) CHECK(first_character(text.substr(0, cut)).bytes == 0);
  }
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff"})
    CHECK(first_character(bad).bytes == 0);
  CHECK(first_character("").bytes == 0);
}

TEST_CASE("control characters are shown, not obeyed") {
  CHECK(printable(nasty) == R"(a\x1b[31m\x1b]0;x\x07\x0db\x7f\u009b2J\u202e\U000e0001\xff\xc3\x00)");
  const std::string harmless = "two\nlines,\ta tab, \xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80";
  CHECK(printable(harmless) == harmless);
  CHECK(printable(printable(nasty)) == printable(nasty));
}

TEST_CASE("long text is cut in its middle, with its length") {
  CHECK(shortened("short") == "short");
  const std::string cut = shortened("begin" + std::string(1 << 20, 'x') + "end", 100);
  CHECK(cut.size() <= 100);
  CHECK(cut.starts_with("beginxxx"));
  CHECK(cut.ends_with("xxxend"));
  CHECK(cut.find(" ... (1,048,584 bytes) ... ") != std::string::npos);
  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "\xe4\xb8\xad";
  for (std::size_t most = 40; most < 60; ++most) {
    CHECK(shortened(wide, most).size() <= most);
    CHECK_FALSE(acts(shortened(wide, most)));  // no character is cut
  }
  CHECK(shortened(cut, 100) == cut);
}

TEST_CASE("an error shows nothing raw and nothing at length") {
  const std::string huge(3 << 20, 'k');
  Error error(ErrorKind::usage, {nasty, 1, 2}, "message " + nasty);
  error.within("frame " + nasty).hint("hint " + nasty);
  CHECK_FALSE(acts(error.what()));
  CHECK_FALSE(acts(error.message()));
  CHECK(std::string(error.what()).find("frame a\\x1b[31m") != std::string::npos);
  Error long_one(ErrorKind::usage, {huge, 1, 2}, huge);
  long_one.within(huge).hint(huge);
  CHECK(std::string(long_one.what()).size() < 12'000);
}

TEST_CASE("no message about JSON echoes megabytes") {
  const std::string huge(2 << 20, 'k'), quoted = "\"" + huge + "\"";
  for (const std::string& text : {"{" + quoted + ":1," + quoted + ":2}", "[" + huge + "]", "[" + std::string(2 << 20, '7') + "]",
                                  "{" + quoted + " 1}", "[\"" + huge})
    CHECK(message_of([&] { parse_json(text, "m"); }).size() < 1000);
  CHECK(message_of([&] { parse_json("{\"a\":" + quoted + "}", "m").at("a").as_number(); }).size() < 1000);
  CHECK(message_of([&] { parse_json(quoted, "m").as_list(); }).find("(2,097,154 bytes)") != std::string::npos);
}

TEST_CASE("JSON is JSON and quiet, whatever its texts hold") {
  const Json json = Json::object({{"text", nasty}});
  CHECK_FALSE(acts(json.text()));
  const Json back = parse_json(json.text(), "m");
  CHECK(back.at("text").as_string().starts_with("a\x1b[31m\x1b]0;x\x07\rb\x7f\xc2\x9b"));    // the same characters
  CHECK(back.at("text").as_string().find("\xef\xbf\xbd\xef\xbf\xbd") != std::string::npos);  // U+FFFD for what was none
  CHECK(parse_json(back.text(), "m") == back);
}

TEST_CASE("what is printed passes through one buffer") {
  std::ostringstream out;
  {
    PrintableBuffer buffer(*out.rdbuf());
    std::ostream stream(&buffer);
    stream << nasty.substr(0, 20) << '\n'
           << "\xe4"
           << "\xb8" << std::flush << "\xad" << '\xc3' << '\xa9' << "\xe2\x80";
    stream.put('\xae');
    stream << "\xf0\x9f";  // never ended
  }
  CHECK(out.str() == printable(nasty.substr(0, 20)) + "\n\xe4\xb8\xad\xc3\xa9\\u202e\\xf0\\x9f");

  std::streambuf* const before = std::cout.rdbuf();
  {
    const PrintableStreams printable_streams;
    CHECK(std::cout.rdbuf() != before);
  }
  CHECK(std::cout.rdbuf() == before);
}

TEST_CASE("text in Markdown is text") {
  CHECK(markdown("a|b <b>bold</b> & `x` *y* _z_ [l](u) #1 ~s~ $m$ \\ \r\n2") ==
        R"(a\|b &lt;b&gt;bold&lt;/b&gt; &amp; \`x\` \*y\* \_z\_ \[l\](u) \#1 \~s\~ \$m\$ \\ \\x0d<br>2)");
  CHECK_FALSE(acts(markdown(nasty)));
}

TEST_CASE("nearest names of very long ones take no time") {
  const std::string huge(1 << 20, 'k');
  CHECK(did_you_mean(huge, std::vector<std::string>{huge + "k", "short"}).empty());
  CHECK(did_you_mean("alhpa", std::vector<std::string>{huge, "alpha", "beta"}) == "did you mean 'alpha'?");
}
