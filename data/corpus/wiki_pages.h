#pragma once
// Pages out of a MediaWiki dump (pages-articles), one after the other, in memory that one page fills.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/corpus/byte_stream.h"

namespace nystrom {

struct WikiPage {
  std::string title;
  std::string id;
  int name_space = 0;
  bool redirect = false;
  std::string text;  ///< wikitext of the newest revision
};

/// Names of a wiki's namespaces that links of ours treat apart.
struct WikiNamespaces {
  std::vector<std::string>
      hidden;  ///< lower case: files, categories and the like; links to them show nothing
  std::vector<std::string> others;  ///< lower case: all others
};

class WikiPageReader {
 public:
  /// `stream` outlives the reader; `origin` names the file in messages.
  WikiPageReader(ByteStream& stream, std::string origin) : stream_(stream), origin_(std::move(origin)) {}

  /// False at the end. Throws InputError if the dump ends inside a page or a page has no end.
  bool next(WikiPage& page);

  /// As the dump's header names them, and English. Complete once `next` was called.
  [[nodiscard]] const WikiNamespaces& namespaces() const { return namespaces_; }

 private:
  bool fill();
  bool find(std::string_view what, std::size_t from, std::size_t& at);
  void read_namespaces(std::string_view header);
  void parse(std::string_view xml, WikiPage& page) const;

  ByteStream& stream_;
  std::string origin_;
  std::string buffer_;
  std::size_t position_ = 0;
  std::int64_t offset_ = 0;  // of the buffer's begin, in the uncompressed dump
  bool first_ = true;
  WikiNamespaces namespaces_;
};

/// A page that the text itself makes a redirect ("#REDIRECT [[...]]").
bool is_redirect(std::string_view wikitext);

}  // namespace nystrom
