#pragma once
// Checkpoints of other format versions, made from one of today's.

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "kernels/core/sha256.h"
#include "trainer/checkpoint/header.h"

namespace nystrom::testing {

/// The first version: no line `validation`, and a digest that leaves the lines out.
inline std::string as_version_1(const std::string& checkpoint) {
  const std::string rest = checkpoint.substr(kCheckpointHeaderBytes);
  std::string header =
      fmt::format("nystrom checkpoint 1\nbytes {}\nsha256 {}\n", checkpoint.size(), sha256_hex(rest));
  header.resize(kCheckpointHeaderBytes, '\0');
  return header + rest;
}

/// A later one, with a line that nobody knows yet.
inline std::string as_later_version(const std::string& checkpoint, int version) {
  const std::string rest = checkpoint.substr(kCheckpointHeaderBytes);
  const std::string head =
      fmt::format("nystrom checkpoint {}\nbytes {}\nwhatever it is\n", version, checkpoint.size());
  std::string header = fmt::format("{}sha256 {}\n", head, sha256_hex(head + rest));
  header.resize(kCheckpointHeaderBytes, '\0');
  return header + rest;
}

}  // namespace nystrom::testing
