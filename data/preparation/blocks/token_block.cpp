#include "data/preparation/blocks/token_block.h"

#include "data/preparation/blocks/bytes.h"
#include "data/preparation/blocks/packed_file.h"

namespace nystrom {
namespace {

enum TokenSection : std::uint8_t { kTokenStats, kCounts, kFirstSplit };
constexpr std::int32_t kSmallId = 0xFFFF;  // ids below take two bytes

void put_document(ByteWriter& out, const TokenDocument& document) {
  out.put(document.hash);
  out.put(static_cast<std::uint32_t>(document.sentences.size()));
  for (const auto& sentence : document.sentences) {
    out.put(static_cast<std::uint32_t>(sentence.size()));
    for (const auto id : sentence) {
      out.put(static_cast<std::uint16_t>(id < kSmallId ? id : kSmallId));
      if (id >= kSmallId) out.put(id);
    }
  }
}

}  // namespace

void write_token_block(const std::string& path, const TokenBlock& block) {
  ByteWriter counts;
  std::array<ByteWriter, 3> splits;
  for (std::size_t split = 0; split < splits.size(); ++split) {
    const auto& documents = block.documents.at(split);
    counts.put(static_cast<std::uint32_t>(documents.size()));
    splits.at(split).put(static_cast<std::uint32_t>(documents.size()));
    for (const auto& document : documents) {
      std::uint64_t tokens = 0;
      for (const auto& sentence : document.sentences) tokens += sentence.size();
      counts.put(document.hash);
      counts.put(static_cast<std::uint32_t>(document.sentences.size()));
      counts.put(tokens);
      put_document(splits.at(split), document);
    }
  }
  write_packed_file(path, {stats_text(block.stats), counts.bytes(), splits[0].bytes(), splits[1].bytes(),
                           splits[2].bytes()});
}

SourceStats read_token_stats(const std::string& path) {
  return parse_stats(read_packed_section(path, kTokenStats));
}

std::array<std::vector<TokenCounts>, 3> read_token_counts(const std::string& path) {
  const auto bytes = read_packed_section(path, kCounts);
  ByteReader in(bytes, path);
  std::array<std::vector<TokenCounts>, 3> counts;
  for (auto& split : counts) {
    split.resize(in.get<std::uint32_t>());
    for (auto& document : split) {
      document.hash = in.get<std::uint64_t>();
      document.sentences = in.get<std::uint32_t>();
      document.tokens = in.get<std::uint64_t>();
    }
  }
  return counts;
}

std::vector<TokenDocument> read_token_documents(const std::string& path, Split split) {
  const auto bytes = read_packed_section(path, kFirstSplit + static_cast<std::size_t>(split));
  ByteReader in(bytes, path);
  std::vector<TokenDocument> documents(in.get<std::uint32_t>());
  for (auto& document : documents) {
    document.hash = in.get<std::uint64_t>();
    document.sentences.resize(in.get<std::uint32_t>());
    for (auto& sentence : document.sentences) {
      sentence.resize(in.get<std::uint32_t>());
      for (auto& id : sentence) {
        id = in.get<std::uint16_t>();
        if (id == kSmallId) id = in.get<std::int32_t>();
      }
    }
  }
  return documents;
}

}  // namespace nystrom
