// Reformer attention on the CPU. A head of a sequence is one thread's: round after round its tokens are
// sorted; blocks of queries visit the tiles of keys that they attend to; a query's softmax continues from
// round to round.

#include <limits>

#include "kernels/cpu/attention/head_convolution.h"
#include "kernels/cpu/attention/streaming_softmax.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

constexpr double kKeyEpsilon = 1e-6;  // times D: what transformers adds to the mean of squares

struct ReformerShape : AttentionShape {
  Index chunk;  ///< c

  ReformerShape(const AttentionShape& shape, Index size) : AttentionShape(shape), chunk(size) {}
};

/// Tokens in the order of a round.
struct Order {
  std::int32_t* tokens;  ///< [n]
  std::int32_t* counts;  ///< [2 n + 3] scratch
};

/// Memory of one thread.
template <class C>
struct ReformerMemory {
  ReformerMemory(WorkspaceAllocator<C>& allocator, const ReformerShape& shape)
      : softmax(allocator.column_softmax(kTileRows, shape.width)), convolution(allocator, shape) {
    const Index width = shape.width, longest = shape.longest;
    static_assert(sizeof(C) >= sizeof(std::int32_t));
    order.tokens = reinterpret_cast<std::int32_t*>(allocator.take(longest));
    order.counts = reinterpret_cast<std::int32_t*>(allocator.take(2 * longest + 3));
    for (C** vector : {&maxima, &sums, &deltas}) *vector = allocator.take(longest);
    for (Tile<C>* tile : {&context, &d_q, &d_k, &d_v}) *tile = allocator.tile(longest, width);
    for (Tile<C>* tile : {&q, &k, &v, &d_out, &d_tile_q, &d_tile_k, &d_tile_v})
      *tile = allocator.tile(kTileRows, width);
    for (Tile<C>* tile : {&q_t, &d_out_t}) *tile = allocator.tile(width, kTileRows);
    for (Tile<C>* tile : {&s, &d_s}) *tile = allocator.tile(kTileRows, kTileRows);
    for (C** vector : {&factors, &more_factors, &tile_maxima, &tile_sums, &tile_deltas})
      *vector = allocator.take(kTileRows);
    band = allocator.take(conv_band_elements(shape.taps));
  }

  Order order;
  C *maxima, *sums, *deltas;                                          ///< [n] of the queries
  Tile<C> context, d_q, d_k, d_v;                                     ///< [n, D]
  ColumnSoftmax<C> softmax;                                           ///< of a block of queries
  Tile<C> q, k, v, d_out;                                             ///< [kTileRows, D]
  Tile<C> d_tile_q, d_tile_k, d_tile_v;                               ///< [kTileRows, D]
  Tile<C> q_t, d_out_t;                                               ///< [D, kTileRows]
  Tile<C> s, d_s;                                                     ///< [kTileRows keys, kTileRows queries]
  C *factors, *more_factors, *tile_maxima, *tile_sums, *tile_deltas;  ///< [kTileRows]
  ConvolutionMemory<C> convolution;
  C* band;
};

template <class C>
class Workspace {
 public:
  Workspace(C* base, const ReformerShape& shape) : shape_(shape), allocator_(base) {
    d_conv = allocator_.take(shape.items() * shape.taps);
    thread_elements_ = elements_of<ReformerMemory<C>, C>(shape);
    threads_ = allocator_.take(shape.threads * thread_elements_);
  }

  C* d_conv;  ///< [items, K]

  [[nodiscard]] ReformerMemory<C> of(Index thread) const {
    WorkspaceAllocator<C> allocator(threads_ + thread * thread_elements_);
    return ReformerMemory<C>(allocator, shape_);
  }
  [[nodiscard]] Index elements() const { return allocator_.used(); }

 private:
  const ReformerShape& shape_;
  WorkspaceAllocator<C> allocator_;
  Index thread_elements_ = 0;
  C* threads_ = nullptr;
};

/// Hides the tokens from themselves.
template <class C>
class NotItself final : public PairMask<C> {
 public:
  NotItself(const std::int32_t* queries, Index count, const std::int32_t* keys)
      : queries_(queries), count_(count), keys_(keys) {}
  void hide(const Tile<C>& s, Index /*first*/, Index keys) const override {
    for (Index j = 0; j < keys; ++j)
      for (Index i = 0; i < count_; ++i)
        if (keys_[j] == queries_[i]) s.row(j)[i] = -std::numeric_limits<C>::infinity();
  }

 private:
  const std::int32_t* queries_;
  Index count_;
  const std::int32_t* keys_;
};

