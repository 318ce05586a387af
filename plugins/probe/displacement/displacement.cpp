#include "displacement.hpp"

#include <cmath>
#include <vector>

void Displacement::declare(khost::Signals& s, const Config&) {
  s.emit("total", "1", "||dW||_F of all matrices together: the root of the sum of their squares");
  s.emit("mean", "1", "||dW||_F, mean over the matrices that carry an adapter or were trained");
  s.emit("matrix/<name>", "1", "||dW||_F of one such matrix");
  s.no_null("*", "how far noise moves a matrix is a matter of the learning rate and the optimizer: compare across an lr sweep");
}

void Displacement::conclude(khost::Trial& trial) {
  const std::vector<double> moved = trial.displacement();
  double squares = 0, sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    const khost::AdaptedMatrix& m = trial.info().matrices[i];
    if (m.rank == 0 && moved[i] == 0) continue;  // nothing could move it: it would only dilute the mean
    squares += moved[i] * moved[i], sum += moved[i], ++count;
    trial.record("matrix/" + m.name, moved[i]);
  }
  trial.record("total", count ? std::sqrt(squares) : khost::missing);
  trial.record("mean", count ? sum / count : khost::missing);
}
