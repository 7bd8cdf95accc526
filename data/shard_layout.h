#pragma once
// Names and sizes inside a shard, shared by its writer and its reader.

#include <cstdint>

#include "data/shard.h"

namespace nystrom::shard_layout {

inline constexpr const char* kTokens = "tokens";
inline constexpr const char* kSentenceOffsets = "sentence_offsets";
inline constexpr const char* kDocumentOffsets = "document_offsets";
inline constexpr const char* kDocumentSources = "document_sources";
inline constexpr const char* kSources = "sources";

// Elements a chunk: a sample reads the chunks it touches as a whole.
inline constexpr std::uint64_t kTokenChunk = 16384;
inline constexpr std::uint64_t kOffsetChunk = 2048;

void write_attributes(hdf5::File& file, const ShardHeader& header, const ShardCounts& counts);

/// Refuses another format or version, naming the file.
ShardHeader read_header(const hdf5::File& file);
ShardCounts read_counts(const hdf5::File& file);

}  // namespace nystrom::shard_layout
