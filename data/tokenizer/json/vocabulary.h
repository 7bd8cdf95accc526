#pragma once
// Vocabulary of a tokenizer.json: pieces, ids, special tokens.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokenizer/model/tokenizer_model.h"

namespace nystrom {

class Vocabulary {
 public:
  /// `origin` is named in messages. Refuses ids that are negative or above ten million.
  void add(std::string piece, std::int64_t id, const std::string& origin);
  /// A token that the model does not know; added tokens are found before it.
  void add_outside(std::string piece, std::int64_t id, const std::string& origin);
  /// Marks a piece that text never produces.
  void set_control(std::int32_t id) { control_.at(static_cast<std::size_t>(id)) = true; }

  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(pieces_.size()); }
  [[nodiscard]] const std::string& piece(std::int32_t id) const {
    return pieces_[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view piece) const;
  /// None for tokens outside the model.
  [[nodiscard]] std::optional<std::int32_t> model_id_of(std::string_view piece) const;
  [[nodiscard]] bool is_control(std::int32_t id) const { return control_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] bool is_outside(std::int32_t id) const { return outside_[static_cast<std::size_t>(id)]; }

  /// Roles by name, else by the usual spellings.
  [[nodiscard]] SpecialIds special_ids(const SpecialNames& names, const std::string& origin) const;

 private:
  [[nodiscard]] std::int32_t find(const std::string& name, std::initializer_list<std::string_view> usual,
                                  std::string_view role, const std::string& origin) const;
  std::vector<std::string> pieces_;
  std::vector<bool> control_, outside_;
  std::unordered_map<std::string, std::int32_t> ids_;
};

/// A model whose pieces are in a Vocabulary.
class VocabularyModel : public TokenizerModel {
 public:
  [[nodiscard]] std::int32_t vocabulary_size() const final { return vocabulary_.size(); }
  [[nodiscard]] const std::string& piece(std::int32_t id) const final { return vocabulary_.piece(id); }
  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view piece) const final {
    return vocabulary_.id_of(piece);
  }
  [[nodiscard]] bool is_control(std::int32_t id) const final { return vocabulary_.is_control(id); }
  [[nodiscard]] SpecialIds special_ids(const SpecialNames& names, const std::string& origin) const final {
    return vocabulary_.special_ids(names, origin);
  }

  /// `encode` of a text that continues after an added token: what only the first word gets is not added.
  virtual void encode_rest(std::string_view text, std::vector<std::int32_t>& ids) const { encode(text, ids); }
  [[nodiscard]] virtual std::vector<PieceSpan> encode_rest_spans(std::string_view text) const {
    return encode_spans(text);
  }

 protected:
  explicit VocabularyModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
};

}  // namespace nystrom
