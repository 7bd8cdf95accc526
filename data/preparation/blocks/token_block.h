#pragma once
// A block of token ids, between tokenizing and writing shards.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/preparation/blocks/document_split.h"
#include "data/preparation/blocks/source_stats.h"

namespace nystrom {

struct TokenDocument {
  std::uint64_t hash = 0;
  std::vector<std::vector<std::int32_t>> sentences;  ///< none of them empty
};

/// A document's size, by which shards are planned.
struct TokenCounts {
  std::uint64_t hash = 0;
  std::uint32_t sentences = 0;
  std::uint64_t tokens = 0;
};

/// Documents by split (chosen by their hash), in the order of the source.
struct TokenBlock {
  SourceStats stats;
  std::array<std::vector<TokenDocument>, 3> documents;
};

void write_token_block(const std::string& path, const TokenBlock& block);
SourceStats read_token_stats(const std::string& path);
std::array<std::vector<TokenCounts>, 3> read_token_counts(const std::string& path);
std::vector<TokenDocument> read_token_documents(const std::string& path, Split split);

}  // namespace nystrom