/// Sorts the tokens of a sequence by (bucket, index).
void sort_tokens(const std::int32_t* buckets, Index rows, const Order& order) {
  const Index count = 2 * rows + 2;  // buckets are below
  std::fill_n(order.counts, count + 1, 0);
  for (Index i = 0; i < rows; ++i) ++order.counts[buckets[i] + 1];
  for (Index b = 0; b < count; ++b) order.counts[b + 1] += order.counts[b];
  for (Index i = 0; i < rows; ++i) order.tokens[order.counts[buckets[i]]++] = static_cast<std::int32_t>(i);
}

/// One head of one sequence.
template <class T>
class ReformerHead {
 public:
  using C = Compute<T>;

  ReformerHead(const ReformerShape& shape, const ReformerAttention& args, const HeadTask& head,
               const ReformerMemory<C>& memory)
      : args_(args), head_(head), m_(memory), chunk_(shape.chunk), heads_(shape.heads), width_(shape.width) {}

  void forward() const {
    std::fill_n(m_.maxima, head_.rows, -std::numeric_limits<C>::infinity());
    std::fill_n(m_.sums, head_.rows, C(0));
    clear(m_.context, head_.rows);
    for_blocks([&](const Block& block) { attend_block(block); });
    for (Index i = 0; i < head_.rows; ++i) {
      m_.sums[i] = C(1) / m_.sums[i];
      C* const stats = row_stats_at<C>(args_.row_stats, head_, i);
      stats[0] = m_.maxima[i];
      stats[1] = m_.sums[i];
    }
    ops_.scale_rows(m_.context, head_.rows, width_, m_.sums);
    const ConvolvedValues<T> convolution(args_.inputs, head_, m_.convolution);
    for_rows([&](Index first, Index count) { convolution.add(first, count, at(m_.context, first)); });
    ops_.store_rows(m_.context, head_.rows, head_.of<T>(args_.inputs.out, width_, heads_), 0);
  }

  void backward(const AttentionGradients& gradients, C* d_w) const {
    prepare_queries(gradients);
    for (const Tile<C>* tile : {&m_.d_q, &m_.d_k, &m_.d_v}) clear(*tile, head_.rows);
    for_blocks([&](const Block& block) { block_gradient(gradients, block); });
    add_key_gradients();
    if (args_.inputs.taps() > 0) add_convolution(gradients, d_w);
    ops_.store_rows(m_.d_q, head_.rows, head_.of<T>(gradients.d_qkv, width_, heads_, 0), 0);
    ops_.store_rows(m_.d_v, head_.rows, head_.of<T>(gradients.d_qkv, width_, heads_, 1), 0);
  }

 private:
  /// Queries of a chunk, and the chunks of keys that they attend to.
  struct Block {
    const std::int32_t* queries;
    Index count;
    struct Keys {
      const std::int32_t* tokens;
      Index count;
    } keys[2];
  };

  [[nodiscard]] HeadRows<const T> q() const { return head_.of<const T>(args_.inputs.qkv, width_, heads_, 0); }
  [[nodiscard]] HeadRows<const T> v() const { return head_.of<const T>(args_.inputs.qkv, width_, heads_, 1); }
  static Tile<C> at(const Tile<C>& tile, Index row) { return {tile.row(row), tile.stride}; }

  /// body(first, count) for the tiles of all rows.
  template <class Body>
  void for_rows(const Body& body) const {
    for (Index first = 0; first < head_.rows; first += kTileRows)
      body(first, std::min(kTileRows, head_.rows - first));
  }

  /// body(block) for the blocks of all chunks of all rounds.
  template <class Body>
  void for_blocks(const Body& body) const {
    const Index rows = head_.rows, chunks = (rows + chunk_ - 1) / chunk_, tokens = args_.buckets.dim(2);
    const auto* buckets = args_.buckets.data<std::int32_t>() + head_.head * tokens + head_.begin;
    for (Index round = 0; round < args_.buckets.dim(0); ++round, buckets += heads_ * tokens) {
      sort_tokens(buckets, rows, m_.order);
      const auto chunk = [&](Index g) -> typename Block::Keys {
        return {m_.order.tokens + g * chunk_, std::min(chunk_, rows - g * chunk_)};
      };
      for (Index g = 0; g < chunks; ++g) {
        const auto own = chunk(g), before = chunk((g + chunks - 1) % chunks);
        for (Index first = 0; first < own.count; first += kTileRows)
          body(Block{own.tokens + first,
                     std::min(kTileRows, own.count - first),
                     {{before.tokens, chunks == 1 ? 0 : before.count}, own}});
      }
    }
  }

