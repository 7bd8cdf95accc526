#include "data/preparation/blocks/text_block.h"

#include "data/preparation/blocks/bytes.h"
#include "data/preparation/blocks/packed_file.h"
#include "data/xxh3.h"

namespace nystrom {
namespace {

enum TextSection : std::uint8_t { kTextStats, kIndex, kText };

std::uint64_t hash_of(const TextParagraph& paragraph) {
  std::uint64_t hash = 0;
  for (const auto& sentence : paragraph.sentences) hash = xxh3(sentence, hash);
  return hash;
}

std::size_t bytes_of(const TextParagraph& paragraph) {
  std::size_t bytes = 0;
  for (const auto& sentence : paragraph.sentences) bytes += sentence.size();
  return bytes;
}

void put_index(ByteWriter& out, const TextDocument& document) {
  out.put(document.hash);
  out.put(document.fate);
  out.put(static_cast<std::uint32_t>(document.bands.size()));
  for (const auto band : document.bands) out.put(band);
  std::vector<TextIndex::Paragraph> entries;
  for (std::size_t i = 0; i < document.paragraphs.size(); ++i) {
    if (bytes_of(document.paragraphs[i]) >= kMinDuplicateBytes)
      entries.push_back({hash_of(document.paragraphs[i]), static_cast<std::uint32_t>(i)});
  }
  out.put(static_cast<std::uint32_t>(entries.size()));
  for (const auto& entry : entries) {
    out.put(entry.hash);
    out.put(entry.index);
  }
}

void put_text(ByteWriter& out, const TextDocument& document) {
  out.put(document.id);
  out.put(document.hash);
  out.put(document.fate);
  out.put(static_cast<std::uint32_t>(document.paragraphs.size()));
  for (const auto& paragraph : document.paragraphs) {
    out.put(static_cast<std::uint32_t>(paragraph.sentences.size()));
    for (const auto& sentence : paragraph.sentences) out.put(sentence);
  }
}

}  // namespace

const char* name_of(Fate fate) {
  switch (fate) {
    case Fate::kKept:
      return "kept";
    case Fate::kTooShort:
      return "too short";
    case Fate::kContaminated:
      return "shared with evaluation files";
    case Fate::kDuplicateDocument:
      return "duplicate documents";
    case Fate::kNearDuplicate:
      return "near duplicates";
    case Fate::kDuplicateParagraph:
      return "duplicate paragraphs";
  }
  return "";
}

void write_text_block(const std::string& path, const TextBlock& block) {
  ByteWriter index, text;
  index.put(static_cast<std::uint32_t>(block.documents.size()));
  text.put(static_cast<std::uint32_t>(block.documents.size()));
  for (const auto& document : block.documents) {
    put_index(index, document);
    put_text(text, document);
  }
  write_packed_file(path, {stats_text(block.stats), index.bytes(), text.bytes()});
}

TextBlock read_text_block(const std::string& path) {
  TextBlock block;
  block.stats = read_text_stats(path);
  const auto bytes = read_packed_section(path, kText);
  ByteReader in(bytes, path);
  block.documents.resize(in.get<std::uint32_t>());
  for (auto& document : block.documents) {
    document.id = in.get_text();
    document.hash = in.get<std::uint64_t>();
    document.fate = in.get<Fate>();
    document.paragraphs.resize(in.get<std::uint32_t>());
    for (auto& paragraph : document.paragraphs) {
      paragraph.sentences.resize(in.get<std::uint32_t>());
      for (auto& sentence : paragraph.sentences) sentence = in.get_text();
    }
  }
  return block;
}

TextIndex read_text_index(const std::string& path) {
  TextIndex index;
  const auto bytes = read_packed_section(path, kIndex);
  ByteReader in(bytes, path);
  index.documents.resize(in.get<std::uint32_t>());
  for (auto& document : index.documents) {
    document.hash = in.get<std::uint64_t>();
    document.fate = in.get<Fate>();
    document.bands.resize(in.get<std::uint32_t>());
    for (auto& band : document.bands) band = in.get<std::uint64_t>();
    document.paragraphs.resize(in.get<std::uint32_t>());
    for (auto& paragraph : document.paragraphs) {
      paragraph.hash = in.get<std::uint64_t>();
      paragraph.index = in.get<std::uint32_t>();
    }
  }
  return index;
}

SourceStats read_text_stats(const std::string& path) {
  return parse_stats(read_packed_section(path, kTextStats));
}

}  // namespace nystrom
