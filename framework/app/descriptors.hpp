// Standard input, output and error that nobody gave.
#pragma once

namespace khost {

// Opens /dev/null on those of the descriptors 0 to 2 that are closed, so that no file of khost's is given one of these numbers
// and receives what is written to standard error. What is written to a closed output still fails, so that main can tell. Call it
// first.
void open_standard_descriptors();

}  // namespace khost
