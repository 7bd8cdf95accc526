#include "data/tokenizer/sentencepiece/model_proto.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <string_view>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// A field of a protobuf message: a number, or bytes.
struct Field {
  std::uint64_t number = 0, value = 0;
  std::string_view bytes;
};

/// The fields of a message, one after the other (protobuf's wire format).
class Message {
 public:
  explicit Message(std::string_view bytes) : left_(bytes) {}

  bool next(Field& field) {
    if (left_.empty()) return false;
    const std::uint64_t key = varint();
    field = {.number = key >> 3U, .value = 0, .bytes = {}};
    switch (key & 7U) {
      case 0:
        field.value = varint();
        return true;
      case 1:
        field.bytes = take(8);
        return true;
      case 2:
        field.bytes = take(varint());
        return true;
      case 5:
        field.bytes = take(4);
        return true;
      default:
        refuse("The SentencePiece model is corrupt: a field of unknown type.");
    }
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return value;
    }
    refuse("The SentencePiece model is corrupt: a number without end.");
  }
  std::string_view take(std::uint64_t count) {
    if (count > left_.size()) refuse("The SentencePiece model is corrupt: it ends within a field.");
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }

  std::string_view left_;
};

void each_field(std::string_view bytes, const std::function<void(const Field&)>& use) {
  Message message(bytes);
  for (Field field; message.next(field);) use(field);
}

ProtoPiece piece_of(std::string_view bytes) {
  ProtoPiece piece;
  each_field(bytes, [&piece](const Field& field) {
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2 && field.bytes.size() == sizeof piece.score)
      std::memcpy(&piece.score, field.bytes.data(), sizeof piece.score);
    if (field.number == 3) piece.type = static_cast<ProtoPiece::Type>(field.value);
  });
  return piece;
}

void read_trainer(std::string_view bytes, SentencePieceProto& model) {
  each_field(bytes, [&model](const Field& field) {
    if (field.number == 3) model.kind = static_cast<SentencePieceProto::Kind>(field.value);
    if (field.number == 24) model.whitespace_is_suffix = field.value != 0;
  });
}

void read_normalizer(std::string_view bytes, SentencePieceProto& model) {
  each_field(bytes, [&model](const Field& field) {
    if (field.number == 2) model.charsmap = field.bytes;
    if (field.number == 3) model.add_dummy_prefix = field.value != 0;
    if (field.number == 4) model.remove_extra_whitespaces = field.value != 0;
    if (field.number == 5) model.escape_whitespaces = field.value != 0;
  });
}

}  // namespace

SentencePieceProto read_model_proto(const std::string& bytes) {
  SentencePieceProto model;
  each_field(bytes, [&model](const Field& field) {
    if (field.number == 1) model.pieces.push_back(piece_of(field.bytes));
    if (field.number == 2) read_trainer(field.bytes, model);
    if (field.number == 3) read_normalizer(field.bytes, model);
  });
  return model;
}

void round_scores(std::string& bytes, float unit) {
  each_field(bytes, [&](const Field& piece) {
    if (piece.number != 1) return;
    each_field(piece.bytes, [&](const Field& field) {
      float score = 0;
      if (field.number != 2 || field.bytes.size() != sizeof score) return;
      std::memcpy(&score, field.bytes.data(), sizeof score);
      score = std::nearbyint(score / unit) * unit;
      std::memcpy(bytes.data() + (field.bytes.data() - bytes.data()), &score, sizeof score);
    });
  });
}

}  // namespace nystrom
