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
    std::string init = "gpt2";
    double embedding_sd = 0.02;

    static void fields(auto& f) {
      f("d_model", &Config::d_model).at_least(1).doc("width of the residual stream; a multiple of n_head");
      f("n_layer", &Config::n_layer).range(1, 1024).doc("number of blocks");
      f("n_head", &Config::n_head).at_least(1).doc("attention heads per block");
      f("head", &Config::head)
          .choices({"tied", "untied"})
          .doc("output head: tied to the token embedding, or a matrix of its own without adapter");
      f("init", &Config::init)
          .choices({"gpt2", "plain", "pytorch"})
          .doc(
              "how matrices are drawn: gpt2: normal, sd 0.02, those that add to the residual stream by sqrt(2 n_layer) less; "
              "plain: all with sd 0.02; pytorch: torch.nn.Linear's uniform, within 1 / sqrt(inputs) of 0");
      f("embedding_sd", &Config::embedding_sd).range(1e-6, 100).doc("sd of token embeddings and positions as they are drawn");
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
