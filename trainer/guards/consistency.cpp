#include "trainer/guards/consistency.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernels/core/sha256.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

constexpr std::string_view kWhat = "the comparison of the ranks";
constexpr std::size_t kFilesRead = 8,
                      kBytesRead = 64 * 1024;  // fingerprints: number of files, bytes at each end
constexpr std::size_t kPieces = 8, kPieceBytes = 32 * 1024;  // of content digests
constexpr std::size_t kDigits = 16;                          // of a digest, that are shown
constexpr std::size_t kMaxDifferences = 5;                   // reported

void add(Sha256& digest, const std::string& text) {
  digest.update(fmt::format("{}:", text.size()));  // length prefix: the encoding is unambiguous
  digest.update(text);
}

std::string lines_of(const Settings& settings) {
  std::string text;
  for (const auto& [key, value] : settings) text += fmt::format("{}={}\n", key, value);
  return text;
}

Settings settings_of(const std::string& lines) {
  Settings settings;
  for (std::size_t begin = 0; begin < lines.size();) {
    const auto end = std::min(lines.find('\n', begin), lines.size()), middle = lines.find('=', begin);
    if (middle < end)
      settings[lines.substr(begin, middle - begin)] = lines.substr(middle + 1, end - middle - 1);
    begin = end + 1;
  }
  return settings;
}

/// ": KEY is X there and Y on rank 0; ..." or nothing.
std::string differences(const Settings& there, const Settings& here) {
  Settings all = there;
  all.insert(here.begin(), here.end());
  const auto value = [](const Settings& settings, const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? "missing" : found->second;
  };
  std::vector<std::string> found;
  for (const auto& [key, ignored] : all)
    if (value(there, key) != value(here, key) && found.size() < kMaxDifferences)
      found.push_back(
          fmt::format("{} is {} there and {} on rank 0", key, value(there, key), value(here, key)));
  return found.empty() ? "" : fmt::format(": {}", fmt::join(found, "; "));
}

// Collective: all ranks know from the all-reduce that one differs.
[[noreturn]] void tell_difference(Comm& comm, const AgreementItem& item) {
  const auto values = comm.all_gather_text(item.value, kWhat);
  const auto details = comm.all_gather_text(lines_of(item.details), kWhat);
  std::size_t rank = 1;
  while (rank + 1 < values.size() && values[rank] == values[0]) ++rank;
  std::string name = comm.rank_name(static_cast<int>(rank));
  name.front() = 'R';
  fail(
      "{} does not have the {} of rank 0{}. Start every rank with the same program, configuration and files.",
      name, item.name, differences(settings_of(details[rank]), settings_of(details[0])));
}

std::string ends_of(const std::string& path, std::uintmax_t size) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(std::min<std::uintmax_t>(size, kBytesRead)), '\0');
  Sha256 digest;
  for (const std::uintmax_t begin : {std::uintmax_t{0}, size - bytes.size()}) {
    file.seekg(static_cast<std::streamoff>(begin));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file) return "unreadable";
    digest.update(bytes);
  }
  return digest.hex().substr(0, kDigits);
}

/// The size of a file and a digest of pieces of it, or of all of it if it is small.
std::string pieces_of(const std::string& path) {
  std::error_code problem;
  const std::uintmax_t size = std::filesystem::file_size(path, problem);
  if (problem) return problem.message();
  std::ifstream file(path, std::ios::binary);
  std::string piece(kPieceBytes, '\0');
  Sha256 digest;
  const std::uintmax_t last = size < kPieceBytes ? 0 : size - kPieceBytes;
  for (std::uintmax_t i = 0; i < kPieces; ++i) {
    file.clear();
    file.seekg(static_cast<std::streamoff>(last * i / (kPieces - 1)));
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    digest.update(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  return fmt::format("{} {}", size, digest.hex());
}

}  // namespace

std::string digest_of(const Settings& settings) {
  Sha256 digest;
  for (const auto& [key, value] : settings) {
    add(digest, key);
    add(digest, value);
  }
  return digest.hex();
}

std::string digest_of(const RunIdentity& identity) {
  Sha256 digest;
  add(digest, std::to_string(identity.seed));
  add(digest, identity.configuration);
  add(digest, identity.tokenizer);
  add(digest, digest_of(identity.settings));
  return digest.hex();
}

std::string digest_of(const Tensor& values) {
  Sha256 digest;
  digest.update(values.address, values.bytes());
  return digest.hex();
}

std::string digest_of_program() {
  return sha256_of_file("/proc/self/exe");
}

Settings fingerprints(const std::vector<std::string>& files) {
  Settings found;
  const std::size_t stride = std::max<std::size_t>(1, files.size() / kFilesRead);
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::error_code problem;
    const auto size = std::filesystem::file_size(files[i], problem);
    std::string text = problem ? problem.message() : fmt::format("{} bytes", size);
    if (!problem && (i % stride == 0 || i + 1 == files.size()))
      text += fmt::format(" {}", ends_of(files[i], size));
    found[files[i]] = std::move(text);
  }
  return found;
}

std::string content_digest(Comm& comm, const std::vector<std::string>& files) {
  std::string mine;
  Stage stage("hashing the data", static_cast<double>(files.size()) / comm.ranks());
  for (auto i = static_cast<std::size_t>(comm.rank()); i < files.size();
       i += static_cast<std::size_t>(comm.ranks())) {
    mine += pieces_of(files[i]) + "\n";
    stage.advance();
  }
  const auto all = comm.all_gather_text(mine, "the content of the files");
  std::vector<std::istringstream> shares;
  for (const std::string& text : all) shares.emplace_back(text);
  Sha256 digest;
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::string line;
    std::getline(shares[i % shares.size()], line);
    add(digest, line);
  }
  return fmt::format("{} file{}, SHA-256 {}", files.size(), files.size() == 1 ? "" : "s",
                     digest.hex().substr(0, kDigits));
}

void require_agreement(Comm& comm, std::initializer_list<AgreementItem> items) {
  if (comm.ranks() == 1) return;
  for (const AgreementItem& item : items) {
    std::array differing{comm.broadcast_text(item.value, 0, kWhat) == item.value ? 0.0 : 1.0};
    comm.all_reduce(differing, kWhat);
    if (differing[0] > 0) tell_difference(comm, item);
  }
}

}  // namespace nystrom
