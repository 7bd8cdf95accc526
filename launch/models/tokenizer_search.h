#pragma once
// Tokenizers by path, and the tokenizer of a shard.

#include <string>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// The tokenizer that `path` names: a tokenizer's file, a folder with one (a Hugging Face folder, the output
/// of `prepare`), or a checkpoint or run directory, which carry theirs. Non-empty names replace its own.
Tokenizer read_any_tokenizer(const std::string& path, const SpecialNames& names = {});

/// The tokenizer that a shard was prepared with: `tokenizer.model` or `tokenizer.json` with this SHA-256 in
/// the folder of the shard or its parent folder. Throws InputError, saying which key to set, if there is
/// none.
Tokenizer tokenizer_beside(const std::string& shard, const std::string& sha256, const SpecialNames& names);

}  // namespace nystrom
