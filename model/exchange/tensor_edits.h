#pragma once
// Tensor edits between files: type conversion, tiling, zeros. Each is computed when its bytes are requested.

#include <string_view>

#include "model/exchange/safetensors.h"

namespace nystrom {

inline constexpr std::string_view kPositionTable = "nystromformer.embeddings.position_embeddings.weight";
inline constexpr std::int64_t kPositionOffset = 2;  ///< rows of the position table before position 0

/// Value i of a stored tensor. Refuses types that cannot be weights, naming `name`.
[[nodiscard]] double stored_number(std::string_view name, StoredType type, std::span<const std::byte> bytes,
                                   std::size_t i);

/// A stored tensor under another name. Refuses, naming file and tensor, types that cannot be weights.
[[nodiscard]] TensorToWrite as_stored(std::string name, const WeightFiles::Entry& entry);

/// Is every value of a stored tensor zero? Refuses types that cannot be weights.
[[nodiscard]] bool is_zero(const WeightFiles::Entry& entry);

/// Refuses a finite value of the tensor `name` that overflows to infinity in `type`.
void check_fits(std::string_view name, double stored, double rounded, std::string_view type);

/// The tensor converted to fp32, fp16 or bf16, rounded to nearest. Finite values that overflow the type are
/// refused when the bytes are requested.
[[nodiscard]] TensorToWrite as_type(TensorToWrite tensor, StoredType type);

/// A table [rows, C] that is extended to `rows` rows: the first `head` rows are kept once, the others are
/// tiled. The original code extended its model from 512 to 4,096 positions like this.
[[nodiscard]] TensorToWrite with_tiled_rows(TensorToWrite table, std::int64_t head, std::int64_t rows);

/// A tensor of zeros.
[[nodiscard]] TensorToWrite zeros(std::string name, StoredType type, std::vector<std::int64_t> shape);

/// Parses a size: "500MB", "2GB" (decimal units, as in transformers), "1048576". `what` is its option, for
/// messages.
[[nodiscard]] std::uint64_t parse_size(const std::string& text, const std::string& what);

}  // namespace nystrom
