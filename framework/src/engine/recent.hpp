// Things that are dear to make and large: shared while anybody holds them, and the last few for a while longer.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace khost {

// Not safe for several threads by itself.
template <class T>
class Recent {
 public:
  // `most`: how many are kept that nobody holds any more.
  explicit Recent(std::size_t most) : most_(most) {}

  // Null when nobody holds one of that key and it is none of the last.
  std::shared_ptr<T> find(const std::string& key) {
    const auto known = known_.find(key);
    return known == known_.end() ? nullptr : touched(known->second.lock());
  }

  std::shared_ptr<T> keep(const std::string& key, std::shared_ptr<T> made) {
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    known_[key] = made;
    return touched(std::move(made));
  }

 private:
  std::shared_ptr<T> touched(std::shared_ptr<T> thing) {
    if (!thing) return thing;
    std::erase(last_, thing);
    last_.push_back(thing);
    while (last_.size() > most_) last_.pop_front();
    return thing;
  }

  std::size_t most_;
  std::map<std::string, std::weak_ptr<T>> known_;
  std::deque<std::shared_ptr<T>> last_;  // the last used is last
};

}  // namespace khost