  /// body(tokens, count, mask) for the tiles of keys of a block.
  template <class Body>
  void for_key_tiles(const Block& block, const Body& body) const {
    for (const auto& keys : block.keys)
      for (Index first = 0; first < keys.count; first += kTileRows) {
        const std::int32_t* const tokens = keys.tokens + first;
        const NotItself<C> mask(block.queries, block.count, tokens);
        body(tokens, std::min(kTileRows, keys.count - first), head_.rows > 1 ? &mask : nullptr);
      }
  }

  /// tile [i, :] = rows [tokens [i], :]
  void gather(const HeadRows<const T>& rows, const std::int32_t* tokens, Index count,
              const Tile<C>& tile) const {
    for (Index i = 0; i < count; ++i) ops_.load_rows(rows, head_.rows, tokens[i], 1, at(tile, i));
  }
  /// to [tokens [i], :] += tile [i, :]
  void scatter(const Tile<C>& tile, const std::int32_t* tokens, Index count, const Tile<C>& to) const {
    for (Index i = 0; i < count; ++i) ops_.add(to.row(tokens[i]), tile.row(i), width_);
  }

  /// factors [i] = 1 / (|q_i|^2 + 10^-6 D)^(1/2)
  void inverse_lengths(const Tile<C>& q_rows, Index count, C* factors) const {
    ops_.row_dots(q_rows, q_rows, count, width_, factors);
    for (Index i = 0; i < count; ++i)
      factors[i] = C(1) / std::sqrt(factors[i] + static_cast<C>(kKeyEpsilon) * static_cast<C>(width_));
  }
  void load_keys(const std::int32_t* tokens, Index count) const {
    gather(q(), tokens, count, m_.k);
    inverse_lengths(m_.k, count, m_.factors);
    ops_.scale_rows(m_.k, count, width_, m_.factors);
    gather(v(), tokens, count, m_.v);
  }

  /// Takes a block's softmaxes up where they are, and puts them back.
  void attend_block(const Block& block) const {
    ColumnSoftmax<C> softmax = m_.softmax;
    softmax.columns = block.count;
    ops_.column_softmax_start(softmax);
    for (Index i = 0; i < block.count; ++i) {
      const std::int32_t token = block.queries[i];
      softmax.maxima[i] = m_.maxima[token];
      softmax.sums[i] = m_.sums[token];
      std::copy_n(m_.context.row(token), width_, softmax.weighted.row(i));
    }
    gather(q(), block.queries, block.count, m_.q);
    ops_.transpose(m_.q, block.count, width_, C(1), m_.q_t);
    for_key_tiles(block, [&](const std::int32_t* tokens, Index keys, const PairMask<C>* mask) {
      load_keys(tokens, keys);
      multiply(keys, block.count, width_, m_.k, m_.q_t, m_.s);
      if (mask != nullptr) mask->hide(m_.s, 0, keys);
      ops_.column_softmax_step(softmax, m_.s, keys);
      multiply_transposed(block.count, width_, keys, m_.s, m_.v, softmax.weighted, C(1), true);
    });
    for (Index i = 0; i < block.count; ++i) {
      const std::int32_t token = block.queries[i];
      m_.maxima[token] = softmax.maxima[i];
      m_.sums[token] = softmax.sums[i];
      std::copy_n(softmax.weighted.row(i), width_, m_.context.row(token));
    }
  }

  /// Statistics and deltas of all queries; deltas come from the context, which is the output without its
  /// convolution.
  void prepare_queries(const AttentionGradients& gradients) const {
    const ConvolvedValues<T> convolution(args_.inputs, head_, m_.convolution, C(-1));
    for_rows([&](Index first, Index count) {
      ops_.load_rows(head_.of<const T>(args_.inputs.out, width_, heads_), head_.rows, first, count, m_.v);
      convolution.add(first, count, m_.v);
      ops_.load_rows(head_.of<const T>(gradients.d_out, width_, heads_), head_.rows, first, count, m_.d_out);
      ops_.row_dots(m_.v, m_.d_out, count, width_, m_.deltas + first);
    });
    for (Index i = 0; i < head_.rows; ++i) {
      const C* const stats = row_stats_at<C>(args_.row_stats, head_, i);
      m_.maxima[i] = stats[0];
      m_.sums[i] = stats[1];
    }
  }

