#include "data/tokenizer/normalizer.h"

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
#include "data/tokenizer/unicode_classes.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

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

/// The code point at `at` and the marks that follow it: what composes and decomposes together.
std::size_t cluster(std::string_view text, std::size_t at) {
  std::size_t end = at + code_point_at(text, at).length;
  while (end < text.size()) {
    const auto c = code_point_at(text, end);
    if (c.value < 0x300 || !u_getCombiningClass(static_cast<UChar32>(c.value))) break;
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
    const std::size_t end = cluster(all, at);
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

void strip_accents(AlignedText& text) {
  if (is_ascii(text.text())) return;
  text.rewrite([](std::string_view all, std::size_t at, std::string& out) {
    const auto c = code_point_at(all, at);
    if (!is_mark(c.value)) out.append(all.substr(at, c.length));
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
  if (!json.is_null()) add(json, origin);
}

void Normalizer::add(const Json& json, const std::string& origin) {
  const std::string type = json.at("type");
  if (type == "Sequence") {
    for (const auto& each : json.at("normalizers")) add(each, origin);
  } else if (type == "Replace") {
    const auto& pattern = json.at("pattern");
    const std::string content = json.at("content");
    if (pattern.contains("String"))
      steps_.push_back({Kind::kReplace, pattern.at("String"), content});
    else if (pattern.value("Regex", "") == " {2,}")
      steps_.push_back({Kind::kReplaceBlanks, "", content});
    else
      refuse("{}: its normalizer replaces the pattern {}, which is not supported.", origin, pattern.dump());
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    steps_.push_back({Kind::kForm, type, ""});
  } else if (type == "StripAccents") {
    steps_.push_back({Kind::kStripAccents, "", ""});
  } else if (type == "Lowercase") {
    steps_.push_back({Kind::kLowercase, "", ""});
  } else if (type == "Strip") {
    steps_.push_back({Kind::kStrip, "", "", json.value("strip_left", true), json.value("strip_right", true)});
  } else if (type == "Prepend") {
    steps_.push_back({Kind::kPrepend, "", json.at("prepend")});
  } else if (type == "Precompiled") {
    steps_.push_back({Kind::kCharacterMap, "", ""});
    steps_.back().map = CharacterMap(json.at("precompiled_charsmap").get<std::string>(), origin);
  } else {
    refuse("{}: its normalizer `{}` is not supported.", origin, type);
  }
  if (steps_.back().kind == Kind::kReplace && steps_.back().from.empty())
    refuse("{}: its normalizer replaces an empty pattern.", origin);
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
      return strip_accents(text);
    case Kind::kLowercase:
      return lowercase(text);
    case Kind::kCharacterMap:
      return map_characters(text, step.map);
    case Kind::kStrip:
      return strip(text, step.left, step.right);
    case Kind::kPrepend:
      if (!text.text().empty()) text.prepend(step.to);
      return;
  }
}

void Normalizer::apply(AlignedText& text) const {
  for (const auto& step : steps_) apply(step, text);
}

}  // namespace nystrom
