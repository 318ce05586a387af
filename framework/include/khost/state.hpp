// What a plugin has gathered in a trial, written down so that a trial that was broken off goes on from there, to the last bit as
// if nothing had happened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace khost {

// One function both writes and reads, so that the two cannot differ:
//
//   void state(khost::State& s) override { s(mean_, ranks_, by_layer_); }
//
// Numbers, enums, structs of them (khost::Mean, khost::Random), strings, vectors and maps of all these, and classes with a member
// `void state(State&)`. Not what points elsewhere: a pointer, a span or an ArrayView would be read back as one into memory that
// is gone. Only what changes after begin() is needed: begin() is called before the state is read. One thread; valid for that
// call.
class State {
 public:
  template <class... Values>
  void operator()(Values&... values) {
    (take(values), ...);
  }
  // Values that stay where they are, as many as there are.
  template <class T>
  void in_place(std::span<T> values) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    bytes(values.data(), values.size_bytes());
  }
  bool reading() const { return reading_; }  // else writing
  // It cannot be written down: such a trial begins anew. What Probe::state() does unless it is overridden.
  void unknown() { known_ = false; }
  bool known() const { return known_; }

 protected:
  explicit State(bool reading) : reading_(reading) {}
  ~State() = default;
  virtual void bytes(void* data, std::size_t size) = 0;  // from there, or to there; throws a plugin Error when too few are left

 private:
  template <class T>
  static constexpr bool has_state = requires(T& value, State& s) {
    value.state(s);
  };

  template <class T>
  void take(T& value) {
    if constexpr (has_state<T>) {
      value.state(*this);
    } else {
      static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>, "give it a member void state(khost::State&)");
      bytes(&value, sizeof value);
    }
  }
  std::size_t count(std::size_t now) {
    auto n = static_cast<std::uint64_t>(now);
    bytes(&n, sizeof n);
    return static_cast<std::size_t>(n);
  }
  void take(std::string& value) {
    value.resize(checked(count(value.size()), 1));
    bytes(value.data(), value.size());
  }
  template <class T>
  void take(std::vector<T>& value) {
    constexpr bool plain = !has_state<T> && std::is_trivially_copyable_v<T>;
    value.resize(checked(count(value.size()), plain ? sizeof(T) : 1));
    if constexpr (plain) {
      static_assert(!std::is_pointer_v<T>);
      bytes(value.data(), value.size() * sizeof(T));
    } else {
      for (T& each : value) take(each);
    }
  }
  template <class K, class V, class C>
  void take(std::map<K, V, C>& value) {
    const std::size_t n = checked(count(value.size()), 1);
    if (!reading_) {
      for (auto& [key, each] : value) {
        K copy = key;
        take(copy);
        take(each);
      }
      return;
    }
    value.clear();
    for (std::size_t i = 0; i < n; ++i) {
      K key{};
      take(key);
      take(value[std::move(key)]);
    }
  }
  virtual std::size_t checked(std::size_t count, std::size_t size) = 0;  // no more than what is left to read

  bool reading_, known_ = true;
};

}  // namespace khost
