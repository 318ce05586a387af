// Known products that a compute table must get right before anything is computed with it.
#pragma once

#include <string>

#include "khost/compute.hpp"

namespace khost {

// Multiplies what every table must get right: beta 0, 0.5, 1 and 2 (and with 0 nothing of a C full of NaN), all transposes, rows
// further apart than they are long, skinny, wide, deep, one and no term, packed and plain, with one thread and with `threads`,
// both at once on two threads. All entries are integers, or halves, of so few bits that every order of every sum is exact in f32:
// a product is the portable kernel's to the last bit, or wrong. Once per process for a table, its options and one or more
// threads; a few milliseconds. Throws a plugin Error that shows the product, what was found and what was expected.
// Entries of packed products have no more bits than the table's info says that those keep.
void check_products(const std::string& name, const khost_compute& table, const std::string& options, int threads);

// Significant bits of what packed products multiply: as the table's info says, f32's where it says nothing that could be.
int packed_bits(const khost_compute_info& about);

}  // namespace khost
