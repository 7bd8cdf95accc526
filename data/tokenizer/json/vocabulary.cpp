#include "data/tokenizer/json/vocabulary.h"

#include <algorithm>
#include <array>

#include "kernels/core/check.h"

namespace nystrom {
namespace {
constexpr std::int64_t kLargestId = 10'000'000;
}

void Vocabulary::add(std::string piece, std::int64_t id, const std::string& origin) {
  if (id < 0 || id > kLargestId)
    refuse("{}: the piece {} has the id {}; ids are from 0 to {}.", origin, piece, id, kLargestId);
  const auto index = static_cast<std::size_t>(id);
  if (pieces_.size() <= index) {
    pieces_.resize(index + 1);
    control_.resize(index + 1);
    outside_.resize(index + 1);
  }
  pieces_[index] = piece;
  ids_[std::move(piece)] = static_cast<std::int32_t>(id);
}

void Vocabulary::add_outside(std::string piece, std::int64_t id, const std::string& origin) {
  add(std::move(piece), id, origin);
  outside_[static_cast<std::size_t>(id)] = true;
}

std::optional<std::int32_t> Vocabulary::model_id_of(std::string_view piece) const {
  const auto id = id_of(piece);
  return id && !is_outside(*id) ? id : std::nullopt;
}

std::optional<std::int32_t> Vocabulary::id_of(std::string_view piece) const {
  const auto found = ids_.find(std::string(piece));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::int32_t Vocabulary::find(const std::string& name, std::initializer_list<std::string_view> usual,
                              std::string_view role, const std::string& origin) const {
  if (const auto id = name.empty() ? std::nullopt : id_of(name)) return *id;
  if (!name.empty() && std::find(usual.begin(), usual.end(), name) == usual.end())
    refuse("{} has no piece {}, which `tokenizer.special_tokens.{}` names.", origin, name, role);
  for (const auto spelling : usual) {
    if (const auto id = id_of(spelling)) return *id;
  }
  refuse("{} has no {} token that could be recognized; name its piece by `tokenizer.special_tokens.{}`.",
         origin, role, role);
}

SpecialIds Vocabulary::special_ids(const SpecialNames& names, const std::string& origin) const {
  SpecialIds ids;
  ids.bos = find(names.bos, {"[CLS]", "<s>", "<|endoftext|>"}, "bos", origin);
  ids.pad = find(names.pad, {"<pad>", "[PAD]"}, "pad", origin);
  ids.eos = find(names.eos, {"[SEP]", "</s>"}, "eos", origin);
  ids.unk = find(names.unk, {"<unk>", "[UNK]"}, "unk", origin);
  ids.mask = find(names.mask, {"<mask>", "[MASK]"}, "mask", origin);
  std::array<std::int32_t, 5> all = ids.ids();
  std::sort(all.begin(), all.end());
  if (std::adjacent_find(all.begin(), all.end()) != all.end())
    refuse(
        "{}: two of the roles bos {}, pad {}, eos {}, unk {}, mask {} have the same id; name their pieces by "
        "`tokenizer.special_tokens`.",
        origin, ids.bos, ids.pad, ids.eos, ids.unk, ids.mask);
  return ids;
}

}  // namespace nystrom
