#pragma once
// Reader of the pages of a MediaWiki dump (pages-articles). Memory is bounded by the largest page.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/corpus/byte_stream.h"
#include "data/corpus/wikipedia/site.h"

namespace nystrom {

struct WikiPage {
  std::string title;
  std::string id;
  int name_space = 0;
  bool redirect = false;
  std::string text;  ///< wikitext of the newest revision
};

class WikiPageReader {
 public:
  /// `stream` outlives the reader; `origin` names the file in messages. `site`: where the stream begins
  /// after the dump's header, what that describes.
  WikiPageReader(ByteStream& stream, std::string origin, bool skip_damaged = false,
                 std::optional<WikiSite> site = {});

  /// Gives the pages that begin before the stream's boundary; false at the end. Throws InputError if the dump
  /// ends inside a page or a page has no end; with skip_damaged such a page is lost.
  bool next(WikiPage& page);

  /// The wiki that the dump's header describes. Complete once `next` was called.
  [[nodiscard]] const WikiSite& site() const { return site_; }
  /// Pages lost to corrupt input since the last call.
  [[nodiscard]] std::int64_t take_lost() { return std::exchange(lost_, 0); }

 private:
  bool fill();
  [[nodiscard]] std::int64_t here() const { return offset_ + static_cast<std::int64_t>(position_); }
  bool find(std::string_view what, std::size_t from, std::size_t& at);
  void parse(std::string_view xml, WikiPage& page) const;

  ByteStream& stream_;
  std::string origin_;
  std::string buffer_;
  std::size_t position_ = 0;
  std::int64_t offset_ = 0;  // of the buffer's begin, in the uncompressed dump
  bool skip_damaged_;
  bool first_ = true;
  bool gap_ = false;  // corrupt input was skipped since the position
  std::int64_t gaps_ = 0, lost_ = 0;
  WikiSite site_;
};

/// The wiki that the header of the dump in this file describes.
WikiSite read_site(const std::string& path);

/// A page that the text itself makes a redirect ("#REDIRECT [[...]]").
bool is_redirect(std::string_view wikitext, const WikiSite& site);

/// Pages that are not prose, as the wiki's language names them: by a template such as {{disambiguation}}, the
/// word __DISAMBIG__ or the title's end "(disambiguation)"; by the title's beginning "List of"; by a template
/// such as {{stub}}.
bool is_disambiguation(std::string_view title, std::string_view wikitext, const WikiSite& site);
bool is_list(std::string_view title, const WikiSite& site);
bool is_stub(std::string_view wikitext, const WikiSite& site);

}  // namespace nystrom
