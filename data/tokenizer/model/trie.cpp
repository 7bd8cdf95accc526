#include "data/tokenizer/model/trie.h"

#include <utility>

namespace nystrom {

void Trie::add(std::string_view bytes, std::int32_t value) {
  std::int32_t node = kRoot;
  for (const char byte : bytes) {
    std::int32_t next = child(node, byte);
    if (next == kNone) {
      next = static_cast<std::int32_t>(values_.size());
      values_.push_back(kNone);
      if (node == kRoot)
        first_[static_cast<unsigned char>(byte)] = next;
      else
        insert(key_of(node, byte), next);
    }
    node = next;
  }
  values_[static_cast<std::size_t>(node)] = value;
}

void Trie::insert(std::uint64_t key, std::int32_t node) {
  if (count_ * 2 >= edges_.size()) {
    std::vector<Edge> old(edges_.empty() ? 1024 : edges_.size() * 2);
    old.swap(edges_);
    mask_ = edges_.size() - 1;
    count_ = 0;
    for (const auto& edge : old) {
      if (edge.key != 0) insert(edge.key, edge.node);
    }
  }
  std::size_t at = slot(key);
  while (edges_[at].key != 0) at = (at + 1) & mask_;
  edges_[at] = {key, node};
  ++count_;
}

}  // namespace nystrom
