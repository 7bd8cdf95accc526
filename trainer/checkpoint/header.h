#pragma once
// Checkpoint header: format version, file size and SHA-256 digest in the first 512 bytes of the file (the
// HDF5 user block, which HDF5 ignores). Plain text, so that `head -c 200` shows it:
//
//   nystrom checkpoint 2\n
//   bytes SIZE-OF-THE-FILE\n
//   validation LOSS-OR-none\n
//   sha256 DIGEST-OF-THE-LINES-ABOVE-AND-OF-ALL-THAT-FOLLOWS-THESE-512-BYTES\n
//
// padded with zeros. Every bit of the file is covered: the text is compared as a whole, the rest by its
// digest. Every version from 2 on ends in the line `sha256`, so that a newer file can be distinguished from a
// corrupt one. Version 1 had no line `validation`, and its digest did not cover the header's lines.

#include <cstdint>
#include <optional>
#include <string>

namespace nystrom {

inline constexpr std::uint64_t kCheckpointHeaderBytes = 512;
inline constexpr std::int64_t kCheckpointVersion = 2;

struct CheckpointHeader {
  std::int64_t version = kCheckpointVersion;
  std::uint64_t bytes = 0;           ///< of the whole file
  std::optional<double> validation;  ///< loss at the checkpoint's step, where it was measured
};

/// Writes the header over the first bytes of a finished file, flushes the file to the disk, and reads it
/// back. Throws Error with the reason.
void write_checkpoint_header(const std::string& path, std::optional<double> validation = {});

/// True if the file begins with a checkpoint header. Reads the first bytes only.
[[nodiscard]] bool has_checkpoint_header(const std::string& path);

/// Reads the whole file and compares its digest. Throws InputError naming the file if it is corrupt,
/// truncated or of a newer version.
CheckpointHeader verify_checkpoint_header(const std::string& path);

/// The header alone, without checking the digest: cheap. Nothing if the version is unknown or the file does
/// not have the size that the header states.
[[nodiscard]] std::optional<CheckpointHeader> read_checkpoint_header(const std::string& path);

}  // namespace nystrom
