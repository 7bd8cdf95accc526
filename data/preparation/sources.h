#pragma once
// The files of a preparation, as they were when its work began.

#include <string>
#include <vector>

#include "data/preparation/manifest.h"
#include "kernels/core/check.h"

namespace nystrom {

/// A source is not what it was when the work began.
class SourceChanged : public InputError {
 public:
  using InputError::InputError;
};

/// By source. Reads every file once for its hash.
std::vector<std::vector<SourceFile>> note_sources(const std::vector<CorpusListing>& listings, int threads);

std::string sources_text(const std::vector<std::vector<SourceFile>>& sources);
std::vector<std::vector<SourceFile>> sources_of_text(const std::string& text);

/// Throws SourceChanged, naming it, for the first file that is new, gone or another than noted. A file whose
/// time changed but whose content did not is the same.
void check_unchanged(const std::vector<std::vector<SourceFile>>& noted,
                     const std::vector<CorpusListing>& listings);

}  // namespace nystrom
