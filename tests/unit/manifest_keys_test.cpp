// What is made from the declaration of a manifest's keys (manifest/keys.hpp) for people: the tables of docs/concepts/manifest.md.
// After a change of the keys, KHOST_REGENERATE=1 build/bin/khost_tests -tc='keys: *' writes them, and the JSON Schema, anew.
#include <doctest/doctest.h>

#include "inspect/page.hpp"
#include "manifest/keys.hpp"
#include "unit/made_file.hpp"

using namespace khost;

namespace {

// `page` with the lines that follow "<!-- keys of WHAT -->" as the table, up to an empty one.
void put_table(std::string& page, const std::string& what, const Schema& schema) {
  const std::string mark = "<!-- keys of " + what + " -->\n";
  CAPTURE(mark);
  const std::size_t found = page.find(mark);
  REQUIRE(found != std::string::npos);
  const std::size_t begin = found + mark.size(), end = page.find("\n\n", begin - 1) + 1;
  page.replace(begin, end - begin, keys_table(schema.fields));
}

}  // namespace

TEST_CASE("keys: the tables of docs/concepts/manifest.md") {
  const std::string path = KHOST_SOURCE_DIR "/docs/concepts/manifest.md";
  std::string page = content_of(path);
  put_table(page, "an experiment", schema_of<ManifestKeys>());
  put_table(page, "a component", schema_of<ComponentKeys>());
  put_table(page, "data", schema_of<DataKeys>());
  put_table(page, "an adapter", schema_of<AdapterKeys>());
  put_table(page, "a base", schema_of<BaseKeys>());
  put_table(page, "until", schema_of<UntilKeys>());
  put_table(page, "an arm", schema_of<ArmKeys>());
  put_table(page, "a probe", schema_of<ProbeKeys>());
  put_table(page, "a claim", schema_of<ClaimKeys>());
  put_table(page, "a series", schema_of<SeriesKeys>());
  check_made(path, page, "keys: *");
}
