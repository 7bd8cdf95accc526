#pragma once

#include <string>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// The tokenizer that a shard was made with: `tokenizer.model` or `tokenizer.json` in the shard's folder or
/// the one above, whose SHA-256 is `sha256`. Throws InputError, saying what to set, if there is none.
Tokenizer tokenizer_beside(const std::string& shard, const std::string& sha256, const SpecialNames& names);

}  // namespace nystrom
