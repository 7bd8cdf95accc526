#pragma once
// Small synthetic corpora and their shards.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "data/pretraining/loader.h"
#include "data/shards/shard.h"
#include "file_bytes.h"
#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "temporary_folder.h"

namespace nystrom::testing {

using Sentence = std::vector<std::int32_t>;
using Document = std::vector<Sentence>;

constexpr std::int64_t kVocabulary = 500;

inline ShardHeader header(char tokenizer = 'a', std::int64_t vocabulary = kVocabulary) {
  return {.vocabulary_size = vocabulary,
          .tokenizer_sha256 = std::string(64, tokenizer),
          .sources = {"wiki", "books"}};
}

/// Documents of 1 to 12 sentences of 1 to 30 tokens, now and then one of 100.
inline std::vector<Document> make_documents(std::size_t count, std::uint64_t seed = 1) {
  Random random(seed, Purpose::kTest, 0);
  std::vector<Document> documents(count);
  for (auto& document : documents) {
    document.resize(1 + random.below(12));
    for (auto& sentence : document) {
      sentence.resize(random.below(20) == 0 ? 100 : 1 + random.below(30));
      for (auto& id : sentence) id = static_cast<std::int32_t>(5 + random.below(kVocabulary - 5));
    }
  }
  return documents;
}

inline void write_shard(const std::string& path, const std::vector<Document>& documents,
                        const ShardHeader& head = header()) {
  ShardWriter writer(path, head);
  std::int64_t source = 0;
  for (const auto& document : documents) writer.add_document(source++ % 2, document);
  writer.finish();
}

inline Sentence flat(const Document& document) {
  Sentence all;
  for (const auto& sentence : document) all.insert(all.end(), sentence.begin(), sentence.end());
  return all;
}

inline LoaderOptions loader_options(std::vector<std::string> shards, std::int64_t length = 32) {
  LoaderOptions options;
  options.samples = {
      .shards = std::move(shards), .sequence_length = length, .vocabulary_size = kVocabulary, .seed = 7};
  options.global_batch = 8;
  options.micro_batch = 4;
  return options;
}

/// The message of the exception of type E that `work` throws; a test failure if it throws none.
template <class E, class Work>
std::string message_of(Work&& work) {
  try {
    work();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace nystrom::testing
