#include "manifest/bases.hpp"

#include <filesystem>

#include "khost/safetensors.hpp"
#include "manifest/overlay.hpp"
#include "manifest/parts.hpp"

namespace khost {
namespace {

constexpr std::int64_t longest_until = 2000;  // steps of a base that trains until a loss and names no bound

constexpr const char* example =
    R"("bases": {"init": {"steps": 0}} for the plain initialisation, or {"trained": {"train": ["*"], "steps": 200}})";

class BaseReader {
 public:
  BaseReader(Reading& reading, const Json& manifest, const JsonMember& member)
      : reading_(reading), manifest_(manifest), given_(member.value), owner_("base '" + member.key + "'") {
    base_.name = member.key;
    base_.place = given_.place;
    check_name(member.key, member.place, "a base");
  }

  BaseRecipe read() {
    keys_ = read_config<BaseKeys>(resolve(schema_of<BaseKeys>(), given_, owner_, &reading_.warnings));
    if (given_.find("file")) {
      from_file();
      base_.model = read_component(reading_, Kind::model, manifest_.at("model")).component;
      return base_;
    }
    base_.train_place = given_.find("train") ? place_of("train") : base_.place;
    read_length();
    base_.model = read_component(reading_, Kind::model, patched("model", keys_.model, R"({"init": "plain"})")).component;
    base_.data = read_data(reading_, patched_data());
    base_.optimizer =
        read_component(reading_, Kind::optimizer, patched("optimizer", keys_.optimizer, R"({"plugin": "adam", "lr": 1e-3})"))
            .component;
    return base_;
  }

 private:
  Error wrong(const Place& place, const std::string& message) const { return {ErrorKind::usage, place, owner_ + " " + message}; }
  const Place& place_of(const char* key) const { return given_.at(key).place; }

  void from_file() {
    const Json& file = given_.at("file");
    for (const JsonMember& m : given_.as_object())
      if (m.key != "file" && m.key != "arms" && m.key != "arms!")
        throw wrong(m.place, "is a file; '" + m.key + "' cannot stand beside it");
    base_.file = path_from(file);
    std::error_code ec;
    if (!std::filesystem::exists(base_.file, ec))
      throw wrong(file.place, "names the file '" + base_.file + "', which is not there");
    try {
      const SafetensorsFile opened(base_.file);  // its header is judged here, before anything runs
    } catch (Error& e) {
      throw e.within(owner_ + " at " + file.place.text());
    }
  }

  void read_length() {
    if (!keys_.steps && !keys_.until)
      throw wrong(given_.place, "needs 'steps', 'until' or 'file'")
          .hint(R"({"steps": 0} is the plain initialisation, {"train": ["*"], "steps": 200} a training)");
    if (keys_.until) {
      base_.until_loss = keys_.until->loss;
      base_.expected_steps = keys_.until->expect;
      if (keys_.steps == 0) throw wrong(place_of("steps"), "trains until a loss, but 0 steps at most");
    }
    base_.steps = keys_.steps.value_or(longest_until);
    if (base_.steps > 0 && base_.train.empty())
      throw wrong(given_.place, "trains, but 'train' does not say what")
          .hint(R"("train": ["*"] trains everything, ["tok_emb", "pos_emb"] the embeddings)");
  }

  Json patched_data() const {
    Json data = manifest_.at("data");
    expect_object(data, "'data'", R"({"plugin": "text", "corpus": "kjv"})");
    data.set("reuse", "fresh");  // a base is trained on a corpus, not fitted to one batch
    if (!keys_.data.is_null())
      data = overlay(std::move(data), expect_object(keys_.data, "'data' of " + owner_, R"({"batch": 16})"));
    for (const char* key : {"corpus", "batch"}) {
      const Json* shorthand = given_.find(key);
      if (!shorthand || shorthand->is_null()) continue;
      if (!keys_.data.is_null())
        if (const Json* also = keys_.data.find(key))
          throw wrong(shorthand->place, std::string("gives '") + key + "' twice; the other is at " + also->place.text());
      Json patch{Json::Object{}};
      patch.place = given_.place;
      patch.set(key, *shorthand);
      data = overlay(std::move(data), patch);
    }
    data.place = given_.place;
    return data;
  }

  // The experiment's, the patch over it; one that names its plugin begins anew.
  Json patched(const char* key, const Json& own, const char* form) const {
    if (own.is_null()) return manifest_.at(key);
    if (expect_object(own, std::string("'") + key + "' of " + owner_, form).find("plugin")) return own;
    return overlay(manifest_.at(key), own);
  }

  Reading& reading_;
  const Json& manifest_;
  const Json& given_;
  std::string owner_;
  BaseRecipe base_;
  BaseKeys& keys_ = base_;  // as written
};

}  // namespace

std::vector<BaseRecipe> read_bases(Reading& reading, const Json& manifest) {
  const Json* bases = manifest.find("bases");
  if (!bases || bases->is_null() || (bases->is_object() && bases->as_object().empty()))
    throw Error(ErrorKind::usage, bases ? bases->place : manifest.place,
                "the manifest needs 'bases', the frozen models that are adapted")
        .hint(std::string("write ") + example);
  std::vector<BaseRecipe> out;
  for (const JsonMember& member : expect_object(*bases, "'bases'", example).as_object())
    out.push_back(BaseReader(reading, manifest, member).read());
  return out;
}

Json resolved_json(const BaseRecipe& base) {
  if (!base.file.empty()) return Json::object({{"file", base.file}});
  BaseKeys keys = base;
  keys.steps = base.steps;
  if (keys.until) keys.until->expect = base.expected_steps;
  keys.corpus.reset();  // they are in the data
  keys.batch.reset();
  keys.arms.reset();  // what they come to is in "arms!"
  keys.replaced_arms.reset();
  keys.model = resolved_json(base.model);
  keys.data = resolved_json(base.data);
  keys.optimizer = resolved_json(base.optimizer);
  Json out = resolved_keys(keys);
  out.erase("file");
  return out;
}

}  // namespace khost
