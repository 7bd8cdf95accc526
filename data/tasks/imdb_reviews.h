#pragma once
// The reviews of the Large Movie Review Dataset (Maas et al. 2011), as their bytes are.

#include <map>
#include <string>

namespace nystrom {

/// One half, "train" or "test", of the directory aclImdb or its tar (also compressed): "train/neg/0_3.txt" ->
/// bytes. Refuses a path that does not exist, and one without negative or positive reviews.
[[nodiscard]] std::map<std::string, std::string> imdb_reviews(const std::string& path,
                                                              const std::string& half);

/// Is it positive, by its name?
[[nodiscard]] bool is_positive_review(const std::string& name);

}  // namespace nystrom
