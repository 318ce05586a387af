// A picture as charts.js, a table and a CSV file have it.
#pragma once

#include "page/picture.hpp"

namespace khost {

// {"id", "form", "title", "x_title", "y_title", "x_numeric", "x_log", "y_log", "panels", "series", "references", "region",
// "said", "rows": [{"panel", "series", "at", "x", "y", "low", "high", "n", "also_low", "also_high", "noise", "noise_low",
// "noise_high", "published"}]}; a row has no member that it has no value for.
Json picture_json(const Picture& picture);

// Its caption, definitions, notes, the chart's place (the i-th of the page) and its table.
std::string picture_html(const Picture& picture, std::size_t i);

// RFC 4180; header panel,series,at,mean,low,high,level,n,noise,noise_low,noise_high,published,record.
std::string picture_csv(const Picture& picture);

// "0.784 .. 0.815"; "" without noise.
std::string band_text(const std::optional<Band>& noise, const NumberStyle& style);

// What stands behind a figure: record, mean, interval, n, noise, published, values by seed; in lines.
std::string tip_of(const Figure& figure, const std::string& record, const ArmFigures* arm = nullptr);

}  // namespace khost
