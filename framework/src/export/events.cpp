#include "export/events.hpp"

#include <bit>
#include <boost/crc.hpp>

namespace khost {
namespace {

using Castagnoli = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

template <class T>
void put(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// ---- Protocol Buffers ----

enum class Wire : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}
void put_key(std::string& out, std::uint32_t field, Wire wire) { put_varint(out, field << 3 | static_cast<std::uint32_t>(wire)); }
void put_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  put_key(out, field, Wire::bytes);
  put_varint(out, bytes.size());
  out += bytes;
}

// The numbers of the fields that are written.
namespace event {
constexpr std::uint32_t wall_time = 1, step = 2, file_version = 3, summary = 5;
}
namespace summary {
constexpr std::uint32_t value = 1;
}
namespace value {
constexpr std::uint32_t tag = 1, simple_value = 2;
}

std::string begun(double time) {
  std::string out;
  put_key(out, event::wall_time, Wire::fixed64);
  put(out, time);
  return out;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  Castagnoli crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

std::string framed(std::string_view data) {
  std::string out;
  put(out, static_cast<std::uint64_t>(data.size()));
  put(out, masked_crc32c(out));
  out += data;
  put(out, masked_crc32c(data));
  return out;
}

std::string first_event(double time) {
  std::string out = begun(time);
  put_bytes(out, event::file_version, "brain.Event:2");
  return out;
}

std::string scalar_event(double time, std::int64_t step, std::string_view tag, double scalar) {
  std::string one;
  put_bytes(one, value::tag, tag);
  put_key(one, value::simple_value, Wire::fixed32);
  put(one, static_cast<float>(scalar));
  std::string all;
  put_bytes(all, summary::value, one);
  std::string out = begun(time);
  put_key(out, event::step, Wire::varint);
  put_varint(out, static_cast<std::uint64_t>(step));
  put_bytes(out, event::summary, all);
  return out;
}

std::string tag_of(const std::string& probe, const std::string& name, bool whole_beside_steps) {
  return probe + "/" + name + (whole_beside_steps ? " (trial)" : "");
}

std::string series_events(const RecordSeries& series, double time) {
  std::string out;
  const bool beside = series.has_whole() && series.points.size() > 1;
  for (const Point& p : series.points) {
    const bool whole = p.step < 0;
    out += framed(scalar_event(time, whole ? 0 : p.step, tag_of(series.probe, series.name, whole && beside), p.value));
  }
  return out;
}

}  // namespace khost
