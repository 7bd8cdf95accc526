#pragma once
// Parser of SentencePiece model files: the parts of sentencepiece_model.proto that others need to
// compute the same ids. (The library installs no header for them.)

#include <cstdint>
#include <string>
#include <vector>

namespace nystrom {

struct ProtoPiece {
  enum Type : std::uint8_t {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };
  std::string text;
  float score = 0;
  Type type = kNormal;
};

struct SentencePieceProto {
  enum Kind : std::uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  std::vector<ProtoPiece> pieces;
  Kind kind = kUnigram;
  std::string charsmap;  ///< rules of normalization, compiled; empty: none
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  bool whitespace_is_suffix = false;
};

/// Throws InputError if the bytes are not such a message. They are a model file, which SentencePiece has
/// read.
[[nodiscard]] SentencePieceProto read_model_proto(const std::string& bytes);

/// Rounds the scores of the pieces to multiples of `unit`, all else staying byte for byte. Throws as above.
void round_scores(std::string& bytes, float unit);

}  // namespace nystrom
