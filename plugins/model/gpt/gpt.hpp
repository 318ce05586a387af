// A GPT-2-style decoder: learned positions, pre-norm blocks, exact GELU, no biases on the linear maps, the head tied to the token
// embedding or a matrix of its own. That one carries no adapter: the adapter is the same 33 matrices with either head. Forward
// pass only: gradients and adapters are the host's.
#pragma once

#include "khost/model.hpp"
#include "khost/schema.hpp"

namespace khost::gpt {

class Gpt : public Model {
 public:
  struct Config {
    std::int64_t d_model = 256;
    std::int64_t n_layer = 8;
    std::int64_t n_head = 4;
    std::string head = "tied";

    static void fields(auto& f) {
      f("d_model", &Config::d_model).at_least(1).doc("width of the residual stream; a multiple of n_head");
      f("n_layer", &Config::n_layer).range(1, 1024).doc("number of blocks");
      f("n_head", &Config::n_head).at_least(1).doc("attention heads per block");
      f("head", &Config::head)
          .choices({"tied", "untied"})
          .doc("output head: tied to the token embedding, or a matrix of its own without adapter");
    }
  };

  Gpt(const Config& config, const ModelContext& context);
  std::vector<Parameter> parameters() const override;
  void forward(Graph& g) const override;

 private:
  bool tied() const { return config_.head == "tied"; }

  Config config_;
  ModelContext context_;
};

}  // namespace khost::gpt
