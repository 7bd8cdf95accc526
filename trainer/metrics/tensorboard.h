#pragma once
// TensorBoard event files: scalars, the configuration as text and as hyperparameters, histograms of
// residuals; TFRecord frames (length, masked CRC-32C, payload, masked CRC-32C) around Event messages in
// protobuf's wire format.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "trainer/metrics/append_file.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

struct Scalar {
  std::string tag;
  double value;
};

/// Encoders, for the writer and its tests.
namespace tensorboard {
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);
[[nodiscard]] std::uint32_t masked(std::uint32_t crc);
[[nodiscard]] std::string frame(std::string_view payload);
[[nodiscard]] std::string version_event(double wall_time);
[[nodiscard]] std::string scalar_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars);
/// A text of the page `Text`, in Markdown.
[[nodiscard]] std::string text_event(double wall_time, std::string_view tag, std::string_view text);
/// The hyperparameters of the page `HParams`: numbers, true and false by their values, other text as it is.
[[nodiscard]] std::string hparams_event(double wall_time, const std::map<std::string, std::string>& values);
/// How `values` are distributed.
[[nodiscard]] std::string histogram_event(double wall_time, std::int64_t step, std::string_view tag,
                                          std::span<const double> values);
/// Makes TensorBoard discard what older files of the run say about `step` and later.
[[nodiscard]] std::string restart_event(double wall_time, std::int64_t step);
}  // namespace tensorboard

class TensorBoardFile final : public Observer {
 public:
  /// A new event file in `folder`; `step` is the step that the run resumes from. Throws Error, with the
  /// reason. A disk that becomes full later is not a failure (AppendFile); `warn` is called.
  TensorBoardFile(const std::string& folder, std::int64_t step, AppendFile::Warn warn = {});

  /// The configuration of the run: its text, and the values by which runs are compared.
  void describe(const std::string& configuration, const std::map<std::string, std::string>& hparams);

  void step(const StepReport& report) override;
  void validated(const ValidationReport& report) override;
  void saving(std::int64_t) override { file_.sync(); }
  void saved(const SavedReport& report) override;

 private:
  void write(std::string_view event) { file_.append(tensorboard::frame(event)); }

  AppendFile file_;
};

}  // namespace nystrom
