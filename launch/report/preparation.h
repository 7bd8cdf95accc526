#pragma once
// The page of prepared text.

#include <string>

#include "launch/report/text_sample.h"

namespace nystrom {

/// Is this a directory that `prepare` completed: has it a manifest?
[[nodiscard]] bool is_preparation(const std::string& directory);

/// What stands between <main> and </main>: splits, tokens by source, what became of the characters of each
/// source and why, lengths of documents, and of a sample (text_sample.h) fertility, passages and the most
/// frequent pieces. Throws InputError for a manifest that cannot be read.
[[nodiscard]] std::string preparation_body(const std::string& directory, ShardsOf whose);

}  // namespace nystrom
