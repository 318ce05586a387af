// The pictures of a run, made from its records.
#pragma once

#include "page/picture_specs.hpp"
#include "store/run_reader.hpp"

namespace khost {

// Those that `specs` ask for and the run has records for, in their order; then of every other record one by its shape: a figure
// of a trial by arm, one with a placeholder against that, a series over its steps; and where the time went. A series of more than
// a few hundred steps is thinned to every 2nd, 4th, ... of them. What would be more than a page takes (panels, series, pictures)
// is left out and named in the picture's notes, or in `left_out`. The pictures point into `bases` and `run`.
std::vector<Picture> pictures_of(const Run& run, const RunReader& reader, const std::vector<BaseFigures>& bases,
                                 const std::vector<PictureSpec>& specs, std::vector<std::string>& left_out);

}  // namespace khost
