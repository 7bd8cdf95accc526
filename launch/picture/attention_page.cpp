#include "launch/picture/attention_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/html.h"
#include "kernels/core/stage.h"
#include "launch/chart/figure.h"
#include "launch/chart/heat_map.h"
#include "launch/chart/matrix_map.h"
#include "launch/report/sections.h"

namespace nystrom {
namespace {

constexpr std::int64_t kSmall = 32;  // cells of a side of the small pictures

struct Place {
  std::size_t layer = 0, head = 0;
};

const AttentionMatrices& at(const AttentionPicture& picture, const Place& place) {
  return picture.heads[place.layer][place.head];
}

Place drawn_large(const AttentionPicture& picture) {
  Place best{picture.layer.value_or(0), picture.head.value_or(0)};
  for (std::size_t layer = 0; layer < picture.heads.size(); ++layer)
    for (std::size_t head = 0; head < picture.heads[layer].size(); ++head) {
      const bool allowed =
          (!picture.layer || layer == *picture.layer) && (!picture.head || head == *picture.head);
      if (allowed && at(picture, {layer, head}).error > at(picture, best).error) best = {layer, head};
    }
  return best;
}

/// Means of blocks, so that no side has more than kSmall cells.
Matrix shrunk(const Matrix& matrix) {
  const std::int64_t rows = std::min(matrix.rows, kSmall), columns = std::min(matrix.columns, kSmall);
  Matrix small(rows, columns), counts(rows, columns);
  for (std::int64_t r = 0; r < matrix.rows; ++r)
    for (std::int64_t c = 0; c < matrix.columns; ++c) {
      const std::int64_t to_r = r * rows / matrix.rows, to_c = c * columns / matrix.columns;
      small.at(to_r, to_c) += matrix.at(r, c);
      counts.at(to_r, to_c) += 1;
    }
  for (std::size_t i = 0; i < small.values.size(); ++i) small.values[i] /= counts.values[i];
  return small;
}

std::string map_svg(const std::string& title, const Matrix& matrix, double most) {
  return svg_of(MatrixMap{.title = title,
                          .rows = static_cast<std::size_t>(matrix.rows),
                          .columns = static_cast<std::size_t>(matrix.columns),
                          .values = matrix.values,
                          .most = most});
}

std::string figure(const std::string& id, const std::string& caption, const Matrix& matrix, double most,
                   const std::string& note) {
  return html_of(
      {.id = id, .caption = caption, .views = {{"matrix", map_svg(caption, matrix, most)}}, .note = note});
}

/// The tokens, those of a segment in one colour, with the number of its landmark.
std::string token_list(const AttentionPicture& picture, const AttentionMatrices& matrices) {
  std::string html = "<p class=\"tokens\">\n";
  for (std::size_t j = 0; j + 1 < matrices.cuts.size(); ++j) {
    html += fmt::format("<span class=\"segment c{}\"><sub>{}</sub>", j % kPaletteSize, j);
    for (auto t = static_cast<std::size_t>(matrices.cuts[j]);
         t < static_cast<std::size_t>(matrices.cuts[j + 1]); ++t)
      html += fmt::format("<span class=\"token\" title=\"token {}\">{}</span>", t,
                          html_escaped(picture.pieces[t]));
    html += "</span>\n";
  }
  return html + "</p>\n";
}

std::string small_figure(const AttentionPicture& picture, const Place& place) {
  const AttentionMatrices& matrices = at(picture, place);
  const Matrix softmax = shrunk(matrices.softmax), nystrom = shrunk(matrices.nystrom);
  const double most = max_magnitude(softmax.values);
  const std::string name = fmt::format("Layer {}, head {}", place.layer, place.head);
  return fmt::format(
      "<figure class=\"small\" id=\"head-{}-{}\"><figcaption>{}</figcaption>\n<div class=\"both\">{}{}</div>\n"
      "<p class=\"note\">error {}, residual {}</p></figure>\n",
      place.layer, place.head, name, map_svg(name + ", softmax", softmax, most),
      map_svg(name + ", Nyström", nystrom, most), number_text(matrices.error, 3),
      number_text(matrices.residual, 3));
}

std::string overview(const AttentionPicture& picture) {
  std::string html =
      "<h2>All heads</h2>\n<p>Left: softmax attention; right: Nyström attention of the same queries and keys. Rows are "
      "queries, columns are keys; both have the same colour scale.</p>\n"
      "<div class=\"smalls\">\n";
  for (std::size_t layer = 0; layer < picture.heads.size(); ++layer)
    for (std::size_t head = 0; head < picture.heads[layer].size(); ++head)
      if (!picture.layer || layer == *picture.layer) html += small_figure(picture, {layer, head});
  return html + "</div>\n";
}

/// Errors and residuals by layer and head.
std::string heat_maps(const AttentionPicture& picture) {
  if (picture.heads.size() > kMaxCells || picture.heads.front().size() > kMaxCells) return {};
  std::string figures;
  const auto add = [&](const std::string& id, const std::string& caption, double AttentionMatrices::*what) {
    HeatMap map{.title = caption,
                .across = "head",
                .down = "layer",
                .columns = {},
                .rows = {},
                .values = {},
                .from_zero = true};
    for (std::size_t head = 0; head < picture.heads.front().size(); ++head)
      map.columns.push_back(std::to_string(head));
    for (std::size_t layer = 0; layer < picture.heads.size(); ++layer) {
      map.rows.push_back(std::to_string(layer));
      map.values.emplace_back();
      map.texts.emplace_back();
      for (const AttentionMatrices& matrices : picture.heads[layer]) {
        map.values.back().push_back(matrices.*what);
        map.texts.back().push_back(number_text(matrices.*what, 2));
      }
    }
    figures += html_of({.id = id, .caption = caption, .views = {{"map", svg_of(map)}}});
  };
  add("errors", "Error of the attention matrix, |Nyström - softmax| / |softmax|", &AttentionMatrices::error);
  add("context-errors", "Error of the attention output: |(Nyström - softmax) V| / |softmax V|",
      &AttentionMatrices::context_error);
  add("residuals", "Residual of the pseudo-inverse, |A Z - I| / √m", &AttentionMatrices::residual);
  return "<div class=\"figures\">\n" + figures + "</div>\n";
}

std::string kernels_of(const AttentionMatrices& m) {
  const std::string tokens = std::to_string(m.softmax.rows), landmarks = std::to_string(m.kernel_2.rows);
  std::string html = "<h3>The three kernels and the pseudo-inverse</h3>\n<div class=\"figures\">\n";
  html +=
      figure("kernel-1", fmt::format("F = softmax(q k̃ᵀ / √D), {} × {}", tokens, landmarks), m.kernel_1,
             max_magnitude(m.kernel_1.values), "Attention of each token (row) to each landmark (column).");
  html += figure("kernel-2", fmt::format("A = softmax(q̃ k̃ᵀ / √D), {0} × {0}", landmarks), m.kernel_2,
                 max_magnitude(m.kernel_2.values), "Attention of each landmark to each landmark.");
  html += figure("inverse", fmt::format("Z, the pseudo-inverse of A, {0} × {0}", landmarks), m.inverse,
                 max_magnitude(m.inverse.values),
                 fmt::format("Values from -{0} to {0}; the other colour is below 0. |A Z - I| / √m is {1}.",
                             number_text(max_magnitude(m.inverse.values), 3), number_text(m.residual, 3)));
  html +=
      figure("kernel-3", fmt::format("B = softmax(q̃ kᵀ / √D), {} × {}", landmarks, tokens), m.kernel_3,
             max_magnitude(m.kernel_3.values), "Attention of each landmark (row) to each token (column).");
  return html + "</div>\n";
}

std::string drawn_head(const AttentionPicture& picture, const Place& place) {
  const AttentionMatrices& m = at(picture, place);
  std::string html = fmt::format("<h2>Layer {}, head {}</h2>\n", place.layer, place.head);
  Matrix difference = m.nystrom;
  for (std::size_t i = 0; i < difference.values.size(); ++i) difference.values[i] -= m.softmax.values[i];
  const double most = max_magnitude(m.softmax.values);
  html += "<div class=\"figures\">\n";
  html += figure("softmax", "softmax(q kᵀ / √D): exact", m.softmax, most,
                 fmt::format("The darkest shade is {}.", number_text(most, 3)));
  if (!m.is_exact()) {
    html += figure("nystrom", "F Z B: Nyström", m.nystrom, most,
                   "Same scale as the exact matrix; the other colour is below 0.");
    const double largest = max_magnitude(difference.values);
    html += figure(
        "difference", "Nyström - softmax", difference, largest,
        fmt::format("The darkest shade is {}. Error {} of the matrix, {} of its product with V.",
                    number_text(largest, 3), number_text(m.error, 3), number_text(m.context_error, 3)));
  }
  html += "</div>\n";
  return m.is_exact() ? html : html + kernels_of(m);
}

constexpr std::string_view kStyle = R"css(<style>
svg.matrix{max-height:24rem}.shade{fill:var(--heat)}.shade.minus{fill:var(--c1)}
.matrix-edge{fill:none;stroke:var(--edge);stroke-width:1;vector-effect:non-scaling-stroke}
.tokens{line-height:2.1}.segment{border-bottom:3px solid var(--c);margin-right:.25rem;padding:0 .15rem}
.segment sub{color:var(--muted);font-size:.65rem;margin-right:.2rem}.token{margin-right:.35rem}
.smalls{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.6rem}
figure.small{padding:.4rem .6rem}figure.small figcaption{font-size:.82rem}.both{display:flex;gap:.4rem}
.both svg{min-width:0;flex:1}
</style>
)css";

std::string summary(const AttentionPicture& picture, const AttentionMatrices& one) {
  const std::int64_t tokens = one.softmax.rows;
  std::string text = fmt::format("{} tokens, {} landmarks. ", tokens, picture.landmarks);
  text +=
      one.is_exact()
          ? "With so few tokens Nyström attention equals softmax attention; a longer text, or fewer landmarks "
            "(--landmarks), shows the approximation. "
          : "Each landmark is the mean of a segment of tokens. ";
  if (picture.model_runs_softmax)
    text +=
        "The model itself runs softmax attention; Nyström attention is computed from its queries and keys. ";
  return fmt::format("<p>{}The convolution of Nyström attention is not shown.</p>\n", html_escaped(text));
}

}  // namespace

