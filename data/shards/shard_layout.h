#pragma once
// Names and sizes inside a shard, shared by its writer and its reader.

#include <cstdint>

#include "data/shards/shard.h"

namespace nystrom::shard_layout {

inline constexpr const char* kTokens = "tokens";
inline constexpr const char* kSentenceOffsets = "sentence_offsets";
inline constexpr const char* kDocumentOffsets = "document_offsets";
inline constexpr const char* kDocumentSources = "document_sources";
inline constexpr const char* kSources = "sources";

// Elements a chunk. A sample reads the chunks that it touches as a whole: measured at random order and
// lengths from 128 to 4096, these are fastest (half as many read no faster, twice as many cost a third).
inline constexpr std::uint64_t kTokenChunk = 8192;
inline constexpr std::uint64_t kOffsetChunk = 1024;

void write_attributes(hdf5::File& file, const ShardHeader& header, const ShardCounts& counts);

/// Refuses another format or version, naming the file.
ShardHeader read_header(const hdf5::File& file);
ShardCounts read_counts(const hdf5::File& file);

}  // namespace nystrom::shard_layout
