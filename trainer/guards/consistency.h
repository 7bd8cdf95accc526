#pragma once
// Consistency check: ranks whose program, configuration, files or weights differ are named before the first
// step.

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
  Settings details = {};  ///< what `value` is a digest of: reported where it differs
};
/// Throws Error on every rank, naming the first rank and item that differ from rank 0's. Collective. While
/// all agree it costs one broadcast and one all-reduce of a few bytes, for any number of ranks.
void require_agreement(Comm& comm, std::initializer_list<AgreementItem> items);

/// SHA-256 of keys and values.
[[nodiscard]] std::string digest_of(const Settings& settings);
/// Version and SHA-256 of the running executable.
[[nodiscard]] std::string digest_of_program();
/// The size of each file and, for a few of them, a digest of beginning and end: enough to detect a different
/// copy, an older preparation or a truncated file without reading terabytes.
[[nodiscard]] Settings fingerprints(const std::vector<std::string>& files);
/// What the files hold, whatever they are called: "3 files, SHA-256 0123456789abcdef", of the size of
/// each, in their order, and of eight pieces of 32 KiB spread evenly over it. The ranks read a share each.
/// Collective.
[[nodiscard]] std::string content_digest(Comm& comm, const std::vector<std::string>& files);

}  // namespace nystrom
