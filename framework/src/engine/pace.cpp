#include "engine/pace.hpp"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <thread>

#include "core/team.hpp"
#include "engine/adapters.hpp"
#include "engine/batches.hpp"
#include "engine/evaluator.hpp"
#include "engine/trial_weights.hpp"
#include "khost/spectral.hpp"

namespace khost {

namespace {

constexpr int repeats = 3;

// As few of an arm's windows as are evaluated in the same way as all of them.
std::int64_t windows_timed(const DataSpec& data, const MadeModel& model) {
  constexpr std::int64_t enough = 16;
  const auto merges = [&](std::int64_t windows) {
    return merges_for(static_cast<double>(windows) * static_cast<double>(data.sequence), model.parameters, false);
  };
  std::int64_t count = std::max<std::int64_t>(1, data.held_out_windows);
  while (count > enough && merges(count / 2) == merges(data.held_out_windows)) count /= 2;
  return count;
}

// One trial's worth of programs on random weights and tokens; its times are those of the slowest of all that run beside it.
class Runner {
 public:
  Runner(const Materials& materials, const Arm& arm, const std::shared_ptr<const Weights>& weights, Backend& backend)
      : arm_(arm),
        shape_(materials.arm(arm)),
        windows_(materials.data(arm.data), Part::held_out, windows_timed(arm.data, *shape_.model), arm.data.sequence),
        random_(1, "pace", "values"),
        adapters_(any_directions(with_core(shape_.adapter.get(), shape_.matrices), random_),
                  with_core(shape_.adapter.get(), shape_.matrices), shape_.core.get()),
        written_(shape_.adapter.get(), shape_.matrices, *weights, 1),
        weights_(weights, shape_.trains, MatrixGradients::yes, &adapters_, &written_),
        evaluator_(*shape_.model->model, weights_, arm.data.sequence, backend) {
    for (std::int64_t i = 0; i < 8 * arm.data.sequence; ++i)
      tokens_.push_back(
          static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(materials.data(arm.data).vocabulary()))));
    const auto begun = std::chrono::steady_clock::now();
    program_ = std::make_unique<Program>(*shape_.model->model, weights_.slots(), arm.data.batch, arm.data.sequence, backend);
    adapters_.apply(adapters_.alphas());
    pace_.set_up = since(begun);
  }

  // In step with the others: all of them compute the same at the same time.
  template <class Barrier>
  void measure(Barrier& barrier) {
    const Shape shape = {arm_.data.batch, arm_.data.sequence};
    std::vector<std::int32_t> ids(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = tokens_[i % tokens_.size()];
    const auto pass = [&](Program::Gradients gradients) {
      program_->forward(ids, ids, gradients);
      if (gradients != Program::Gradients::none) program_->backward();
    };
    const auto timed = [&](auto&& what) {
      what();  // warm
      barrier.arrive_and_wait();
      const auto begun = std::chrono::steady_clock::now();
      for (int i = 0; i < repeats; ++i) what();
      return since(begun) / repeats;
    };
    pace_.forward = timed([&] { pass(Program::Gradients::none); });
    const double alpha = timed([&] { pass(Program::Gradients::alpha); });
    const double all = timed([&] { pass(Program::Gradients::alpha_and_weights); });
    pace_.step = arm_.train.empty() ? alpha : all;
    pace_.weights = arm_.train.empty() ? all - alpha : 0;
    if (arm_.reads().size() == 1) return;
    pace_.window = timed([&] { evaluator_.loss(windows_); }) * static_cast<double>(arm_.data.sequence) /
                   static_cast<double>(windows_.tokens());
  }

  const Pace& pace() const { return pace_; }

 private:
  static double since(std::chrono::steady_clock::time_point begun) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  }

  const Arm& arm_;
  const ArmShape& shape_;
  const WindowSet windows_;
  Random random_;
  Adapters adapters_;
  WrittenAdapters written_;
  TrialWeights weights_;
  std::vector<std::int32_t> tokens_;
  Evaluator evaluator_;
  std::unique_ptr<Program> program_;
  Pace pace_;
};

}  // namespace

std::shared_ptr<const Directions> any_directions(const std::vector<AdaptedMatrix>& matrices, Random& random) {
  auto directions = std::make_shared<Directions>();
  for (const AdaptedMatrix& m : matrices) {
    Basis& b = directions->emplace_back();
    b.m = m.rows, b.n = m.cols, b.rank = m.rank;
    b.U.resize(static_cast<std::size_t>(m.rows * m.rank)), b.V.resize(static_cast<std::size_t>(m.cols * m.rank));
    random.normal(b.U, 1 / std::sqrt(static_cast<double>(m.rows)));
    random.normal(b.V, 1 / std::sqrt(static_cast<double>(m.cols)));
  }
  return directions;
}

Pace measure_pace(const Materials& materials, const Arm& arm, const BackendChoice& backend, int jobs, int threads) {
  const auto weights = std::make_shared<const Weights>(shared(draw_weights(materials.arm(arm).model->parameters, 1)));
  std::barrier barrier(jobs);
  std::vector<Pace> paces(static_cast<std::size_t>(jobs));
  std::vector<std::exception_ptr> failures(paces.size());
  const auto one = [&](int job) {
    try {
      const auto own = backend.make(threads);
      Runner runner(materials, arm, weights, *own);
      runner.measure(barrier);
      paces[static_cast<std::size_t>(job)] = runner.pace();
    } catch (...) {
      failures[static_cast<std::size_t>(job)] = std::current_exception();
      barrier.arrive_and_drop();
    }
  };
  std::vector<std::thread> others;
  for (int job = 1; job < jobs; ++job) others.emplace_back(one, job);
  one(0);
  for (std::thread& t : others) t.join();
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
  Pace mean;
  for (const Pace& p : paces) {
    const double share = 1.0 / jobs;
    mean.step += share * p.step, mean.weights += share * p.weights, mean.forward += share * p.forward;
    mean.window += share * p.window, mean.set_up += share * p.set_up;
  }
  // One decomposition of every matrix, on one thread.
  const auto begun = std::chrono::steady_clock::now();
  set_team(threads);
  for (std::size_t i = 0; i < weights->parameters.size(); ++i) {
    const Parameter& p = weights->parameters[i];
    if (p.adaptable) svd_basis(weights->values[i], p.shape[0], p.shape[1], 1);
  }
  mean.decomposition = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return mean;
}

double seconds_of(const Pace& pace, const PlannedTrial& trial) {
  const Cost& c = trial.cost;
  const auto times = [](std::int64_t count, double each) { return static_cast<double>(count) * each; };
  return pace.set_up + times(c.steps, pace.step) + times(c.weight_steps, pace.weights) + times(c.evaluations, pace.forward) +
         times(c.gradients, pace.step) + times(c.windows, pace.window) + c.decompositions * pace.decomposition;
}

}  // namespace khost
