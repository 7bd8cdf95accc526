#pragma once
// Names of groups and datasets in a checkpoint, shared by its writer and its reader.

#include <string>
#include <string_view>

namespace nystrom::checkpoint_layout {

inline constexpr const char* kFormat = "nystrom checkpoint";
inline constexpr const char* kWeights = "weights";
inline constexpr const char* kOptimizer = "optimizer";
inline constexpr const char* kModel = "model";
inline constexpr const char* kTokenizer = "tokenizer";
inline constexpr const char* kSettings = "settings";
inline constexpr const char* kProvenance = "provenance";  // attribute; version 0.1.0 wrote none

inline std::string weight_path(std::string_view name) {
  return std::string(kWeights).append("/").append(name);
}
inline std::string state_group(std::string_view state) {
  return std::string(kOptimizer).append("/").append(state);
}
inline std::string state_path(std::string_view state, std::string_view name) {
  return state_group(state).append("/").append(name);
}

}  // namespace nystrom::checkpoint_layout
