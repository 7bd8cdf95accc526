#pragma once
// Source files of a preparation: names, sizes and hashes as they were when it began.

#include <string>
#include <vector>

#include "data/preparation/manifest.h"
#include "kernels/core/check.h"

namespace nystrom {

/// A source file changed after the preparation began.
class SourceChanged : public InputError {
 public:
  using InputError::InputError;
};

/// wikipedia, books, books-2, ...: what sources are called in shards and manifests.
std::vector<std::string> source_names(const std::vector<CorpusSpec>& corpora);

/// Files by source. Reads every file once to hash it.
std::vector<std::vector<SourceFile>> note_sources(const std::vector<CorpusListing>& listings, int threads);

std::string sources_text(const std::vector<std::vector<SourceFile>>& sources);
std::vector<std::vector<SourceFile>> sources_of_text(const std::string& text);

/// Throws SourceChanged, naming it, for the first file that is new, gone or another than noted. A file whose
/// time changed but whose content did not is the same.
void check_unchanged(const std::vector<std::vector<SourceFile>>& noted,
                     const std::vector<CorpusListing>& listings);

}  // namespace nystrom
