// Components as the host holds them: every call goes through call_plugin, and what comes back is looked at before it is used.
#pragma once

#include <memory>
#include <string>

#include "khost/adapter.hpp"
#include "khost/core.hpp"
#include "khost/data.hpp"
#include "khost/model.hpp"
#include "khost/optimizer.hpp"
#include "khost/probe.hpp"

namespace khost {

// `title`: "optimizer 'adam'". What the component throws comes out as a khost Error with "optimizer 'adam' in update"; a plugin
// Error says what is wrong with an answer: a model's parameter without a name or a shape, a negative number of tokens or slots.
std::shared_ptr<Model> guarded(std::shared_ptr<Model> model, const std::string& title);
std::shared_ptr<Optimizer> guarded(std::shared_ptr<Optimizer> optimizer, const std::string& title);
std::shared_ptr<Data> guarded(std::shared_ptr<Data> data, const std::string& title);
std::shared_ptr<Core> guarded(std::shared_ptr<Core> core, const std::string& title);
std::shared_ptr<Adapter> guarded(std::shared_ptr<Adapter> adapter, const std::string& title);
// A probe's calls are the engine's, which knows phase and step, and policies are told by their type.
inline std::shared_ptr<Probe> guarded(std::shared_ptr<Probe> probe, const std::string&) { return probe; }

}  // namespace khost
