#pragma once
// Changes of stored tensors on their way from one file to another. Each is made when its bytes are asked for.

#include <string_view>

#include "model/exchange/safetensors.h"

namespace nystrom {

inline constexpr std::string_view kPositionTable = "nystromformer.embeddings.position_embeddings.weight";
inline constexpr std::int64_t kPositionOffset = 2;  ///< rows of the position table before position 0

/// Number i of a stored tensor's bytes. Refuses types that are no weights; `name` stands in the message.
[[nodiscard]] double stored_number(std::string_view name, StoredType type, std::span<const std::byte> bytes,
                                   std::size_t i);

/// A stored tensor under this name. Refuses, naming file and tensor, types that are no weights.
[[nodiscard]] TensorToWrite as_stored(std::string name, const WeightFiles::Entry& entry);

/// Is every number of a stored tensor zero? Refuses types that are no weights.
[[nodiscard]] bool is_zero(const WeightFiles::Entry& entry);

/// Refuses a number of the tensor `name` that is infinite as `type` and was not as it was stored.
void check_fits(std::string_view name, double stored, double rounded, std::string_view type);

/// The same tensor as fp32, fp16 or bf16, rounded to nearest; itself where it has that type. Asked for its
/// bytes, refuses finite numbers that are beyond the type's.
[[nodiscard]] TensorToWrite as_type(TensorToWrite tensor, StoredType type);

/// A table [rows, C] whose first `head` rows stay and whose others are repeated, in order, up to `rows` rows:
/// how the original lengthened its model from 512 to 4,096 positions.
[[nodiscard]] TensorToWrite with_tiled_rows(TensorToWrite table, std::int64_t head, std::int64_t rows);

/// A tensor of zeros.
[[nodiscard]] TensorToWrite zeros(std::string name, StoredType type, std::vector<std::int64_t> shape);

/// Sizes as people write them: "500MB", "2GB" (decimal, as transformers counts), "1048576". Refuses others.
[[nodiscard]] std::uint64_t parse_size(const std::string& text, const std::string& what);

}  // namespace nystrom
