#include "data/tokenizer/json/normalizer.h"

#include <unicode/brkiter.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>
#include <unicode/utext.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "data/text/utf8.h"
#include "data/tokenizer/json/json_parts.h"
#include "data/tokenizer/model/unicode_classes.h"
#include "data/tokenizer/sentencepiece/charsmap.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxGrowth = 64,
                      kAnyGrowth = std::size_t{1} << 20U;  // of a text; bytes, whatever it has

std::string from_base64(std::string_view text, const std::string& origin) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos)
      refuse("{}: its `precompiled_charsmap` is not valid base64.", origin);
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xFFU);
  }
  return bytes;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// The code point at `at` and what composes or decomposes together with it: marks, the parts of a Hangul
/// syllable.
std::size_t cluster(std::string_view text, std::size_t at, const icu::Normalizer2& form) {
  std::size_t end = at + code_point_at(text, at).length;
  while (end < text.size()) {
    const auto c = code_point_at(text, end);
    if (c.value < 0x300 || form.hasBoundaryBefore(static_cast<UChar32>(c.value)) != 0) break;
    end += c.length;
  }
  return end;
}

const icu::Normalizer2* form(const std::string& name, const std::string& origin) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* found = name == "NFC"    ? icu::Normalizer2::getNFCInstance(status)
                      : name == "NFD"  ? icu::Normalizer2::getNFDInstance(status)
                      : name == "NFKC" ? icu::Normalizer2::getNFKCInstance(status)
                                       : icu::Normalizer2::getNFKDInstance(status);
  if (U_FAILURE(status)) fail("{}: ICU has no {}: {}.", origin, name, u_errorName(status));
  return found;
}

void normalize(AlignedText& text, const std::string& name) {
  if (is_ascii(text.text())) return;
  const auto* normalizer = form(name, "a tokenizer");
  text.rewrite([normalizer](std::string_view all, std::size_t at, std::string& out) {
    const std::size_t end = cluster(all, at, *normalizer);
    const auto part = all.substr(at, end - at);
    if (is_ascii(part)) {
      out += part;
      return part.size();
    }
    UErrorCode status = U_ZERO_ERROR;
    icu::StringByteSink<std::string> sink(&out);
    normalizer->normalizeUTF8(0, icu::StringPiece(part.data(), static_cast<std::int32_t>(part.size())), sink,
                              nullptr, status);
    if (U_FAILURE(status)) fail("ICU failed to normalize a text: {}.", u_errorName(status));
    return part.size();
  });
}

void lowercase(AlignedText& text) {
  text.rewrite([](std::string_view all, std::size_t at, std::string& out) {
    const auto c = code_point_at(all, at);
    if (c.value == 0x130) {
      append_utf8(out, 'i');
      append_utf8(out, 0x307);
    } else {
      append_utf8(out, to_lower(c.value));
    }
    return c.length;
  });
}

/// For classes without ASCII.
void drop_if(AlignedText& text, bool (*is_dropped)(char32_t)) {
  if (is_ascii(text.text())) return;
  text.rewrite([is_dropped](std::string_view all, std::size_t at, std::string& out) {
    const auto c = code_point_at(all, at);
    if (!is_dropped(c.value)) out.append(all.substr(at, c.length));
    return c.length;
  });
}

/// BERT's: control characters out, white space to blanks.
void clean(AlignedText& text) {
  text.rewrite([](std::string_view all, std::size_t at, std::string& out) {
    const auto c = code_point_at(all, at);
    const bool white = c.value == '\t' || c.value == '\n' || c.value == '\r';
    if (!white && (c.value == 0 || c.value == 0xFFFD || is_other(c.value))) return c.length;
    out.append(white || is_space(c.value) ? std::string_view(" ") : all.substr(at, c.length));
    return c.length;
  });
}

void set_ideographs_apart(AlignedText& text) {
  if (is_ascii(text.text())) return;
  text.rewrite([](std::string_view all, std::size_t at, std::string& out) {
    const auto c = code_point_at(all, at);
    const bool apart = is_ideograph(c.value);
    if (apart) out += ' ';
    out.append(all.substr(at, c.length));
    if (apart) out += ' ';
    return c.length;
  });
}

void replace(AlignedText& text, const std::string& from, const std::string& to) {
  if (text.text().find(from) == std::string::npos) return;
  text.rewrite([&](std::string_view all, std::size_t at, std::string& out) -> std::size_t {
    if (all.substr(at).starts_with(from)) {
      out += to;
      return from.size();
    }
    out += all[at];
    return 1;
  });
}

