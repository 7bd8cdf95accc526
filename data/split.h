#pragma once
// Which documents are held out.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace nystrom {

enum class Split : std::uint8_t { kTrain, kValidation, kTest };

/// Deals documents by their hash: the same document falls on the same side whatever else there is. Only where
/// a share was asked for and nothing fell on it, the training document of the smallest hash goes there, once
/// all are seen; so documents of the smallest hashes are held back until their sides have something.
template <class Document>
class Splitter {
 public:
  using Emit = std::function<void(Split, Document&)>;

  Splitter(double validation, double test, Emit emit)
      : validation_(validation), test_(test), emit_(std::move(emit)) {
    missing_ = (validation > 0 ? 1U : 0U) + (test > 0 ? 1U : 0U);
  }

  void add(std::uint64_t hash, Document document) {
    const double u = static_cast<double>(hash >> 11U) * 0x1.0p-53;
    if (u < validation_) return give(Split::kValidation, document);
    if (u < validation_ + test_) return give(Split::kTest, document);
    held_.emplace_back(hash, std::move(document));
    trim();
  }

  /// Deals what was held back. At least one document stays for training.
  void finish() {
    sort();
    for (const Split split : {Split::kValidation, Split::kTest}) {
      const bool wanted =
          split == Split::kValidation ? validation_ > 0 && !has_validation_ : test_ > 0 && !has_test_;
      if (!wanted || held_.empty() || (held_.size() == 1 && !has_train_)) continue;
      auto document = std::move(held_.front().second);
      held_.erase(held_.begin());
      give(split, document);
    }
    missing_ = 0;
    trim();
  }

 private:
  void give(Split split, Document& document) {
    bool& has = split == Split::kTrain        ? has_train_
                : split == Split::kValidation ? has_validation_
                                              : has_test_;
    const bool first = !has;
    has = true;
    emit_(split, document);
    if (first && split != Split::kTrain && missing_ > 0) {
      --missing_;
      trim();
    }
  }

  void sort() {
    std::stable_sort(held_.begin(), held_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }

  /// Keeps as many of the smallest hashes as sides are still empty.
  void trim() {
    while (held_.size() > missing_) {
      std::size_t largest = 0;
      for (std::size_t i = 1; i < held_.size(); ++i) {
        if (held_[i].first >= held_[largest].first) largest = i;
      }
      auto document = std::move(held_[largest].second);
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(largest));
      give(Split::kTrain, document);
    }
  }

  double validation_, test_;
  Emit emit_;
  std::size_t missing_ = 0;
  bool has_train_ = false, has_validation_ = false, has_test_ = false;
  std::vector<std::pair<std::uint64_t, Document>> held_;
};

}  // namespace nystrom
