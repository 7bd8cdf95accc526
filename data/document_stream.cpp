#include "data/document_stream.h"

#include <charconv>
#include <exception>
#include <future>
#include <mutex>

#include "data/sha256.h"
#include "data/text/sentences.h"
#include "kernels/core/context.h"

namespace nystrom {
namespace {

constexpr std::size_t kBatchBytes = std::size_t{8} << 20U;
constexpr std::size_t kBatchDocuments = 4096;

struct Batch {
  std::vector<RawDocument> documents;
  std::int64_t bytes_done = 0;  // of the corpus's files, noted by the thread that reads them
};

Batch read_batch(Corpus& corpus) {
  Batch batch;
  std::size_t bytes = 0;
  RawDocument document;
  while (bytes < kBatchBytes && batch.documents.size() < kBatchDocuments && corpus.next(document)) {
    bytes += document.text.size();
    batch.documents.push_back(std::move(document));
    document = {};
  }
  batch.bytes_done = corpus.files().bytes_done();
  return batch;
}

std::uint64_t hash_of(const std::vector<std::string>& sentences, std::uint64_t seed) {
  Sha256 hash;
  hash.update(std::to_string(seed));
  for (const auto& sentence : sentences) {
    hash.update("\n");
    hash.update(sentence);
  }
  const auto digits = hash.hex();
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + 16, value, 16);
  return value;
}

void add_sentences(const Extraction& extraction, Normalization normalization, SentenceSplitter& splitter,
                   ProcessedDocument& document) {
  CleanCounts counts;
  std::int64_t cleaned = 0;
  for (const auto& paragraph : extraction.paragraphs) {
    const std::string text = clean_text(paragraph, normalization, counts);
    cleaned += count_characters(text);
    auto sentences = splitter.split(text);
    if (!sentences.empty()) document.paragraphs.push_back(document.sentences.size());
    for (auto& sentence : sentences) {
      document.characters_kept += count_characters(sentence);
      document.bytes_kept += static_cast<std::int64_t>(sentence.size());
      document.sentences.push_back(std::move(sentence));
    }
  }
  document.dropped["control characters"] += counts.control;
  document.dropped["normalization"] += counts.normalization;
  // Between sentences stands one blank.
  document.dropped["white space"] += counts.white_space + (cleaned - document.characters_kept);
}

ProcessedDocument process(const Corpus& corpus, RawDocument raw, const ProcessOptions& options,
                          SentenceSplitter& splitter) {
  ProcessedDocument document;
  document.id = std::move(raw.id);
  auto extraction = corpus.extract(std::move(raw));
  document.characters_in = extraction.characters;
  document.dropped = std::move(extraction.dropped);
  document.repairs = extraction.repairs;
  add_sentences(extraction, options.normalization, splitter, document);
  document.hash = hash_of(document.sentences, options.seed);
  if (options.tokenizer == nullptr) return document;
  for (const auto& sentence : document.sentences)
    document.tokens.push_back(options.tokenizer->encode(sentence));
  return document;
}

}  // namespace

void process_documents(Corpus& corpus, const ProcessOptions& options,
                       const std::function<void(ProcessedDocument&)>& consume,
                       const std::function<void(std::int64_t)>& after_batch) {
  Context context(options.threads);
  std::vector<SentenceSplitter> splitters(static_cast<std::size_t>(context.threads()));
  const auto read_ahead = [&corpus] {
    return std::async(std::launch::async, [&corpus] { return read_batch(corpus); });
  };
  auto next = read_ahead();
  for (Batch batch = next.get(); !batch.documents.empty(); batch = next.get()) {
    auto& documents = batch.documents;
    next = read_ahead();
    std::vector<ProcessedDocument> processed(documents.size());
    std::exception_ptr error;
    std::mutex error_mutex;
    parallel_items(context, static_cast<std::int64_t>(documents.size()), [&](std::int64_t i, int thread) {
      const auto index = static_cast<std::size_t>(i);
      try {
        processed[index] = process(corpus, std::move(documents[index]), options,
                                   splitters[static_cast<std::size_t>(thread)]);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    });
    if (error) std::rethrow_exception(error);
    for (auto& document : processed) consume(document);
    after_batch(batch.bytes_done);
  }
}

}  // namespace nystrom
