#include "engine/state_stream.hpp"

#include <cstring>

#include "khost/error.hpp"

namespace khost {
namespace {

[[noreturn]] void differs(const char* how) {
  throw Error(ErrorKind::plugin, std::string(how) + " is read of a state than was written of it")
      .hint("a state() must read what it wrote, in the same order");
}

}  // namespace

void StateReader::end() const {
  if (left_ > 0) differs("less");
}

void StateReader::bytes(void* data, std::size_t size) {
  if (size > left_) differs("more");
  from_(data, size);
  left_ -= size;
}

std::size_t StateReader::checked(std::size_t count, std::size_t size) {
  if (count > left_ / size) differs("more");
  return count;
}

std::string state_bytes(const StateVisit& visit) {
  std::string all;
  StateWriter writer([&](const void* data, std::size_t size) { all.append(static_cast<const char*>(data), size); });
  visit(writer);
  return all;
}

void read_state(std::string_view bytes, const StateVisit& visit) {
  StateReader reader(
      [&](void* data, std::size_t size) {
        if (size > 0) std::memcpy(data, bytes.data(), size);
        bytes.remove_prefix(size);
      },
      bytes.size());
  visit(reader);
  reader.end();
}

}  // namespace khost
