#pragma once
// Ranks that do not compute the same thing are told apart before the first step.

#include <initializer_list>
#include <string>
#include <string_view>

#include "kernels/core/tensor.h"
#include "trainer/comm.h"
#include "trainer/run_state.h"

namespace nystrom {

/// SHA-256, in hexadecimal.
[[nodiscard]] std::string digest_of(const RunIdentity& identity);
[[nodiscard]] std::string digest_of(const Tensor& values);

struct AgreementItem {
  std::string_view name;  ///< "weights"
  std::string value;
};
/// Throws Error, on every rank alike, naming the first rank and item that differ from rank 0's. Collective.
void require_agreement(Comm& comm, std::initializer_list<AgreementItem> items);

}  // namespace nystrom
