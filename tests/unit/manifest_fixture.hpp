// A manifest that is good, plugins that are not there, and a folder to write manifests to.
#pragma once

#include <doctest/doctest.h>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <string>

#include "manifest/build.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost::test {

// Stands for the registry: knows a handful of plugins by their schemas and signals.
class FakeCatalog : public Catalog {
 public:
  struct Gpt {
    std::int64_t d_model = 64, n_layer = 2;
    std::string head = "tied";
    static void fields(auto& f) {
      f("d_model", &Gpt::d_model).at_least(1);
      f("n_layer", &Gpt::n_layer).at_least(1);
      f("head", &Gpt::head).choices({"tied", "untied"});
    }
  };
  struct Adam {
    double lr = 1e-3, weight_decay = 0;
    std::int64_t warmup = 0;
    static void fields(auto& f) {
      f("lr", &Adam::lr).range(0, 1);
      f("weight_decay", &Adam::weight_decay).at_least(0);
      f("warmup", &Adam::warmup).at_least(0);
    }
  };
  struct Sgd {
    double lr = 0.1;
    static void fields(auto& f) { f("lr", &Sgd::lr).range(0, 10); }
  };
  struct Text {
    std::string corpus;
    std::int64_t vocab = 1000;
    static void fields(auto& f) {
      f("corpus", &Text::corpus).required();
      f("vocab", &Text::vocab).at_least(1);
    }
  };
  struct Synthetic {
    std::int64_t vocab = 50;
    static void fields(auto& f) { f("vocab", &Synthetic::vocab).at_least(2); }
  };
  struct Cblas {
    std::string library;
    static void fields(auto& f) { f("library", &Cblas::library).required().path(); }
  };
  struct Snr {
    std::int64_t split = 20;
    static void fields(auto& f) { f("split", &Snr::split).at_least(1); }
  };
  struct Dropout {
    double rate = 0.1;
    static void fields(auto& f) { f("rate", &Dropout::rate).range(0, 1); }
  };

  struct Banded {
    std::int64_t width = 1;
    static void fields(auto& f) { f("width", &Banded::width).at_least(0); }
  };

  struct AdaptiveK {
    std::string from = "K8/effective_rank";
    static void fields(auto& f) { f("from", &AdaptiveK::from); }
  };

  Description describe(Kind kind, const std::string& name, const Json* config) override {
    if (kind == Kind::compute && name == "openblas") return {};
    if (kind == Kind::compute && name == "cblas") return {schema_of<Cblas>(), {}};
    if (kind == Kind::core && name == "banded") return {schema_of<Banded>(), {}};
    if (kind == Kind::adapter && name == "written") return {};
    if (kind == Kind::core && (name == "diagonal" || name == "block" || name == "factors")) return {};
    if (kind == Kind::model && name == "gpt") return {schema_of<Gpt>(), {}};
    if (kind == Kind::optimizer && name == "adam") return {schema_of<Adam>(), {}};
    if (kind == Kind::optimizer && name == "sgd") return {schema_of<Sgd>(), {}};
    if (kind == Kind::data && name == "text") return {schema_of<Text>(), {}};
    if (kind == Kind::data && name == "synthetic") return {schema_of<Synthetic>(), {}};
    if (kind == Kind::probe) {
      Signals s;
      if (name == "snr") {
        s.need("alpha.grad").emit("drift/<group>", "1", "").emit("drift/ratio", "1", "");
        if (config && config->at("split").as_integer() > 100) s.emit("batch/<group>", "1", "");
        return {schema_of<Snr>(), s};
      }
      if (name == "alpha_dropout" || name == "alpha_noise") return {schema_of<Dropout>(), s.modify("alpha.scale")};
      if (name == "ablation") return {Schema{}, s.need("alpha").emit("keep<k>", "nats", "")};
      if (name == "losses") return {Schema{}, s.need("loss").emit("mean", "nats", "")};
      if (name == "strange") return {Schema{}, s.need("alpha.grads")};
      if (name == "effective_rank")
        return {Schema{}, s.need("alpha.grad").emit("in_basis", "1", "").emit("in_basis/layer<l>", "1", "")};
      if (name == "adaptive_k") {
        const std::string from = config ? config->at("from").as_string() : AdaptiveK{}.from;
        return {schema_of<AdaptiveK>(), s.read(from + "/in_basis/layer<l>").modify("adapter.rank")};
      }
      if (name == "after_loss") return {Schema{}, s.read("K8/loss/at2")};
      if (name == "forgetful") return {Schema{}, s.modify("optimizer.state")};
      if (name == "wild") return {Schema{}, s.modify("alpha.scales")};
      if (name == "coverage") return {Schema{}, s.need("weight.grad").need_basis("svd", 4).emit("step<n>/<matrix>", "1", "")};
      if (name == "peek") return {Schema{}, s.read("K8/loss/final")};
      if (name == "sly") return {Schema{}, s.modify("alpha.scale")};
    }
    throw Error(ErrorKind::plugin, std::string("there is no ") + name_of(kind) + " plugin '" + name + "'");
  }
  bool is_policy(const std::string& probe) override {
    for (const char* policy : {"alpha_dropout", "alpha_noise", "adaptive_k", "after_loss", "forgetful", "wild"})
      if (probe == policy) return true;
    return false;
  }
};

