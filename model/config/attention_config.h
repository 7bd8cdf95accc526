#pragma once
// Options of attention: the section `model.attention` of the configuration (docs/configuration.md).

#include <cstdint>
#include <string>

#include "kernels/attention/linformer.h"
#include "kernels/attention/longformer.h"
#include "kernels/attention/nystrom.h"
#include "kernels/core/names.h"

namespace nystrom {

template <>
struct EnumNames<PinvInit> {
  static constexpr Named<PinvInit> kAll[] = {{PinvInit::kPerMatrix, "per_matrix"},
                                             {PinvInit::kBatchMax, "batch_max"}};
};

/// A new option is a member here, a line of `visit_options`, and a row of the configuration's table
/// (launch/config/config_table.cpp).
struct AttentionConfig {
  std::string kind = "nystrom";  ///< a name of model/attention/registry.h; the only spelling of a kind
  std::int64_t heads = 12;
  std::int64_t taps = 65;  ///< kernel size of the convolution, odd; 0: no convolution
  // Kind nystrom.
  std::int64_t landmarks = 64;
  int pinv_iterations = 6;
  PinvInit pinv_init = PinvInit::kPerMatrix;
  // Kind longformer.
  std::int64_t window = 256;  ///< tokens on both sides together, even
  GlobalTokens global_tokens = GlobalTokens::kNone;
  // Kind linformer.
  std::int64_t projection = 256;  ///< rows that keys and values are projected to
  ProjectionSharing projection_sharing = ProjectionSharing::kNone;
  // Kind performer.
  std::int64_t features = 256;    ///< random features a head
  std::int64_t redraw_every = 0;  ///< training steps between new features; 0: never
  // Kind reformer.
  std::int64_t hashes = 2;  ///< rounds
  std::int64_t chunk = 64;  ///< tokens that are sorted together and see each other

  /// Calls visit(key, member of each of `configs`) for every option but the kind and the heads: under its key
  /// in the section `model.attention`, in the object `nystrom` of config.json, and in checkpoints. The files
  /// of a model have those that `stores_option` (model/attention/registry.h) says.
  template <class Visit, class... Configs>
  static void visit_options(Visit&& visit, Configs&... configs) {
    visit("landmarks", configs.landmarks...);
    visit("convolution", configs.taps...);
    visit("pinv_iterations", configs.pinv_iterations...);
    visit("pinv_init", configs.pinv_init...);
    visit("window", configs.window...);
    visit("global_tokens", configs.global_tokens...);
    visit("projection", configs.projection...);
    visit("projection_sharing", configs.projection_sharing...);
    visit("features", configs.features...);
    visit("redraw_every", configs.redraw_every...);
    visit("hashes", configs.hashes...);
    visit("chunk", configs.chunk...);
  }
};

}  // namespace nystrom
