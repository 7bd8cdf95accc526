#pragma once
// The shape and arithmetic of a model. Names as in the section `model` of the configuration
// (docs/configuration.md).

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/core/names.h"
#include "kernels/gelu.h"
#include "model/config/attention_config.h"

namespace nystrom {

/// What padding takes part in.
enum class Padding {
  kExact,       ///< nothing
  kHuggingFace  ///< as in transformers: rows padded to one length, masked in the third softmax only
};

template <>
struct EnumNames<Padding> {
  static constexpr Named<Padding> kAll[] = {{Padding::kExact, "exact"},
                                            {Padding::kHuggingFace, "huggingface"}};
};
template <>
struct EnumNames<Activation> {
  static constexpr Named<Activation> kAll[] = {{Activation::kGeluNew, "gelu_new"},
                                               {Activation::kGelu, "gelu"}};
};

/// Position of LayerNorm in a block.
enum class NormPlacement {
  kPost,  ///< behind each part: LN(x + f(x))
  kPre    ///< before each part: x + f(LN(x)), and once more behind the last block
};
template <>
struct EnumNames<NormPlacement> {
  static constexpr Named<NormPlacement> kAll[] = {{NormPlacement::kPost, "post"},
                                                  {NormPlacement::kPre, "pre"}};
};

enum class Positions {
  kLearned,     ///< a table, added to the embeddings
  kSinusoidal,  ///< channels 2 i and 2 i + 1 are sine and cosine of p / 10000^(2 i / C), added likewise
  kRotary,      ///< queries and keys are turned (kernels/rotary.h)
  kRowColumn,   ///< of pictures: tables of rows and of columns, added (model/layers/picture_positions.h)
  kNone
};
template <>
struct EnumNames<Positions> {
  static constexpr Named<Positions> kAll[] = {{Positions::kLearned, "learned"},
                                              {Positions::kSinusoidal, "sinusoidal"},
                                              {Positions::kRotary, "rotary"},
                                              {Positions::kRowColumn, "row_column"},
                                              {Positions::kNone, "none"}};
};

/// What a classifier sees of a sequence, and what its embedding is.
enum class Pooling { kFirst, kMean, kMax };
template <>
struct EnumNames<Pooling> {
  static constexpr Named<Pooling> kAll[] = {
      {Pooling::kFirst, "first"}, {Pooling::kMean, "mean"}, {Pooling::kMax, "max"}};
};

/// Between a classifier's two layers.
enum class ClassifierKind { kActivation, kTanh, kReluMlp };
template <>
struct EnumNames<ClassifierKind> {
  static constexpr Named<ClassifierKind> kAll[] = {{ClassifierKind::kActivation, "activation"},
                                                   {ClassifierKind::kTanh, "tanh"},
                                                   {ClassifierKind::kReluMlp, "relu_mlp"}};
};

/// How linear layers and the convolution begin.
enum class Initialization {
  kNormal,  ///< weights normal(0, initializer_range), biases 0
  kTorch  ///< as in PyTorch's Linear and Conv2d: all uniform in (-1/√n, 1/√n), n the inputs of an output
};
template <>
struct EnumNames<Initialization> {
  static constexpr Named<Initialization> kAll[] = {{Initialization::kNormal, "normal"},
                                                   {Initialization::kTorch, "torch"}};
};

/// The network around its attention. What is not transformers' Nystromformer is not the default. A new option
/// is a member here, a line of `visit_options`, and a row of the configuration's table.
struct NetworkConfig {
  NormPlacement norm = NormPlacement::kPost;
  bool embedding_norm = true;  ///< LayerNorm of the embeddings
  Positions positions = Positions::kLearned;
  std::optional<std::int64_t> picture_width = {};  ///< pixels of a row: of kRowColumn, which needs it
  // Classifications of sequences and of pairs; embeddings.
  Pooling pooling = Pooling::kFirst;
  ClassifierKind classifier = ClassifierKind::kActivation;
  std::optional<std::int64_t> classifier_size = {};  ///< width between its layers; none: hidden_size
  bool normalize = false;  ///< embeddings, which are pooled likewise, are scaled to length 1

  /// Calls visit(key, member of each of `configs`) for every option: under its key in the section `model`, in
  /// the object `nystrom` of config.json, and in checkpoints. Files have those that are not the default.
  template <class Visit, class... Configs>
  static void visit_options(Visit&& visit, Configs&... configs) {
    visit("norm", configs.norm...);
    visit("embedding_norm", configs.embedding_norm...);
    visit("positions", configs.positions...);
    visit("picture_width", configs.picture_width...);
    visit("pooling", configs.pooling...);
    visit("classifier", configs.classifier...);
    visit("classifier_size", configs.classifier_size...);
    visit("normalize", configs.normalize...);
  }
};

inline constexpr NetworkConfig kDefaultNetwork{};

struct ModelConfig {
  std::int64_t vocabulary_size = 30000;
  std::int64_t hidden_size = 768;
  std::int64_t layers = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_positions = 512;  ///< longest sequence; the position table has two rows more
  std::int64_t token_types = 2;
  std::int32_t pad_token_id = 1;  ///< its row starts at zero and gets no gradient from the lookup
  Activation activation = Activation::kGeluNew;
  double dropout = 0.1;
  double attention_dropout = 0;  ///< of attention probabilities, in kinds that have them
  double layer_norm_epsilon = 1e-5;
  double initializer_range = 0.02;
  Initialization initialization = Initialization::kNormal;  ///< of training: files of models lack it
  AttentionConfig attention;                                ///< with the number of heads
  NetworkConfig network;
  Padding padding = Padding::kExact;

  [[nodiscard]] std::int64_t head_size() const { return hidden_size / attention.heads; }
};

}  // namespace nystrom
