#pragma once
// Reference case: an HDF5 file of inputs and PyTorch's outputs. docs/exactness.md has the format.

#include <cstdint>
#include <string>
#include <vector>

#include "data/hdf5/hdf5_file.h"
#include "model/network.h"

namespace nystrom {

struct ReferenceCase {
  std::string path;
  // Attributes: the arithmetic of the reference.
  HeadConfig head;
  AttentionConfig attention;  ///< the model's, with the kind and the options of the case
  Padding padding = Padding::kExact;
  // Inputs: rectangular, with padding.
  std::int64_t sequences = 0, length = 0;    ///< B, T
  std::vector<std::int32_t> lengths;         ///< [B] tokens without padding
  std::vector<std::int32_t> input_ids;       ///< [B, T]
  std::vector<std::int32_t> token_type_ids;  ///< [B, T]
  std::vector<std::int32_t> position_ids;    ///< [B, T]; empty: a token's index
  CaseLabels labels;
  // Random numbers of attention; empty in kinds without them.
  std::vector<float> features;        ///< [L, H, m, D]
  std::vector<std::int32_t> buckets;  ///< [L, r, B, H, T]

  /// The configuration with the case's arithmetic, without dropout.
  [[nodiscard]] ModelConfig applied_to(ModelConfig config) const;
};

/// Refuses, naming file and value, invalid files, cases that do not match the model, and unknown heads. The
/// number of labels is that of `head`, the head of the model.
ReferenceCase read_reference_case(const std::string& path, const ModelConfig& model, const HeadConfig& head);

/// Packed inputs of a case, without padding, for the network. With `padding: huggingface` the padding stays.
struct PackedCase {
  std::vector<std::int32_t> input_ids, token_type_ids, positions, offsets, lengths, label_rows, labels;
  std::vector<std::int64_t> samples;
  std::vector<std::int64_t> source;  ///< index in [B, T] of each packed token

  explicit PackedCase(const ReferenceCase& reference);
  /// Buckets of a layer's tokens, [r, H, T]; empty if the case has none.
  [[nodiscard]] std::vector<std::int32_t> buckets(const ReferenceCase& reference, std::int64_t layer) const;
  /// Views of this and of `reference`.
  [[nodiscard]] BatchArrays arrays(const ReferenceCase& reference) const;
};

/// A group of reference tensors ("outputs" or "gradients").
class ReferenceTensors {
 public:
  ReferenceTensors(const std::string& path, std::string group);
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool has(const std::string& name) const;
  /// All values, whose number must be `count`.
  [[nodiscard]] std::vector<double> read(const std::string& name, std::int64_t count) const;

 private:
  hdf5::File file_;
  std::string group_;
  std::vector<std::string> names_;
};

}  // namespace nystrom
