// Ops of the network's options: the CUDA twins.

#include "kernels/embedding.h"
#include "kernels/layer_norm.h"
#include "kernels/pair_features.h"
#include "kernels/pool.h"
#include "kernels/residual.h"
#include "kernels/rotary.h"
#include "kernels/unit_rows.h"
#include "twins.h"

namespace nystrom::testing {
namespace {

TEST(NetworkOpsOnDevice, rotary_positions_are_the_hosts) {
  for (const DType type : kDeviceTypes)
    for (const bool back : {false, true}) {
      Twins t;
      t.updated("qkv", normal(type, {7, 3 * 2 * 8}, 1));
      t.integers<std::int32_t>("positions", {0, 3, 4, 9, 0, 1, 2});
      t.input("table", normal(DType::kF32, {10, 8}, 2));
      t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
        rotate(context, {.heads = 2,
                         .turned = 2,
                         .positions = x["positions"],
                         .table = x["table"],
                         .qkv = x["qkv"],
                         .back = back});
      });
    }
}

TEST(NetworkOpsOnDevice, pooling_is_the_hosts) {
  for (const DType type : kDeviceTypes)
    for (const PoolKind kind : {PoolKind::kMean, PoolKind::kMax}) {
      Twins t;
      t.integers<std::int32_t>("offsets", {0, 1, 41, 44});
      t.integers<std::int32_t>("lengths", {1, 40, 3});
      t.input("x", normal(type, {44, 150}, 1));
      t.input("d_y", normal(type, {3, 150}, 2));
      t.output("y", type, {3, 150});
      t.output("d_x", type, {44, 150});
      t.scratch("rows", DType::kI32, {3, 150});
      t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
        const Sequences sequences{x["offsets"], x["lengths"], 3, 44, 40};
        pool_forward(context, {kind, sequences, x["x"], x["rows"], x["y"]});
        pool_backward(context, {kind, sequences, x["rows"], x["d_y"], x["d_x"]});
      });
    }
}

TEST(NetworkOpsOnDevice, pairs_and_residuals_are_the_hosts) {
  for (const DType type : kDeviceTypes) {
    Twins t;
    t.input("x", normal(type, {10, 33}, 1));
    t.input("d_y", normal(type, {5, 132}, 2));
    t.input("other", normal(type, {10, 33}, 3));
    t.output("y", type, {5, 132});
    t.output("d_x", type, {10, 33});
    t.output("sum", type, {10, 33});
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      pair_features_forward(context, x["x"], x["y"]);
      pair_features_backward(context, x["x"], x["d_y"], x["d_x"]);
      add_residual(context, x["x"], x["other"], x["sum"]);
    });
  }
}

// A single column has no gradient but rounding errors, so there are at least two.
TEST(NetworkOpsOnDevice, unit_rows_match_the_cpu) {
  for (const std::int64_t size : {2, 33, 70}) {
    Twins t;
    t.input("x", normal(DType::kF32, {9, 70}, 1));
    t.input("d_y", normal(DType::kF32, {9, size}, 2));
    t.output("y", DType::kF32, {9, size});
    t.output("norms", DType::kF32, {9});
    t.updated("d_x", normal(DType::kF32, {9, 70}, 3));
    t.expect_alike(twin_tolerance(DType::kF32), [&](Context& context, const Tensors& x) {
      unit_rows_forward(context, {.x = x["x"], .length = 20, .norms = x["norms"], .y = x["y"]});
      unit_rows_backward(context,
                         {.y = x["y"], .norms = x["norms"], .length = 20, .d_y = x["d_y"], .d_x = x["d_x"]});
    });
  }
}

TEST(NetworkOpsOnDevice, layer_norm_with_a_skip_matches_the_cpu) {
  for (const DType type : kDeviceTypes) {
    Twins t;
    const Shape shape{9, 40}, row{40};
    t.input("x", normal(type, shape, 1));
    t.input("d_y", normal(type, shape, 2));
    t.updated("d", normal(type, shape, 3));
    t.input("gamma", normal(DType::kF32, row, 4));
    t.output("z", type, shape);
    t.output("y", type, shape);
    t.output("stats", DType::kF32, {9, 2});
    t.output("d_branch", type, shape);
    t.updated("d_gamma", normal(DType::kF32, row, 5));
    t.updated("d_beta", normal(DType::kF32, row, 6));
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      layer_norm_forward(context, {.residual = {},
                                   .branch = x["x"],
                                   .bias = {},
                                   .gamma = x["gamma"],
                                   .beta = x["gamma"],
                                   .dropout = {},
                                   .keys = {},
                                   .z = x["z"],
                                   .stats = x["stats"],
                                   .y = x["y"]});
      layer_norm_backward(context, {.d_y = x["d_y"],
                                    .z = x["z"],
                                    .stats = x["stats"],
                                    .gamma = x["gamma"],
                                    .dropout = {},
                                    .keys = {},
                                    .d_skip = x["d"],
                                    .d_z = x["d"],
                                    .d_branch = x["d_branch"],
                                    .d_gamma = x["d_gamma"],
                                    .d_beta = x["d_beta"],
                                    .d_bias = {}});
    });
  }
}

TEST(NetworkOpsOnDevice, embeddings_without_positions_and_norm_are_the_hosts) {
  for (const DType type : kDeviceTypes) {
    Twins t;
    t.integers<std::int32_t>("ids", {4, 0, 4, 2, 1});
    t.integers<std::int32_t>("types", {0, 1, 0, 0, 1});
    t.integers<std::int32_t>("places", {0, 1, 2, 0, 1});
    t.input("word", normal(DType::kF32, {5, 40}, 1));
    t.input("type", normal(DType::kF32, {2, 40}, 2));
    t.input("d_y", normal(type, {5, 40}, 3));
    t.output("y", type, {5, 40});
    t.scratch("d_sum", DType::kF32, {5, 40});
    t.updated("d_word", normal(DType::kF32, {5, 40}, 4));
    t.updated("d_type", normal(DType::kF32, {2, 40}, 5));
    t.expect_alike(twin_tolerance(type), [&](Context& context, const Tensors& x) {
      const EmbeddingInputs inputs{x["ids"], x["types"], x["places"]};
      const EmbeddingTables tables{x["word"], {}, x["type"], {}, {}};
      embedding_forward(
          context, {.inputs = inputs, .tables = tables, .dropout = {}, .keys = {}, .stats = {}, .y = x["y"]});
      embedding_backward(context, {.inputs = inputs,
                                   .tables = tables,
                                   .dropout = {},
                                   .keys = {},
                                   .stats = {},
                                   .d_y = x["d_y"],
                                   .d_sum = x["d_sum"],
                                   .gradients = {x["d_word"], {}, x["d_type"], {}, {}}});
    });
  }
}

}  // namespace
}  // namespace nystrom::testing
