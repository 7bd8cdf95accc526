#pragma once
// Ranks that do not compute the same thing are told apart before the first step.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/tensor.h"
#include "trainer/checkpoint/run_state.h"
#include "trainer/comm/comm.h"

namespace nystrom {

/// SHA-256, in hexadecimal.
[[nodiscard]] std::string digest_of(const RunIdentity& identity);
[[nodiscard]] std::string digest_of(const Tensor& values);

struct AgreementItem {
  std::string_view name;  ///< "weights"
  std::string value;
  Settings details = {};  ///< what `value` sums up: told where it differs
};
/// Throws Error, on every rank alike, naming the first rank and item that differ from rank 0's. Collective.
/// While all agree it costs a broadcast and a sum of a few bytes each, however many ranks there are.
void require_agreement(Comm& comm, std::initializer_list<AgreementItem> items);

/// SHA-256 over keys and values.
[[nodiscard]] std::string digest_of(const Settings& settings);
/// Of the program that runs: version and SHA-256 of its file.
[[nodiscard]] std::string digest_of_program();
/// For each file its size and, of a few of them, a digest of its beginning and end: enough to tell another
/// copy, an older preparation or a file that was cut from the right one, without reading terabytes.
[[nodiscard]] Settings fingerprints(const std::vector<std::string>& files);

}  // namespace nystrom
