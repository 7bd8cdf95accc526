#pragma once
// The seal of a checkpoint: the first 512 bytes of the file, which HDF5 leaves alone (its user block). Text,
// so that `head -c 200` shows it:
//
//   nystrom checkpoint 2\n
//   bytes SIZE-OF-THE-FILE\n
//   validation LOSS-OR-none\n
//   sha256 DIGEST-OF-THE-LINES-ABOVE-AND-OF-ALL-THAT-FOLLOWS-THESE-512-BYTES\n
//
// and zeros. Every bit of the file counts: the text is compared as a whole, the rest by its digest. Every
// version from 2 on ends in the line `sha256`, so that a newer file is told from a damaged one. Version 1 had
// no line `validation`, and its digest left the lines out.

#include <cstdint>
#include <optional>
#include <string>

namespace nystrom {

inline constexpr std::uint64_t kSealBytes = 512;
inline constexpr std::int64_t kCheckpointVersion = 2;

struct Seal {
  std::int64_t version = kCheckpointVersion;
  std::uint64_t bytes = 0;           ///< of the whole file
  std::optional<double> validation;  ///< loss at the checkpoint's step, where it was measured
};

/// Writes the seal over the first bytes of a finished file, flushes the file to the disk, and reads it back.
/// Throws Error, with the reason.
void seal_file(const std::string& path, std::optional<double> validation = {});

/// True if the file begins as a sealed one does.
[[nodiscard]] bool has_seal(const std::string& path);

/// Reads the whole file. Throws InputError, naming it, if anything differs from what was sealed.
Seal check_seal(const std::string& path);

/// What the seal says, its digest unchecked; nothing if there is none of a known version, or if the file has
/// another size than it says: a cheap look.
[[nodiscard]] std::optional<Seal> peek_seal(const std::string& path);

}  // namespace nystrom