AttentionPicture attention_picture(const ModelSource& source, const std::string& text,
                                   std::int64_t landmarks) {
  const ModelConfig& model = source.config();
  // Half for the queries, keys and values, half for the matrices.
  Stage stage("drawing attention", 2 * static_cast<double>(model.layers));
  AttentionTrace trace = trace_attention(source, text, stage);
  AttentionPicture picture{.model = source.path(),
                           .text = text,
                           .pieces = std::move(trace.pieces),
                           .landmarks = landmarks > 0 ? landmarks : model.attention.landmarks,
                           .model_runs_softmax = model.attention.kind == "softmax"};
  for (const auto& layer : trace.heads) {
    double scale = 0;  // each head's own
    if (model.attention.pinv_init == PinvInit::kBatchMax)
      for (const HeadInput& head : layer) scale = std::max(scale, pinv_scale(head, picture.landmarks));
    picture.heads.emplace_back();
    for (const HeadInput& head : layer)
      picture.heads.back().push_back(
          attention_matrices(head, picture.landmarks, model.attention.pinv_iterations, scale));
    stage.advance();
  }
  return picture;
}

std::string attention_page(const AttentionPicture& picture) {
  const Place large = drawn_large(picture);
  const AttentionMatrices& one = at(picture, large);
  std::string body =
      std::string(kStyle) + fmt::format("<h1>Attention of {}</h1>\n", html_escaped(picture.model));
  body += summary(picture, one) + token_list(picture, one);
  if (!one.is_exact()) body += "<h2>Errors</h2>\n" + heat_maps(picture);
  body += drawn_head(picture, large) + overview(picture);
  return report_page("Attention of " + picture.model, body);
}

}  // namespace nystrom
