#include "descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace khost {

void open_standard_descriptors() {
  for (int wanted = STDIN_FILENO; wanted <= STDERR_FILENO; ++wanted) {
    if (::fcntl(wanted, F_GETFD) >= 0) continue;
    // The lowest that is free, and so the one wanted. Standard output cannot be written; messages are lost, as asked for.
    const int how = wanted == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", how) < 0) (void)!::open("/", O_RDONLY | O_DIRECTORY);
  }
}

}  // namespace khost
