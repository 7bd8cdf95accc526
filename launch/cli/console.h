#pragma once
// What the program says beside its results: text on stderr, and below it on a terminal a line of progress
// that is drawn over itself. Thread-safe.

#include <string>

namespace nystrom {

/// A sentence to stderr, in place of a line of progress. Whatever becomes of it (a full disk, a pipe whose
/// reader is gone), the work goes on.
void print_error(const std::string& text) noexcept;

/// Draws a line of progress over the one that is there, cut to the terminal's columns.
void draw_line(const std::string& text, int columns);
/// Removes it, if there is one.
void clear_line() noexcept;

}  // namespace nystrom
