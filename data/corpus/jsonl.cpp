// JSON-lines: one object a line, its text in one member. Line ends inside the text begin new paragraphs. Rows
// of Parquet and Arrow come as such lines too.

#include <filesystem>
#include <map>
#include <set>

#include "data/corpus/arrow_rows.h"
#include "data/corpus/corpus.h"
#include "data/corpus/paragraphs.h"
#include "data/glob.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLineBytes = std::size_t{256} << 20U;  // bytes

class JsonLines final : public Corpus {
 public:
  /// `rows`: the files are Parquet or Arrow.
  JsonLines(const CorpusSpec& spec, SourceFiles files, bool rows)
      : Corpus(std::move(files)), spec_(spec), are_rows_(rows) {}

  bool next(RawDocument& document) override {
    for (;;) {
      if (!reader_) {
        if (!files_.open_next()) return false;
        if (are_rows_)
          text_ = arrow_rows(files_.path(), spec_.field);
        else
          text_ = std::make_unique<Utf16Stream>(files_.content(), utf16_of(spec_), skipped_.repairs);
        reader_ = std::make_unique<LineReader>(*text_, kMaxLineBytes);
        name_ = std::filesystem::path(files_.path()).filename();
        number_ = 0;
      }
      const bool more = reader_->next(line_);
      if (const auto lost = reader_->take_lost(); lost > 0) skip("line in damaged data", 0, lost);
      if (!more) {
        reader_.reset();
        continue;
      }
      ++number_;
      if (number_ == 1 && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
      if (is_blank(line_)) continue;
      if (reader_->is_part())
        refuse("{}, line {}: the line is longer than {} MiB.", files_.path(), number_, kMaxLineBytes >> 20U);
      if (!take_text(document.text)) {
        skip("null", 0);
        continue;
      }
      document.title.clear();
      document.id = name_;
      document.id.append(":").append(std::to_string(number_));
      if (is_blank(document.text)) {
        skip("empty text", static_cast<std::int64_t>(document.text.size()));
        continue;
      }
      files_.count_document();
      return true;
    }
  }

  [[nodiscard]] Extraction extract(RawDocument document) const override {
    Extraction result;
    // NUL may have come as an escape.
    const std::string text = repair_utf8(std::move(document.text), result.repairs);
    result.characters = count_characters(text);
    result.paragraphs = paragraphs_of_lines(text);
    std::int64_t kept = 0;
    for (const auto& paragraph : result.paragraphs) kept += count_characters(paragraph);
    result.dropped["white space"] = result.characters - kept;
    return result;
  }

 private:
  /// Of the line. False: the row has none.
  bool take_text(std::string& text) {
    std::int64_t lone_surrogates = 0;
    const auto object = try_parse_python_json(
        decode_text(line_, encoding_of(spec_, {}, false), skipped_.repairs), lone_surrogates);
    skipped_.repairs.invalid_bytes += kSurrogateBytes * lone_surrogates;
    if (object.is_discarded() || !object.is_object()) {
      refuse("{}, line {}: not a valid JSON object. JSON Lines have one object a line.", files_.path(),
             number_);
    }
    const auto member = object.find(spec_.field);
    if (member == object.end()) {
      refuse("{}, line {}: the object has no member `{}`; set `corpus.field` to the one with the text.",
             files_.path(), number_, spec_.field);
    }
    if (are_rows_ && member->is_null()) return false;
    if (!member->is_string())
      refuse("{}, line {}: the member `{}` is not a string.", files_.path(), number_, spec_.field);
    text = member->get<std::string>();
    return true;
  }

  CorpusSpec spec_;
  bool are_rows_;
  std::unique_ptr<ByteStream> text_;
  std::unique_ptr<LineReader> reader_;
  std::string name_, line_;
  std::int64_t number_ = 0;
};

/// The data files of a folder that `datasets` saved, by its state.json; none: not such a folder.
std::set<std::string> data_files_of(const fs::path& folder) {
  const std::string path = folder / "state.json";
  std::set<std::string> names;
  if (!fs::exists(path)) return names;
  const auto state = parse_json<nlohmann::json>(path, read_file(path));
  const auto list = state.is_object() ? state.find("_data_files") : state.end();
  if (list == state.end() || !list->is_array()) return names;
  for (const auto& entry : *list)
    if (entry.is_object() && entry.contains("filename") && entry["filename"].is_string())
      names.insert(entry["filename"].get<std::string>());
  for (const auto& name : names)
    if (!fs::exists(folder / name))
      refuse("corpus: {} is incomplete: it lacks {}, which state.json names.", folder.string(), name);
  return names;
}

}  // namespace

std::unique_ptr<Corpus> open_jsonl(const CorpusSpec& spec, SourceFiles files) {
  return std::make_unique<JsonLines>(spec, std::move(files), false);
}

std::unique_ptr<Corpus> open_parquet(const CorpusSpec& spec, SourceFiles files) {
  return std::make_unique<JsonLines>(spec, std::move(files), true);
}

void choose_parquet_files(const CorpusSpec& spec, CorpusListing& listing) {
  for (const auto& match : expand_glob(spec.path))
    if (fs::exists(fs::path(match) / "dataset_dict.json"))
      refuse("corpus: {} holds several splits of a data set; name the folder of one, such as {}/train.",
             match, match);
  std::map<fs::path, std::set<std::string>> kept;
  for (const auto& file : listing.files) {
    const fs::path folder = fs::path(file).parent_path();
    if (!kept.contains(folder)) kept[folder] = data_files_of(folder);
  }
  const auto left = std::erase_if(listing.files, [&](const std::string& file) {
    const auto& names = kept[fs::path(file).parent_path()];
    return !names.empty() && !names.contains(fs::path(file).filename());
  });
  if (left > 0) listing.skipped.documents["file of a data set's cache"] += static_cast<std::int64_t>(left);
}

}  // namespace nystrom