/// Runs of two or more blanks become `to`.
void replace_blanks(AlignedText& text, const std::string& to) {
  if (text.text().find("  ") == std::string::npos) return;
  text.rewrite([&](std::string_view all, std::size_t at, std::string& out) -> std::size_t {
    const std::size_t end = std::min(all.find_first_not_of(' ', at), all.size());
    if (end - at >= 2) {
      out += to;
      return end - at;
    }
    out += all[at];
    return 1;
  });
}

/// Ends of the grapheme clusters of a text.
std::vector<std::size_t> graphemes(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  UText u = UTEXT_INITIALIZER;
  utext_openUTF8(&u, text.data(), static_cast<std::int64_t>(text.size()), &status);
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), status));
  if (U_FAILURE(status)) fail("ICU has no rules for characters: {}.", u_errorName(status));
  breaks->setText(&u, status);
  std::vector<std::size_t> ends;
  for (auto at = breaks->next(); at != icu::BreakIterator::DONE; at = breaks->next())
    ends.push_back(static_cast<std::size_t>(at));
  utext_close(&u);
  return ends;
}

// A cluster of few bytes is looked up as a whole, else code point by code point.
constexpr std::size_t kWholeCluster = 6;  // bytes

void map_characters(AlignedText& text, const CharacterMap& map) {
  std::vector<std::size_t> ends;
  const bool ascii = is_ascii(text.text());
  if (!ascii) ends = graphemes(text.text());
  std::size_t cluster_index = 0;
  std::size_t cluster_end = 0;
  text.rewrite([&](std::string_view all, std::size_t at, std::string& out) -> std::size_t {
    if (!ascii && at >= cluster_end) {
      while (cluster_index < ends.size() && ends[cluster_index] <= at) ++cluster_index;
      cluster_end = cluster_index < ends.size() ? ends[cluster_index] : all.size();
      const auto whole = all.substr(at, cluster_end - at);
      std::string_view replacement;
      if (whole.size() < kWholeCluster && map.look_up(whole, replacement)) {
        out += replacement;
        return whole.size();
      }
    }
    const std::size_t length = code_point_at(all, at).length;
    std::string_view replacement;
    if (map.look_up(all.substr(at, length), replacement))
      out += replacement;
    else
      out += all.substr(at, length);
    return length;
  });
}

void strip(AlignedText& text, bool left, bool right) {
  const std::string& all = text.text();
  std::size_t begin = 0, end = all.size();
  while (left && begin < end && is_space(code_point_at(all, begin).value))
    begin += code_point_at(all, begin).length;
  while (right && end > begin) {
    std::size_t at = end - 1;
    while (at > begin && (static_cast<unsigned char>(all[at]) & 0xC0U) == 0x80U) --at;
    if (!is_space(code_point_at(all, at).value)) break;
    end = at;
  }
  if (begin == 0 && end == all.size()) return;
  text.rewrite([begin, end](std::string_view whole, std::size_t at, std::string& out) -> std::size_t {
    if (at >= begin && at < end) out += whole[at];
    return 1;
  });
}

}  // namespace

CharacterMap::CharacterMap(std::string_view base64, const std::string& origin) {
  const auto bytes = from_base64(base64, origin);
  std::uint32_t size = 0;
  if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
  if (bytes.size() < 4 || size > bytes.size() - 4 || size % 4 != 0)
    refuse("{}: its `precompiled_charsmap` is corrupt.", origin);
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data() + 4, size);
  pool_ = bytes.substr(4 + size);
  check_replacements(pool_, origin + ": its `precompiled_charsmap`");
}

// Darts-clone: a unit is a label (8 bits), an offset, and whether a value ends there.
bool CharacterMap::look_up(std::string_view text, std::string_view& replacement) const {
  if (units_.empty()) return false;
  const auto offset = [](std::uint32_t unit) { return unit >> 10U << ((unit & (1U << 9U)) >> 6U); };
  std::uint32_t at = 0;
  std::uint32_t unit = units_[0];
  at ^= offset(unit);
  for (const char c : text) {
    if (c == '\0') return false;
    at ^= static_cast<unsigned char>(c);
    if (at >= units_.size()) return false;
    unit = units_[at];
    if ((unit & ((1U << 31U) | 0xFFU)) != static_cast<unsigned char>(c)) return false;
    at ^= offset(unit);
    if (at >= units_.size()) return false;
    if ((unit >> 8U & 1U) == 0) continue;
    const std::size_t value = units_[at] & ((1U << 31U) - 1);
    if (value >= pool_.size()) return false;
    replacement = std::string_view(pool_).substr(value, pool_.find('\0', value) - value);
    return true;
  }
  return false;
}

