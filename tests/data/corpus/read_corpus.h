#pragma once
// Reads a whole corpus, or returns the message of its refusal.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "data/corpus/corpus.h"
#include "kernels/core/check.h"

namespace nystrom::testing {

/// All that a corpus gave.
struct Read {
  std::vector<std::string> ids;
  std::vector<std::vector<std::string>> documents;
  Skipped skipped;
  std::map<std::string, std::int64_t> files;
  std::vector<std::string> damage;
  Repairs repairs;
  Reasons dropped;
};

/// Reads all documents of a corpus, and checks on the way that no character is unaccounted for.
inline Read read_all(const CorpusSpec& spec, const ReadOptions& options = {}) {
  auto listing = list_corpus(spec);
  auto corpus = open_corpus(spec, {listing.files}, options);
  Read read;
  for (RawDocument raw; corpus->next(raw);) {
    read.ids.push_back(raw.id);
    auto result = corpus->extract(raw);
    auto sum = std::accumulate(result.dropped.begin(), result.dropped.end(), std::int64_t{0},
                               [](std::int64_t n, const auto& d) { return n + d.second; });
    for (const auto& paragraph : result.paragraphs) sum += count_characters(paragraph);
    EXPECT_EQ(result.characters, sum) << raw.id;
    for (const auto& [reason, count] : result.dropped) read.dropped[reason] += count;
    read.documents.push_back(std::move(result.paragraphs));
    read.repairs += result.repairs;
  }
  read.skipped = corpus->skipped();
  for (const auto& [reason, count] : listing.skipped.documents) read.skipped.documents[reason] += count;
  read.files = corpus->files().documents();
  read.damage = corpus->files().damage();
  return read;
}

/// The sentence with which a corpus is refused.
inline std::string message_of(const CorpusSpec& spec, const ReadOptions& options = {}) {
  try {
    (void)read_all(spec, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was refused";
}

/// A member of a tar archive: header, content, padding.
inline std::string tar_entry(const std::string& name, const std::string& content, char type = '0') {
  std::string header(512, '\0');
  const auto put = [&header](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, name.substr(0, 100));
  put(124, fmt::format("{:011o}", content.size()));
  put(156, std::string(1, type));
  put(257, std::string("ustar\00000", 8));
  put(148, "        ");
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

}  // namespace nystrom::testing
