#include "launch/cli/console.h"

#include <algorithm>
#include <cstdio>
#include <mutex>

namespace nystrom {
namespace {

std::mutex mutex;
std::size_t drawn = 0;  // columns of the line of progress

void write(const std::string& text) noexcept {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

/// Under the mutex. Takes no memory, which may be what a sentence is about.
void erase_line() noexcept {
  if (drawn == 0) return;
  (void)std::fprintf(stderr, "\r%*s\r", static_cast<int>(drawn), "");
  (void)std::fflush(stderr);
  drawn = 0;
}

}  // namespace

void print_error(const std::string& text) noexcept {
  const std::scoped_lock held(mutex);
  erase_line();
  write(text);
}

void draw_line(const std::string& text, int columns) {
  const std::scoped_lock held(mutex);
  drawn = static_cast<std::size_t>(std::max(columns - 1, 0));
  std::string line = text;
  line.resize(drawn, ' ');
  write("\r" + line);
}

void clear_line() noexcept {
  const std::scoped_lock held(mutex);
  erase_line();
}

}  // namespace nystrom
