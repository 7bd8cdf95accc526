#include "data/corpus/binary_check.h"

#include <algorithm>
#include <array>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

using std::string_view;
using namespace std::string_view_literals;

constexpr std::size_t kMinBadBytes = 64;
constexpr double kMaxBadShare = 0.01;
constexpr std::size_t kTarMagic = 257;  // its offset

struct Format {
  string_view magic, name, remedy;
};

constexpr string_view kToJsonLines = "Convert it to JSON Lines (`kind: jsonl` in `corpus`).";
constexpr string_view kToArrow =
    "Corpora of `kind: parquet` read such files, as do tasks with named columns, and `predict` by the endings .parquet "
    "and .arrow.";
constexpr string_view kUnpack = "Unpack it and name the files in it.";
constexpr string_view kToText = "Convert it to plain text.";

constexpr auto kFormats = std::to_array<Format>({
    {"PAR1"sv, "a Parquet file", kToArrow},
    {"ARROW1"sv, "an Arrow file", kToArrow},
    {"\xFF\xFF\xFF\xFF"sv, "an Arrow stream", kToArrow},
    {"Obj\x01"sv, "an Avro file", kToJsonLines},
    {"ORC"sv, "an ORC file", kToJsonLines},
    {"SQLite format 3\0"sv, "an SQLite database", kToJsonLines},
    {"\x89HDF\r\n"sv, "an HDF5 file", "Shards that are prepared already are named by `data.shards`."},
    {"PK\x03\x04"sv, "a ZIP archive", kUnpack},
    {"7z\xBC\xAF"sv, "a 7z archive", kUnpack},
    {"Rar!\x1A\x07"sv, "a RAR archive", kUnpack},
    {"\x1F\x8B"sv, "compressed twice", "Decompress it once."},
    {"\xFD"
     "7zXZ\0"sv,
     "compressed twice", "Decompress it once."},
    {"\x28\xB5\x2F\xFD"sv, "compressed twice", "Decompress it once."},
    {"\x04\x22\x4D\x18"sv, "compressed by LZ4",
     "Decompress it, or compress it with gzip, bzip2, xz or Zstandard."},
    {"\xD0\xCF\x11\xE0"sv, "an office document", kToText},
    {"%PDF-"sv, "a PDF", kToText},
    {"\x7F"
     "ELF"sv,
     "a program", "Name a file of text."},
    {"\x89PNG"sv, "a picture", "Name a file of text."},
    {"\xFF\xD8\xFF"sv, "a picture", "Name a file of text."},
});

/// Control characters that do not occur in text.
std::int64_t control_bytes(string_view bytes) {
  std::int64_t count = 0;
  for (const char byte : bytes) {
    const auto c = static_cast<unsigned char>(byte);
    count += (c > 0 && c < 0x09) || (c > 0x0D && c < 0x20 && c != 0x1A && c != 0x1B) || c == 0x7F ? 1 : 0;
  }
  return count;
}

void refuse_known_formats(string_view head, const std::string& path) {
  if (head.starts_with("\xFF\xFE\0\0"sv) || head.starts_with("\0\0\xFE\xFF"sv))
    refuse("{} is text in UTF-32, which is not read. Convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW.", path);
  for (const auto& format : kFormats)
    if (head.starts_with(format.magic)) refuse("{} is not text but {}. {}", path, format.name, format.remedy);
  if (head.size() > kTarMagic && head.substr(kTarMagic).starts_with("ustar"))
    refuse("{} is not text but a tar archive. {}", path, kUnpack);
}

bool are_too_many(std::int64_t bad, std::size_t bytes) {
  const double share = static_cast<double>(bad) / static_cast<double>(std::max<std::size_t>(bytes, 1));
  return bad >= std::int64_t{kMinBadBytes} && share > kMaxBadShare;
}

}  // namespace

void check_is_text(string_view head, Encoding encoding, const std::string& path) {
  refuse_known_formats(head, path);
  if (encoding == Encoding::kUtf16Little || encoding == Encoding::kUtf16Big) return;
  Repairs repairs;
  (void)decode_text(std::string(head), encoding, repairs);
  const std::int64_t bad = repairs.invalid_bytes + repairs.nul_bytes + control_bytes(head);
  if (!are_too_many(bad, head.size())) return;
  refuse(
      "{} is not text: of its first {} bytes {} are control characters or not {}. If it is text in another "
      "encoding, set `corpus.encoding` to utf-8, latin-1 or utf-16.",
      path, head.size(), bad, encoding == Encoding::kLatin1 ? "Latin-1" : "UTF-8");
}

void check_is_no_binary(string_view head, const std::string& path) {
  refuse_known_formats(head, path);
  if (head.starts_with("\xFE\xFF") || head.starts_with("\xFF\xFE")) return;  // UTF-16
  const std::int64_t bad = std::count(head.begin(), head.end(), '\0') + control_bytes(head);
  if (are_too_many(bad, head.size()))
    refuse("{} is not text: of its first {} bytes {} are control characters.", path, head.size(), bad);
}

}  // namespace nystrom
