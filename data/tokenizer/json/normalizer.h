#pragma once
// Normalizers of tokenizer.json.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/json/aligned_text.h"

namespace nystrom {

/// SentencePiece's table of replacements: a double array (Darts) over a pool of texts.
class CharacterMap {
 public:
  CharacterMap() = default;
  /// `origin` is named in messages.
  CharacterMap(std::string_view base64, const std::string& origin);
  /// The replacement of the shortest entry that `text` begins with; false if no entry matches.
  bool look_up(std::string_view text, std::string_view& replacement) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string pool_;
};

class Normalizer {
 public:
  /// From the member `normalizer` of a tokenizer.json. Refuses kinds and members that this does not know, by
  /// their path.
  Normalizer(const nlohmann::json& json, const std::string& origin);

  void apply(AlignedText& text) const;

 private:
  enum class Kind : std::uint8_t {
    kReplace,
    kReplaceBlanks,
    kForm,
    kStripAccents,
    kLowercase,
    kCharacterMap,
    kStrip,
    kPrepend,
    kClean,
    kSetIdeographsApart,
    kStripNonspacing
  };
  struct Step {
    Kind kind;
    std::string from, to;  // replace: what by what; form: its name; prepend: `to`
    bool left = true, right = true;
    CharacterMap map = {};
  };
  void add(const nlohmann::json& json, const std::string& path, const std::string& origin);
  void add_replacement(const nlohmann::json& json, const std::string& path, const std::string& origin);
  void add_bert(const nlohmann::json& json);
  static void apply(const Step& step, AlignedText& text);
  std::vector<Step> steps_;
};

}  // namespace nystrom
