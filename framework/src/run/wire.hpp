// What the coordinator and a worker process say to each other, over one socket: messages of a kind and its content.
// docs/decisions/0017-workers.md has the conversation.
#pragma once

#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/result.hpp"
#include "engine/state_stream.hpp"
#include "khost/error.hpp"
#include "run/session.hpp"

namespace khost {

enum class Said : char {
  // the coordinator
  setup,  // Setup; once, first
  task,   // Assignment
  stop,   // finish the step in hand, keep a checkpoint; without a task, end
  // the worker
  ready,   // after setup
  trains,  // the task in hand: from now on a stop ends it with the step
  step,    // StepDone
  note,    // a sentence for people
  done,    // TrialResult
  failed,  // Failure: of the task in hand, or of the setup
  dying,   // by a signal: where it was, as plain text; nothing comes after it
};

// The other end is gone.
class WireClosed : public std::exception {
 public:
  const char* what() const noexcept override { return "the other process is gone"; }
};

// One end of it. Both processes are of one program: content is raw bytes, as a checkpoint's. Any thread may send.
class Wire {
 public:
  explicit Wire(int socket) : socket_(socket) {}  // which it closes
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Both throw WireClosed.
  void send(Said kind, const StateVisit& content);
  void send(Said kind, std::string_view content = {});
  struct Message {
    Said kind;
    std::string content;
    void read(const StateVisit& visit) const;  // throws WireClosed when it is not whole: its sender died in it
  };
  // The next one; nothing when none came in that time. Throws WireClosed when all that was sent has been read.
  std::optional<Message> receive(std::chrono::milliseconds wait);

 private:
  int socket_;
  std::mutex sending_;
  std::string read_;  // of messages that are not whole yet
};

// A whole message, for who cannot use a Wire.
std::string message_bytes(Said kind, std::string_view content);

struct Setup {
  SessionOptions options;
  std::string run_hash;  // of the coordinator's plan: a worker that plans another refuses
  double memory = 0;     // bytes that it may have; 0: as many as it gets
  void state(State& s);
};

struct Assignment {
  std::uint64_t index = 0;  // in Plan::trials
  std::string folder, checkpoint;
  std::vector<TrialResult> needs;
  void state(State& s) { s(index, folder, checkpoint, needs); }
};

struct StepDone {
  std::int64_t step = 0;
  double loss = 0;
};

struct Failure {
  ErrorKind kind = ErrorKind::trial;
  std::string text;  // all of what()
  void state(State& s) { s(kind, text); }
};

}  // namespace khost
