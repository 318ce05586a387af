// Errors that a person reads: what is wrong, where, what was expected, what to do.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace khost {

// A position in a manifest or another text file; line and column count from 1, 0 means unknown.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;

  bool known() const { return !file.empty(); }
  std::string text() const;  // "paper85.manifest:12:5", or "" when unknown
};

// The kinds differ in the exit code of the command that meets them.
enum class ErrorKind {
  usage,        // 2: the command line or a manifest is wrong
  plugin,       // 3: a plugin cannot be found, is unfit, or broke its contract
  trial,        // 4: a trial failed; the others are kept
  interrupted,  // 5: Ctrl-C; a second run resumes
};

// The one exception of khost. Like a string, an object is one thread's at a time. Throw it with the cause; whoever knows more on
// the way up adds a frame (plugin, arm, step) or a hint, and rethrows. What it is given may come from any file: control
// characters become escapes, and text of more than a screen is cut in its middle.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);
  Error(ErrorKind kind, Place place, std::string message);
  ~Error() override;
  Error(const Error&);
  Error& operator=(const Error&);

  Error& hint(std::string_view text);     // what to do about it; printed on a line of its own
  Error& at(const Place& place);          // where it is wrong, unless it knows already
  Error& within(std::string_view frame);  // where it happened, innermost first: "probe snr", "arm K64, base trained, seed 3"

  ErrorKind kind() const { return kind_; }
  const Place& place() const { return place_; }            // valid as long as the error
  const std::string& message() const { return message_; }  // likewise

  // "FILE:LINE:COL: MESSAGE\n  in FRAME, FRAME\n  HINT"; valid until the error changes.
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void compose();
  ErrorKind kind_;
  Place place_;
  std::string message_, frames_, hints_, text_;
};

// The candidates nearest to a mistyped name (edit distance at most a third of its length), nearest first, as
// "did you mean 'alpha', 'alphas'?", or "" when nothing is near. From any thread.
template <class Names>
std::string did_you_mean(std::string_view name, const Names& candidates);
std::string nearest_names(std::string_view name, const std::string_view* candidates, std::size_t count);

}  // namespace khost

#include <vector>

namespace khost {
template <class Names>
std::string did_you_mean(std::string_view name, const Names& candidates) {
  std::vector<std::string_view> views(std::begin(candidates), std::end(candidates));
  return nearest_names(name, views.data(), views.size());
}
}  // namespace khost
