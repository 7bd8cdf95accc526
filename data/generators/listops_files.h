#pragma once
// ListOps in the Long Range Arena's form: basic_train.tsv, basic_val.tsv and basic_test.tsv.

#include <cstdint>
#include <string>

#include "data/generators/listops.h"
#include "data/generators/workers.h"

namespace nystrom {

struct ListOpsCounts {
  std::int64_t train = 96'000, validation = 2'000, test = 2'000;
  [[nodiscard]] std::int64_t total() const { return train + validation + test; }
};

/// Writes the generator's expressions 0, 1, 2, … to three files in `folder` (made where it is missing): those
/// of training, of validation, of test. An expression that was there before is left out, so no two of all are
/// equal. Returns how many were left out. Refuses files that exist, and a rule that has too few expressions.
/// A collective of all ranks, of which rank 0 writes.
std::int64_t write_listops(const ListOpsGenerator& generator, const ListOpsCounts& counts,
                           const std::string& folder, const Workers& workers);

}  // namespace nystrom
