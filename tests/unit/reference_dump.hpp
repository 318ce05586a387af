// Reads tests/reference/reference.bin; make_reference.py says what is in it.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "khost/tensor.hpp"

namespace khost::test {

static_assert(std::endian::native == std::endian::little, "the dump is read as it lies");

struct DumpArray {
  Shape shape;
  std::vector<double> value;  // f32 and i32 fit exactly

  double scalar() const { return value.at(0); }
  std::vector<float> f32() const { return {value.begin(), value.end()}; }
  std::vector<std::int32_t> i32() const { return {value.begin(), value.end()}; }
  // Row i of a two-dimensional array.
  std::vector<double> row(std::size_t i) const {
    const auto width = static_cast<std::size_t>(shape.at(1));
    const auto first = value.begin() + static_cast<std::ptrdiff_t>(i * width);
    return {first, first + static_cast<std::ptrdiff_t>(width)};
  }
};

class ReferenceDump {
 public:
  static constexpr std::uint32_t version = 1;

  // Throws std::runtime_error that says what is wrong with the file.
  static ReferenceDump read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error(path + ": cannot be opened; tests/reference/make_reference.py writes it");
    return ReferenceDump(std::vector<char>(std::istreambuf_iterator<char>(in), {}), path);
  }

  ReferenceDump(std::vector<char> bytes, std::string path) : bytes_(std::move(bytes)), path_(std::move(path)) {
    const char magic[] = "KHOSTREF";
    if (bytes_.size() < 8 || std::memcmp(bytes_.data(), magic, 8) != 0)
      fail("not a reference dump: it does not begin with KHOSTREF");
    at_ = 8;
    const auto found = number<std::uint32_t>();
    if (found != version)
      fail("is of version " + std::to_string(found) + ", this test reads version " + std::to_string(version) +
           "; run tests/reference/make_reference.py");
    for (auto count = number<std::uint32_t>(); count > 0; --count) read_array();
    if (at_ != bytes_.size()) fail("has " + std::to_string(bytes_.size() - at_) + " bytes after its last array");
    bytes_.clear();
  }

  const DumpArray& at(const std::string& name) const {
    const auto found = arrays_.find(name);
    if (found == arrays_.end()) fail("has no array " + name);
    return found->second;
  }

  // What follows `prefix` in the names that begin with it.
  std::vector<std::string> names(const std::string& prefix) const {
    std::vector<std::string> out;
    for (auto i = arrays_.lower_bound(prefix); i != arrays_.end() && i->first.starts_with(prefix); ++i)
      out.push_back(i->first.substr(prefix.size()));
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(path_ + ": " + what); }

  const char* take(std::size_t size) {
    if (size > bytes_.size() - at_) fail("ends in the middle of an array");
    at_ += size;
    return bytes_.data() + at_ - size;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

  template <class T>
  void read_values(std::vector<double>& out, std::size_t count) {
    if (count > bytes_.size() / sizeof(T)) fail("has an array larger than itself");
    const char* data = take(count * sizeof(T));
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, data + i * sizeof(T), sizeof value);
      out.push_back(static_cast<double>(value));
    }
  }

  void read_array() {
    const auto length = number<std::uint32_t>();
    const std::string name(take(length), length);
    const auto type = number<std::uint32_t>();
    DumpArray array;
    for (auto dimensions = number<std::uint32_t>(); dimensions > 0; --dimensions)
      array.shape.push_back(static_cast<std::int64_t>(number<std::uint64_t>()));
    const auto count = static_cast<std::size_t>(element_count(array.shape));
    if (type == 0)
      read_values<double>(array.value, count);
    else if (type == 1)
      read_values<float>(array.value, count);
    else if (type == 2)
      read_values<std::int32_t>(array.value, count);
    else
      fail("array " + name + " has the unknown type " + std::to_string(type));
    arrays_.emplace(name, std::move(array));
  }

  std::vector<char> bytes_;
  std::string path_;
  std::size_t at_ = 0;
  std::map<std::string, DumpArray> arrays_;
};

}  // namespace khost::test
