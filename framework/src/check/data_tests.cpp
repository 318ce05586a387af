// Whether a data source gives the same tokens each time, from whichever thread, in parts that share nothing.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "check/test.hpp"
#include "check/with_context.hpp"

namespace khost::check {

namespace {

constexpr Part parts[] = {Part::train, Part::calibration, Part::held_out};
constexpr std::int64_t count = 64, length = 24;
using Windows = std::vector<std::int32_t>;

Windows windows(const Data& data, Part part, std::uint64_t seed, const std::string& purpose = "windows") {
  Windows out(static_cast<std::size_t>(count * length));
  Random random(seed, "check", purpose);
  data.windows(part, count, length, random, out);
  return out;
}

// Parts that are long enough for a window.
std::vector<Part> usable(const Data& data) {
  std::vector<Part> all;
  for (const Part part : parts)
    if (data.tokens(part) >= length) all.push_back(part);
  if (all.empty() || all.front() != Part::train)
    throw Failure(fmt::format("its train part has {} tokens", data.tokens(Part::train)),
                  "a trial needs a window of \"sequence\" + 1 tokens of it; with another --config there may be more");
  return all;
}

std::string tokens_test(const Subject& of) {
  std::string figure;
  with_context(of, [&](void* context) {
    const auto data = of.make<Data>(context);
    if (data->vocabulary() < 1) throw Failure("its vocabulary is empty", "vocabulary() is one more than the largest token");
    for (const Part part : usable(*data))
      for (const std::int32_t token : windows(*data, part, of.seed))
        if (token < 0 || token >= data->vocabulary())
          throw Failure(fmt::format("a window of the {} part has the token {}, and the vocabulary is {}", name_of(part), token,
                                    data->vocabulary()),
                        "tokens are from 0 to vocabulary() - 1; windows() fills all of `out`");
    figure = fmt::format("vocabulary {}, {} + {} + {} tokens", data->vocabulary(), data->tokens(Part::train),
                         data->tokens(Part::calibration), data->tokens(Part::held_out));
  });
  return figure;
}

std::string again_test(const Subject& of) {
  with_context(of, [&](void* context) {
    const auto one = of.make<Data>(context), two = of.make<Data>(context);
    if (one->identity() != two->identity())
      throw Failure("two instances of one configuration differ in identity()",
                    "it names what decides the tokens, and nothing else: no address, no time");
    for (const Part part : usable(*one)) {
      const Windows first = windows(*one, part, of.seed);
      const std::string where = fmt::format("the {} part", name_of(part));
      if (first != windows(*one, part, of.seed))
        throw Failure(where + ": windows() with the same stream gives other tokens the second time",
                      "all chance comes from `random`, which is the caller's");
      if (first != windows(*two, part, of.seed))
        throw Failure(where + ": two instances of one configuration give other tokens",
                      "nothing but the configuration decides the tokens; draw what is made up from a Random with a fixed seed");
      if (one->tokens(part) > 4 * length && first == windows(*one, part, of.seed + 1))
        throw Failure(where + ": windows() gives the same tokens with another stream",
                      "where a window starts is drawn from `random`");
    }
  });
  return "";
}

// Nobody trains on what is held out. A text may repeat itself here and there, so a few windows may be found again; half of them
// may not.
std::string split_test(const Subject& of) {
  constexpr std::int64_t most = 2'000'000;
  std::string figure;
  with_context(of, [&](void* context) {
    const auto data = of.make<Data>(context);
    const std::vector<Part> all = usable(*data);
    if (all.size() < 2) throw Skipped("only one part is long enough for a window");
    if (data->tokens(Part::train) > most) throw Skipped(fmt::format("its train part has more than {} tokens", most));
    Windows train(static_cast<std::size_t>(data->tokens(Part::train)));
    Random random(of.seed, "check", "all");
    data->windows(Part::train, 1, data->tokens(Part::train), random, train);  // it can start in one place only
    std::int64_t found = 0, looked = 0;
    for (const Part part : all) {
      if (part == Part::train) continue;
      const Windows some = windows(*data, part, of.seed);
      for (auto at = some.begin(); at != some.end(); at += length, ++looked)
        found += std::search(train.begin(), train.end(), at, at + length) != train.end();
    }
    figure = fmt::format("{} of {} windows of {} tokens are in the train part too", found, looked, length);
    if (2 * found > looked) throw Failure(figure, "the three parts share no document: what is held out is never trained on");
  });
  return figure;
}

std::string threads_test(const Subject& of) {
  with_context(of, [&](void* context) {
    const auto data = of.make<Data>(context);
    const std::vector<Part> all = usable(*data);
    constexpr int team = 4, rounds = 50;
    std::vector<std::vector<Windows>> alone(team);
    for (int t = 0; t < team; ++t)
      for (int r = 0; r < rounds; ++r)
        alone[t].push_back(windows(*data, all[r % all.size()], of.seed, fmt::format("thread {}, round {}", t, r)));
    std::vector<int> wrong(team, 0);
    std::vector<std::string> thrown(team);
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < team; ++t)
        threads.emplace_back([&, t] {
          try {
            for (int r = 0; r < rounds; ++r)
              wrong[t] += windows(*data, all[r % all.size()], of.seed, fmt::format("thread {}, round {}", t, r)) != alone[t][r];
          } catch (const std::exception& e) {
            thrown[t] = e.what();
          }
        });
    }
    for (const std::string& what : thrown)
      if (!what.empty())
        throw Failure("windows() from several threads at once: " + what,
                      "all trials read one instance, at once: keep no place in the text between calls");
    const int all_wrong = wrong[0] + wrong[1] + wrong[2] + wrong[3];
    if (all_wrong > 0)
      throw Failure(fmt::format("{} of {} calls of windows() gave other tokens when {} threads called at once", all_wrong,
                                team * rounds, team),
                    "all trials read one instance, at once: nothing in it may change in windows(), not even a buffer");
  });
  return "";
}

}  // namespace

std::vector<Test> data_tests() {
  return {{"tokens", "are all its tokens in its vocabulary?", {Kind::data}, &tokens_test},
          {"again", "does one configuration give one text?", {Kind::data}, &again_test, "tokens"},
          {"split", "is nothing held out that is trained on?", {Kind::data}, &split_test, "tokens"},
          {"threads", "do several threads at once get what one gets?", {Kind::data}, &threads_test, "again"}};
}

}  // namespace khost::check
