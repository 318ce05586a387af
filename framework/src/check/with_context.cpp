#include "check/with_context.hpp"

#include <filesystem>

#include "artifact/cache.hpp"

namespace khost::check {

void with_context(const Subject& of, const std::function<void(void* context)>& call) {
  if (of.plugin.kind() == Kind::model) {
    ModelContext context{.vocabulary = 61, .sequence = 8};
    return call(&context);
  }
  if (of.plugin.kind() == Kind::data) {
    Cache cache(Cache::default_root());
    DataContext context{cache, {of.config()}, std::filesystem::current_path(), 1};
    return call(&context);
  }
  call(nullptr);
}

}  // namespace khost::check