  void block_gradient(const AttentionGradients& gradients, const Block& block) const {
    gather(q(), block.queries, block.count, m_.q);
    gather(head_.of<const T>(gradients.d_out, width_, heads_), block.queries, block.count, m_.d_out);
    ops_.transpose(m_.q, block.count, width_, C(1), m_.q_t);
    ops_.transpose(m_.d_out, block.count, width_, C(1), m_.d_out_t);
    for (Index i = 0; i < block.count; ++i) {
      const std::int32_t token = block.queries[i];
      m_.tile_maxima[i] = m_.maxima[token];
      m_.tile_sums[i] = m_.sums[token];
      m_.tile_deltas[i] = m_.deltas[token];
    }
    clear(m_.d_tile_q, block.count);
    const QueryBlock<C> queries{.count = block.count,
                                .width = width_,
                                .scale = C(1),
                                .rows = m_.q,
                                .scaled_t = m_.q_t,
                                .d_context = m_.d_out,
                                .d_context_t = m_.d_out_t,
                                .maxima = m_.tile_maxima,
                                .inverse_sums = m_.tile_sums,
                                .deltas = m_.tile_deltas,
                                .d_rows = m_.d_tile_q};
    const KeyGradientTiles<C> tiles{m_.k, m_.v, m_.s, m_.d_s, m_.d_tile_k, m_.d_tile_v, {}, {}};
    for_key_tiles(block, [&](const std::int32_t* tokens, Index keys, const PairMask<C>* mask) {
      load_keys(tokens, keys);
      clear(m_.d_tile_v, keys);
      attend_backward<T>(queries, 0, keys, false, HeadDropout{}, mask, tiles);
      scatter(m_.d_tile_k, tokens, keys, m_.d_k);
      scatter(m_.d_tile_v, tokens, keys, m_.d_v);
    });
    scatter(m_.d_tile_q, block.queries, block.count, m_.d_q);
  }

  /// d_q += the gradient through k = f q, f = 1 / (|q|^2 + 10^-6 D)^(1/2): f d_k - f^3 (q . d_k) q.
  void add_key_gradients() const {
    for_rows([&](Index first, Index count) {
      const Tile<C> d_q = at(m_.d_q, first), d_k = at(m_.d_k, first);
      ops_.load_rows(q(), head_.rows, first, count, m_.q);
      inverse_lengths(m_.q, count, m_.factors);
      ops_.row_dots(m_.q, d_k, count, width_, m_.more_factors);
      for (Index i = 0; i < count; ++i) m_.more_factors[i] *= -m_.factors[i] * m_.factors[i] * m_.factors[i];
      ops_.add_scaled_rows(d_q, d_k, count, width_, m_.factors);
      ops_.add_scaled_rows(d_q, m_.q, count, width_, m_.more_factors);
    });
  }

  void add_convolution(const AttentionGradients& gradients, C* d_w) const {
    const ConvolutionGradient<T> convolution(args_.inputs, gradients, head_, m_.convolution, m_.band);
    for_rows([&](Index first, Index count) {
      ops_.load_rows(v(), head_.rows, first, count, m_.v);
      convolution.add(first, count, m_.v, at(m_.d_v, first));
    });
    conv_finish_filter_gradient(m_.band, args_.inputs.taps(), d_w);
  }

  const TileOps<T>& ops_ = tile_ops<T>();
  const ReformerAttention& args_;
  const HeadTask& head_;
  const ReformerMemory<C>& m_;
  Index chunk_, heads_, width_;
};

}  // namespace

Index reformer_attention_workspace(Index chunk, const AttentionLimits& limits) {
  return Workspace<float>(nullptr, ReformerShape(AttentionShape(limits), chunk)).elements();
}

void reformer_attention_forward(Context& context, const ReformerAttention& args) {
  const ReformerShape shape(AttentionShape(context, args.inputs), args.chunk);
  check_sequences(shape, args.inputs);
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<Workspace<C>, C>(args.inputs.workspace, shape);
    for_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index, int thread) {
      const ReformerMemory<C> own = memory.of(thread);
      ReformerHead<T>(shape, args, head, own).forward();
    });
  });
}

void reformer_attention_backward(Context& context, const ReformerAttention& args,
                                 const AttentionGradients& gradients) {
  const ReformerShape shape(AttentionShape(context, args.inputs), args.chunk);
  check_sequences(shape, args.inputs);
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) {
    using C = Compute<T>;
    const auto memory = workspace_in<Workspace<C>, C>(args.inputs.workspace, shape);
    std::fill_n(memory.d_conv, shape.items() * shape.taps, C(0));
    for_heads(context, shape, args.inputs.sequences, [&](const HeadTask& head, Index item, int thread) {
      const ReformerMemory<C> own = memory.of(thread);
      ReformerHead<T>(shape, args, head, own).backward(gradients, memory.d_conv + item * shape.taps);
    });
    add_conv_gradients(shape, memory.d_conv, gradients.d_conv_weight);
  });
}

}  // namespace nystrom::cpu
