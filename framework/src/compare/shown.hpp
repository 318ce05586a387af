// What text and page of a comparison say in the same words.
#pragma once

#include <string>

#include "compare/compare.hpp"

namespace khost {

std::string counted(std::int64_t n, const std::string& what);  // "1 record", "1,224 records"

std::string difference_text(double value);           // three digits; "-" for what is not known, "inf"
std::string at_text(const ComparedRecord::At& at);   // "seed 5", "draw 1 seed 5 step 40"
std::string interval_text(const ComparedRecord& r);  // of the mean difference: "-1e-07 .. 3e-07", "-" of fewer than two
std::string one_side_text(const Json& claim);        // "falsified, 1.013 (0.965 .. 1.064 at 99.5 %)"; "not judged" for null
std::string claim_remark(const ComparedClaim& c);    // why two sides may not be compared as they stand: ", another claim ..."
std::string side_text(const std::string& value);     // "nothing" for ""
std::string sameness_name(Sameness sameness);        // "identical", "same", "differs", "one sided"
std::string record_name(const ComparedRecord& r);    // its path; of a series "... by step"

}  // namespace khost
