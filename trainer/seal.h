#pragma once
// The seal of a checkpoint: the first 512 bytes of the file, which HDF5 leaves alone (its user block). Text,
// so that `head -c 200` shows it:
//
//   nystrom checkpoint 1\n
//   bytes SIZE-OF-THE-FILE\n
//   sha256 DIGEST-OF-ALL-THAT-FOLLOWS-THESE-512-BYTES\n
//
// and zeros. Every bit of the file counts: the text is compared as a whole, the rest by its digest.

#include <cstdint>
#include <string>

namespace nystrom {

inline constexpr std::uint64_t kSealBytes = 512;
inline constexpr std::int64_t kCheckpointVersion = 1;

/// Writes the seal over the first bytes of a finished file, flushes the file to the disk, and reads it back.
/// Throws Error, with the reason.
void seal_file(const std::string& path);

/// True if the file begins as a sealed one does.
[[nodiscard]] bool has_seal(const std::string& path);

/// Reads the whole file. Throws InputError, naming it, if anything differs from what was sealed.
void check_seal(const std::string& path);

}  // namespace nystrom
