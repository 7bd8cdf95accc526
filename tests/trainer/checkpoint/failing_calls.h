#pragma once
// Makes chosen calls to the system fail, for files under one folder: a disk that is full, read-only, over
// quota, or a server that forgets a rename. Linked into a test, or preloaded (LD_PRELOAD) into a program with
// the environment variables that failing_calls.cpp names.

#include <cstdint>

extern "C" {
/// Restarts the count of calls that concern files under `folder` (nullptr: none). The calls [first, last],
/// from 1, fail with `error`; `only` is a call's name ("rename"), or nullptr for all.
void failing_calls_arm(const char* folder, std::int64_t first, std::int64_t last, int error,
                       const char* only);
/// Calls counted so far.
std::int64_t failing_calls_counted();
}