Normalizer::Normalizer(const Json& json, const std::string& origin) {
  if (!json.is_null()) add(json, "normalizer", origin);
}

void Normalizer::add(const Json& json, const std::string& path, const std::string& origin) {
  const std::string type = type_of(json);
  if (type == "Sequence") {
    check_members(json, path, {"normalizers"}, origin);
    std::size_t index = 0;
    for (const auto& each : json.at("normalizers"))
      add(each, fmt::format("{}.normalizers[{}]", path, index++), origin);
  } else if (type == "Replace") {
    add_replacement(json, path, origin);
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    check_members(json, path, {}, origin);
    steps_.push_back({Kind::kForm, type, ""});
  } else if (type == "StripAccents") {
    check_members(json, path, {}, origin);
    steps_.push_back({Kind::kStripAccents, "", ""});
  } else if (type == "Lowercase") {
    check_members(json, path, {}, origin);
    steps_.push_back({Kind::kLowercase, "", ""});
  } else if (type == "Strip") {
    check_members(json, path, {"strip_left", "strip_right"}, origin);
    steps_.push_back({Kind::kStrip, "", "", json.value("strip_left", true), json.value("strip_right", true)});
  } else if (type == "Prepend") {
    check_members(json, path, {"prepend"}, origin);
    steps_.push_back({Kind::kPrepend, "", json.at("prepend")});
    check_replacements(steps_.back().to, origin + ": its `" + path + ".prepend`");
  } else if (type == "Precompiled") {
    check_members(json, path, {"precompiled_charsmap"}, origin);
    steps_.push_back({Kind::kCharacterMap, "", ""});
    steps_.back().map = CharacterMap(json.at("precompiled_charsmap").get<std::string>(), origin);
  } else if (type == "BertNormalizer") {
    check_members(json, path, {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}, origin);
    add_bert(json);
  } else {
    refuse_value(path + ".type", type, origin);
  }
}

void Normalizer::add_replacement(const Json& json, const std::string& path, const std::string& origin) {
  check_members(json, path, {"pattern", "content"}, origin);
  const auto& pattern = json.at("pattern");
  check_members(pattern, path + ".pattern", {"String", "Regex"}, origin);
  const std::string content = json.at("content");
  check_replacements(content, origin + ": its `" + path + ".content`");
  if (pattern.contains("String")) {
    const std::string from = pattern.at("String");
    if (from.empty()) refuse_value(path + ".pattern.String", "\"\"", origin);
    steps_.push_back({Kind::kReplace, from, content});
  } else if (pattern.at("Regex") == " {2,}") {
    steps_.push_back({Kind::kReplaceBlanks, "", content});
  } else {
    refuse_value(path + ".pattern.Regex", pattern.at("Regex").dump(), origin);
  }
}

void Normalizer::add_bert(const Json& json) {
  const BertNormalization options = bert_normalization(json);
  if (options.clean) steps_.push_back({Kind::kClean, "", ""});
  if (options.ideographs) steps_.push_back({Kind::kSetIdeographsApart, "", ""});
  if (options.strip_accents) {
    steps_.push_back({Kind::kForm, "NFD", ""});
    steps_.push_back({Kind::kStripNonspacing, "", ""});
  }
  if (options.lowercase) steps_.push_back({Kind::kLowercase, "", ""});
}

void Normalizer::apply(const Step& step, AlignedText& text) {
  switch (step.kind) {
    case Kind::kReplace:
      return replace(text, step.from, step.to);
    case Kind::kReplaceBlanks:
      return replace_blanks(text, step.to);
    case Kind::kForm:
      return normalize(text, step.from);
    case Kind::kStripAccents:
      return drop_if(text, is_mark);
    case Kind::kLowercase:
      return lowercase(text);
    case Kind::kCharacterMap:
      return map_characters(text, step.map);
    case Kind::kStrip:
      return strip(text, step.left, step.right);
    case Kind::kPrepend:
      if (!text.text().empty()) text.prepend(step.to);
      return;
    case Kind::kClean:
      return clean(text);
    case Kind::kSetIdeographsApart:
      return set_ideographs_apart(text);
    case Kind::kStripNonspacing:
      return drop_if(text, is_nonspacing_mark);
  }
}

void Normalizer::apply(AlignedText& text) const {
  // Steps that double a text would soon take all memory.
  const std::size_t before = text.text().size(), most = kMaxGrowth * before + kAnyGrowth;
  for (const auto& step : steps_) {
    apply(step, text);
    if (text.text().size() > most)
      refuse(
          "The tokenizer's normalizer makes more than {} bytes of a text of {}; it is corrupt or malicious.",
          most, before);
  }
}

}  // namespace nystrom
