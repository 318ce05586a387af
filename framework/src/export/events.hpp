// TensorBoard's event files: records of TFRecord's framing, each an Event in Protocol Buffers' wire format. Of both only what
// scalars need.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/result.hpp"

namespace khost {

// CRC-32C (Castagnoli), as it is, and as TFRecord masks it: rotated right by 15 bits, plus 0xa282ead8.
std::uint32_t crc32c(std::string_view bytes);
std::uint32_t masked_crc32c(std::string_view bytes);

// Length (8 bytes), its masked CRC (4), the data, their masked CRC (4); little-endian.
std::string framed(std::string_view data);

// A file's first record. `time`: seconds since 1970.
std::string first_event(double time);
// One scalar, as f32, which TensorBoard keeps scalars in: beyond its range infinite.
std::string scalar_event(double time, std::int64_t step, std::string_view tag, double value);

// "PROBE/NAME"; of a whole trial's record that has steps beside it, "PROBE/NAME (trial)".
std::string tag_of(const std::string& probe, const std::string& name, bool whole_beside_steps);
// All of a series, framed, at this time. What is of the whole trial stands at step 0. A missing value is NaN.
std::string series_events(const RecordSeries& series, double time);

}  // namespace khost
