#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "data/tokenizer/json/tokenizer_json.h"
#include "data/tokenizer/model/unicode_classes.h"
#include "data/tokenizer/sentencepiece/model.h"
#include "data/tokenizer/vocabulary_files.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/sha256.h"

namespace nystrom {
namespace {

enum : std::uint8_t { kSpecial = 1, kStartsWord = 2 };

std::vector<std::uint8_t> flags_of(const TokenizerModel& model, const SpecialIds& special) {
  std::vector<std::uint8_t> flags(static_cast<std::size_t>(model.vocabulary_size()));
  for (std::int32_t id = 0; id < model.vocabulary_size(); ++id) {
    const bool is_special = model.is_control(id) || id == special.bos || id == special.pad ||
                            id == special.eos || id == special.unk || id == special.mask;
    flags[static_cast<std::size_t>(id)] = static_cast<std::uint8_t>(
        (is_special ? kSpecial : 0) | (is_special || model.starts_word(id) ? kStartsWord : 0));
  }
  return flags;
}

/// SentencePiece's models begin with another byte.
bool begins_like_json(const std::string& bytes) {
  const auto first = bytes.find_first_not_of(" \t\r\n");
  return first != std::string::npos && bytes[first] == '{';
}

std::string_view without_last_blanks(std::string_view text) {
  while (!text.empty()) {
    std::size_t last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xC0U) == 0x80U) --last;
    if (!is_space(code_point_at(text, last).value)) break;
    text = text.substr(0, last);
  }
  return text;
}

}  // namespace

struct Tokenizer::State {
  std::string bytes;
  std::string sha256;
  std::unique_ptr<TokenizerModel> model;
  SpecialIds special;
  std::vector<std::uint8_t> flags;  // [vocabulary_size]
};

Tokenizer Tokenizer::read(const std::string& path, const SpecialNames& names) {
  if (std::filesystem::is_directory(path))
    refuse("{} is a directory; a tokenizer is a file: tokenizer.json, a SentencePiece model or vocab.txt.",
           path);
  std::string bytes = read_file(path, kAnySize);
  const auto name = std::filesystem::path(path).filename();
  if (path.ends_with(".txt")) {
    bytes = json_of_wordpiece(bytes, path);
  } else if (name == "vocab.json") {
    const auto merges = std::filesystem::path(path).parent_path() / "merges.txt";
    bytes = json_of_byte_bpe(bytes, read_file(merges.string()), path);
  }
  return from_bytes(std::move(bytes), path, names);
}

Tokenizer Tokenizer::from_bytes(std::string bytes, const std::string& origin, const SpecialNames& names) {
  auto state = std::make_shared<State>();
  state->model =
      begins_like_json(bytes) ? load_tokenizer_json(bytes, origin) : load_sentencepiece(bytes, origin);
  state->bytes = std::move(bytes);
  state->sha256 = sha256_hex(state->bytes);
  state->special = state->model->special_ids(names, origin);
  state->flags = flags_of(*state->model, state->special);
  return Tokenizer(std::move(state));
}

bool Tokenizer::is_json() const {
  return begins_like_json(state_->bytes);
}

void Tokenizer::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
  state_->model->encode(text, ids);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids;
  encode(text, ids);
  return ids;
}

std::vector<PieceSpan> Tokenizer::encode_spans(std::string_view text) const {
  return state_->model->encode_spans(text);
}

std::vector<std::int32_t> Tokenizer::encode_marked(std::string_view text) const {
  const auto& s = state_->special;
  std::vector<std::int32_t> ids;
  while (!text.empty()) {
    std::size_t first = std::string_view::npos;
    std::int32_t token = -1;
    for (const auto id : {s.bos, s.pad, s.eos, s.unk, s.mask}) {
      const auto at = text.find(piece(id));
      if (at < first) first = at, token = id;
    }
    // The blank before a mask belongs to the word that it replaces.
    const std::string_view before =
        token == s.mask ? without_last_blanks(text.substr(0, first)) : text.substr(0, first);
    if (!before.empty()) encode(before, ids);
    if (token < 0) break;
    ids.push_back(token);
    text.remove_prefix(first + piece(token).size());
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  for (const auto id : ids)
    NYSTROM_CHECK(id >= 0 && id < vocabulary_size(), "id {} of a vocabulary of {}", id, vocabulary_size());
  return state_->model->decode(ids);
}

std::int32_t Tokenizer::vocabulary_size() const {
  return state_->model->vocabulary_size();
}
const SpecialIds& Tokenizer::special() const {
  return state_->special;
}
std::string_view Tokenizer::kind() const {
  return state_->model->kind();
}
const std::string& Tokenizer::bytes() const {
  return state_->bytes;
}
const std::string& Tokenizer::sha256() const {
  return state_->sha256;
}
std::optional<std::int32_t> Tokenizer::id_of(std::string_view piece) const {
  return state_->model->id_of(piece);
}

bool Tokenizer::is_special(std::int32_t id) const {
  return (state_->flags.at(static_cast<std::size_t>(id)) & kSpecial) != 0;
}
bool Tokenizer::starts_word(std::int32_t id) const {
  return (state_->flags.at(static_cast<std::size_t>(id)) & kStartsWord) != 0;
}

const std::string& Tokenizer::piece(std::int32_t id) const {
  NYSTROM_CHECK(id >= 0 && id < vocabulary_size(), "id {} of a vocabulary of {}", id, vocabulary_size());
  return state_->model->piece(id);
}

}  // namespace nystrom
