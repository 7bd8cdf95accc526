#pragma once
// Search for the tokenizer of a shard.

#include <string>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// The tokenizer that a shard was prepared with: `tokenizer.model` or `tokenizer.json` with this SHA-256 in
/// the folder of the shard or its parent folder. Throws InputError, saying which key to set, if there is
/// none.
Tokenizer tokenizer_beside(const std::string& shard, const std::string& sha256, const SpecialNames& names);

}  // namespace nystrom