struct Folder {
  std::filesystem::path path;
  Folder() {
    static int count = 0;
    path =
        std::filesystem::temp_directory_path() / ("khost-manifest-" + std::to_string(getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path);
  }
  ~Folder() {
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

inline Experiment read(const std::string& path, const std::vector<Setting>& settings = {}) {
  FakeCatalog catalog;
  return build_experiment(load_manifest(path, settings), path, catalog);
}

inline std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

// What reading `text` as the file "m" says: the message without the folder's name, or "read".
inline std::string complaint(const std::string& text, const std::vector<Setting>& settings = {}) {
  const Folder folder;
  try {
    read(folder.write("m", text), settings);
    return "read";
  } catch (const Error& e) {
    return replaced(e.what(), folder.path.string() + "/", "");
  }
}

// "SAIDkey, key, ...": all of an object, as messages list them.
template <class Keys>
std::string with_keys(const std::string& said) {
  return said + joined(keys_of(schema_of<Keys>()));
}

inline const char* good = R"({
  "khost": 1,
  "experiment": "small",
  "seeds": 3, "steps": 5,
  "data": {"plugin": "text", "corpus": "kjv", "sequence": 16},
  "model": {"plugin": "gpt", "d_model": 32},
  "optimizer": {"plugin": "adam", "lr": 5e-3},
  "adapter": {"rank": 8},
  "bases": {
    "init": {"steps": 0},
    "trained": {"train": ["*"], "corpus": "wordnet", "batch": 16, "until": {"loss": 7.5}, "optimizer": {"plugin": "adam", "warmup": 5}}
  },
  "arms": {
    "K8": {},
    "K16": {"adapter": {"rank": 16}, "steps": 7},
    "K8-drop0.1": {"probes": [{"plugin": "alpha_dropout"}], "data": {"batch": 2}},
    "sgd": {"optimizer": {"plugin": "sgd"}}
  },
  "probes": [
    {"plugin": "snr", "split": 4, "arms": ["K8", "K16"]},
    {"plugin": "ablation", "as": "cut"},
  ],
  "claims": [
    {"id": "noise", "let": {"b": "K16/snr/drift/1", "t": "@trained/K8/loss/final"}, "measure": "b / t", "scale": "log",
     "predicts": "< 0.5", "margin": 0.05, "published": {"value": 0.948}}
  ]
})";

// Everything that arms, ranks, sweeps and claims can say beyond that.
inline const char* rich = R"({
  "khost": 1, "experiment": "rich", "seeds": 4, "steps": 6,
  "data": {"plugin": "text", "corpus": "kjv"},
  "model": {"plugin": "gpt"},
  "adapter": {"rank": {"default": 8, "layer.*.mlp.*": 12, "layer.0.*": 0}},
  "bases": {"init": {"steps": 0}},
  "arms": {
    "K8": {"adapter": {"rank": 8}, "record_at": [4, 2]},
    "rules": {"adapter": {"rank": {"default": 4, "tok_emb": 2}}, "needs": "K8"},
    "cheap": {"budget": 61479680, "seeds": 2, "needs": ["K8", "rules"]},
    "full": {"adapter": null, "train": ["@matrices"], "probes!": [{"plugin": "coverage"}]},
    "bare": {"adapter": null, "model": {"head": "untied"}, "probes!": []},
    "adaptive": {"needs": "K8", "probes": [{"plugin": "adaptive_k"}, {"plugin": "forgetful"}, {"plugin": "after_loss"}]},
    "K16": {"adapter": {"rank": 16}, "sweep": {"optimizer.lr": [1e-3, 5e-3], "data.batch": [1, 2]}}
  },
  "probes": [{"plugin": "effective_rank"}, {"plugin": "losses", "arms": ["K16", "K8"]}],
  "claims": [
    {"id": "one", "let": {"a": "K16-lr*-batch1/loss/final", "b": "K8/effective_rank/in_basis/layer*", "c": ["K8/loss/at2", "K8/loss/at4"], "d": "K8/loss/final"},
     "measure": "min(a) * mean(b) - sd(c) + d", "predicts": "> 0", "margin": 0}
  ]
})";

}  // namespace khost::test
