#pragma once
// Documents of one corpus, extracted, cleaned and split into sentences on all threads, handed on in order.

#include <functional>
#include <string>
#include <vector>

#include "data/corpus/corpus.h"
#include "data/text/clean.h"
#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// A document on its way to the shards.
struct ProcessedDocument {
  std::string id;
  std::vector<std::string> sentences;
  std::vector<std::size_t> paragraphs;            ///< index of each paragraph's first sentence
  std::vector<std::vector<std::int32_t>> tokens;  ///< of each sentence; only with a tokenizer
  std::uint64_t hash = 0;  ///< of its text: equal texts are equal documents, wherever they come from
  // characters_in = characters_kept + all of dropped
  std::int64_t characters_in = 0;
  std::int64_t characters_kept = 0;  ///< in sentences
  std::int64_t bytes_kept = 0;
  Reasons dropped;
  Repairs repairs;
};

struct ProcessOptions {
  Normalization normalization = Normalization::kNfc;
  const Tokenizer* tokenizer = nullptr;  ///< null: no tokens
  std::uint64_t seed = 1;                ///< of `hash`
  int threads = 1;
};

/// Reads the corpus to its end. `consume` gets each document in order; `after_batch` gets, now and then, how
/// many bytes of its files were read so far; both on the calling thread. While a batch is processed the next
/// one is read. The first exception ends it.
void process_documents(Corpus& corpus, const ProcessOptions& options,
                       const std::function<void(ProcessedDocument&)>& consume,
                       const std::function<void(std::int64_t)>& after_batch);

}  // namespace nystrom
