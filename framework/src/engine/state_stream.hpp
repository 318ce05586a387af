// A State as a stream of bytes: of a checkpoint's file, and of what processes say to each other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "khost/state.hpp"

namespace khost {

using StateVisit = std::function<void(State&)>;

class StateWriter final : public State {
 public:
  using To = std::function<void(const void* data, std::size_t size)>;
  explicit StateWriter(To to) : State(false), to_(std::move(to)) {}

 private:
  void bytes(void* data, std::size_t size) override { to_(data, size); }
  std::size_t checked(std::size_t count, std::size_t) override { return count; }
  To to_;
};

// Throws a plugin Error when more is read than was written.
class StateReader final : public State {
 public:
  using From = std::function<void(void* data, std::size_t size)>;
  StateReader(From from, std::uintmax_t size) : State(true), from_(std::move(from)), left_(size) {}
  void end() const;  // throws one when less was

 private:
  void bytes(void* data, std::size_t size) override;
  std::size_t checked(std::size_t count, std::size_t size) override;
  From from_;
  std::uintmax_t left_;
};

// What `visit` writes.
std::string state_bytes(const StateVisit& visit);
// Has `visit` read all of them. Throws as StateReader.
void read_state(std::string_view bytes, const StateVisit& visit);

}  // namespace khost
