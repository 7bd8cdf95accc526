#include "data/tokenizer/sentencepiece/model.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>

#include "data/text/unspaced.h"
#include "data/tokenizer/sentencepiece/charsmap.h"
#include "data/tokenizer/sentencepiece/encoder.h"
#include "data/tokenizer/sentencepiece/model_proto.h"
#include "kernels/core/check.h"

// Exported by the library, declared in no header that it installs.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);
}

namespace nystrom {
namespace {

constexpr std::string_view kWordStart = "\xE2\x96\x81";  // U+2581
constexpr int kLogFatal = 3;

class SentencePieceModel final : public TokenizerModel {
 public:
  SentencePieceModel(const std::string& bytes, const std::string& origin) {
    quiet_sentencepiece();
    const auto status = processor_.LoadFromSerializedProto(bytes);
    if (!status.ok() || processor_.GetPieceSize() <= 0) {
      refuse("{} is not a SentencePiece model, or it is corrupt ({}).", origin,
             status.ok() ? "no pieces" : status.error_message());
    }
    const SentencePieceProto proto = read_model_proto(bytes);
    (void)charsmap_rules(proto.charsmap);  // refuses what is not a trie, or expands without bounds
    encoder_ = SentencePieceEncoder::make(proto);
  }

  [[nodiscard]] std::string_view kind() const override { return "sentencepiece"; }
  [[nodiscard]] std::int32_t vocabulary_size() const override { return processor_.GetPieceSize(); }
  [[nodiscard]] const std::string& piece(std::int32_t id) const override { return processor_.IdToPiece(id); }

  [[nodiscard]] std::optional<std::int32_t> id_of(std::string_view piece) const override {
    const int id = processor_.PieceToId(piece);
    if (id < 0 || processor_.IdToPiece(id) != piece) return std::nullopt;
    return id;
  }

  void encode(std::string_view text, std::vector<std::int32_t>& ids) const override {
    if (encoder_) return encoder_->encode(text, ids);
    std::vector<int> pieces;
    const auto status = processor_.Encode(text, &pieces);
    if (!status.ok())
      fail("SentencePiece failed on a text of {} bytes: {}.", text.size(), status.error_message());
    ids.insert(ids.end(), pieces.begin(), pieces.end());
  }

  [[nodiscard]] std::vector<PieceSpan> encode_spans(std::string_view text) const override {
    if (encoder_) return encoder_->encode_spans(text);
    sentencepiece::ImmutableSentencePieceText pieces;
    const auto status = processor_.Encode(text, pieces.mutable_proto());
    if (!status.ok())
      fail("SentencePiece failed on a text of {} bytes: {}.", text.size(), status.error_message());
    std::vector<PieceSpan> spans;
    for (const auto& piece : pieces.pieces())
      spans.push_back({static_cast<std::int32_t>(piece.id()), piece.begin(), piece.end()});
    return spans;
  }

  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const override {
    std::string text;
    const auto status = processor_.Decode(std::vector<int>(ids.begin(), ids.end()), &text);
    if (!status.ok()) fail("SentencePiece failed to decode {} ids: {}.", ids.size(), status.error_message());
    return text;
  }

  [[nodiscard]] bool starts_word(std::int32_t id) const override {
    const std::string& piece = processor_.IdToPiece(id);
    return piece.starts_with(kWordStart) || begins_unspaced_unit(piece);
  }
  [[nodiscard]] bool is_control(std::int32_t id) const override {
    return processor_.IsControl(id) || processor_.IsUnknown(id);
  }

  [[nodiscard]] SpecialIds special_ids(const SpecialNames& names, const std::string& origin) const override {
    SpecialIds ids;
    ids.bos = find(names.bos, {"[CLS]", "<s>"}, processor_.bos_id(), "bos", origin);
    ids.pad = find(names.pad, {"<pad>", "[PAD]"}, processor_.pad_id(), "pad", origin);
    ids.eos = find(names.eos, {"[SEP]", "</s>"}, processor_.eos_id(), "eos", origin);
    ids.unk = find(names.unk, {"<unk>", "[UNK]"}, processor_.unk_id(), "unk", origin);
    ids.mask = find(names.mask, {"<mask>", "[MASK]"}, lone_control(ids), "mask", origin);
    check_distinct(ids, origin);
    return ids;
  }

 private:
  [[nodiscard]] std::int32_t find(const std::string& name, std::initializer_list<std::string_view> usual,
                                  int declared, std::string_view role, const std::string& origin) const {
    if (const auto id = name.empty() ? std::nullopt : id_of(name)) return *id;
    // A default spelling that the model does not have is not the user's word: another usual one will do.
    if (!name.empty() && std::find(usual.begin(), usual.end(), name) == usual.end()) {
      refuse("{} has no piece {}, which `tokenizer.special_tokens.{}` names.", origin, name, role);
    }
    for (const auto spelling : usual) {
      if (const auto id = id_of(spelling)) return *id;
    }
    if (declared < 0)
      refuse("{} has no {} token that could be recognized; name its piece by `tokenizer.special_tokens.{}`.",
             origin, role, role);
    return declared;
  }

  /// The one control piece besides the others: a mask of unusual spelling. -1 if there is not just
  /// one.
  [[nodiscard]] int lone_control(const SpecialIds& known) const {
    int found = -1;
    for (int id = 0; id < processor_.GetPieceSize(); ++id) {
      if (!processor_.IsControl(id) || id == known.bos || id == known.pad || id == known.eos) continue;
      if (found >= 0) return -1;
      found = id;
    }
    return found;
  }

  static void check_distinct(const SpecialIds& ids, const std::string& origin) {
    std::array<std::int32_t, 5> all{ids.bos, ids.pad, ids.eos, ids.unk, ids.mask};
    std::sort(all.begin(), all.end());
    if (std::adjacent_find(all.begin(), all.end()) != all.end()) {
      refuse(
          "{}: two of the roles bos {}, pad {}, eos {}, unk {}, mask {} have the same id; name their pieces "
          "by `tokenizer.special_tokens`.",
          origin, ids.bos, ids.pad, ids.eos, ids.unk, ids.mask);
    }
  }

  sentencepiece::SentencePieceProcessor processor_;
  std::unique_ptr<const SentencePieceEncoder> encoder_;  // null: the library encodes
};

}  // namespace

void quiet_sentencepiece() {
  sentencepiece::logging::SetMinLogLevel(kLogFatal);
}

std::unique_ptr<TokenizerModel> load_sentencepiece(const std::string& bytes, const std::string& origin) {
  return std::make_unique<SentencePieceModel>(bytes, origin);
}

}  // namespace nystrom
