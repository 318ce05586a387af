#include "run/wire.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace khost {

Wire::~Wire() { ::close(socket_); }

std::string message_bytes(Said kind, std::string_view content) {
  const std::uint64_t size = content.size();
  std::string all(reinterpret_cast<const char*>(&size), sizeof size);
  all += static_cast<char>(kind);
  return all += content;
}

void Wire::Message::read(const StateVisit& visit) const {
  try {
    read_state(content, visit);
  } catch (const std::exception&) {
    throw WireClosed();
  }
}

void Wire::send(Said kind, const StateVisit& content) { send(kind, state_bytes(content)); }

void Wire::send(Said kind, std::string_view content) {
  const std::string all = message_bytes(kind, content);
  const std::lock_guard lock(sending_);
  for (std::string_view rest = all; !rest.empty();) {
    const ssize_t sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) throw WireClosed();
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::optional<Wire::Message> Wire::receive(std::chrono::milliseconds wait) {
  constexpr std::size_t head = sizeof(std::uint64_t) + 1;
  const auto until = std::chrono::steady_clock::now() + wait;
  for (;;) {
    if (read_.size() >= head) {
      std::uint64_t size = 0;
      std::memcpy(&size, read_.data(), sizeof size);
      if (read_.size() - head >= size) {
        Message message{static_cast<Said>(read_[sizeof size]), read_.substr(head, size)};
        read_.erase(0, head + size);
        return message;
      }
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd ready{socket_, POLLIN, 0};
    const int polled = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (polled < 0 && errno == EINTR) continue;
    if (polled == 0) return std::nullopt;
    char buffer[1 << 16];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw WireClosed();
    read_.append(buffer, static_cast<std::size_t>(got));
  }
}

void Setup::state(State& s) {
  const auto optional = [&](auto& value, auto empty) {
    bool has = value.has_value();
    s(has);
    if (!has) return value.reset();
    if (!value) value = empty;
    s(*value);
  };
  s(options.manifest, options.resolved, options.cache, options.checkpoint_period);
  optional(options.threads, 0), optional(options.backend, std::string());
  s(run_hash, memory);
}

}  // namespace khost
