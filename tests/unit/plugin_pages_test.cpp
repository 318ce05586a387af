// The made parts of docs/plugins: what the plugins of the tree declare. After a change of theirs,
// KHOST_REGENERATE=1 build/bin/khost_tests -tc='pages: *' writes them anew.
#include <doctest/doctest.h>

#include <filesystem>

#include "inspect/page.hpp"
#include "unit/made_file.hpp"

using namespace khost;

namespace {

const std::string pages = KHOST_SOURCE_DIR "/docs/plugins/";

void check_page(const std::string& name, const std::string& what, const std::string& part) {
  REQUIRE_MESSAGE(std::filesystem::exists(pages + name + ".md"),
                  "write docs/plugins/" << name << ".md: a title, what it does, and <!-- made: " << what << " --> <!-- end -->");
  check_made(pages + name + ".md", with_part(content_of(pages + name + ".md"), what, part), "pages: *");
}

}  // namespace

TEST_CASE("pages: each plugin of the tree has one, with what the plugin declares") {
  const Registry registry({KHOST_BINARY_DIR "/plugins"});
  const Registry::Listing listing = registry.list();
  REQUIRE(listing.refused.empty());
  REQUIRE(listing.plugins.size() >= 29);
  for (const Plugin* plugin : listing.plugins) {
    CAPTURE(plugin->name());
    const About all = about(*plugin);
    CHECK(all.unmade == "");
    CHECK(std::filesystem::equivalent(all.page, pages + plugin->name() + ".md"));
    check_page(plugin->name(), plugin->name(), made_part(all));
  }
  check_page("README", "plugins", index_part(listing.plugins));
}

TEST_CASE("pages: the signals") { check_page("signals", "signals", signals_part()); }

TEST_CASE("pages: a page without marks is said to be one") {
  CHECK(with_part("a\n<!-- made: x -->\nold\n<!-- end -->\nb", "x", "new\n") == "a\n<!-- made: x -->\nnew\n<!-- end -->\nb");
  CHECK_THROWS_WITH_AS(with_part("a\n<!-- made: y -->\n<!-- end -->", "x", ""),
                       "the page has no lines '<!-- made: x -->' and '<!-- end -->' with what is made between them", Error);
}
