#pragma once
// Words of an enumeration: one table next to the enum, from which configuration, checkpoints and messages
// take them.
//
//   template <>
//   struct EnumNames<Packing> {
//     static constexpr Named<Packing> kAll[] = {{Packing::kSentences, "sentences"}, ...};
//   };
//   Packing packing = parse<Packing>("data.packing", word);  // refuses an unknown word, naming all
//   std::string_view word = name_of(packing);

#include <optional>
#include <string>
#include <string_view>

#include "kernels/core/check.h"

namespace nystrom {

template <class E>
struct Named {
  E value;
  std::string_view name;
};

/// Specialized next to each enum that has words: `kAll`, an array of Named, in the order of documents and
/// messages.
template <class E>
struct EnumNames;

template <class E>
concept HasNames = requires {
  EnumNames<E>::kAll[0].name;
};

template <HasNames E>
constexpr std::string_view name_of(E value) {
  for (const Named<E>& each : EnumNames<E>::kAll)
    if (each.value == value) return each.name;
  throw InternalError("a value of an enumeration has no name");
}

/// None if `name` is the name of no value.
template <HasNames E>
constexpr std::optional<E> find_named(std::string_view name) {
  for (const Named<E>& each : EnumNames<E>::kAll)
    if (each.name == name) return each.value;
  return std::nullopt;
}

/// All names: "a | b | c".
template <HasNames E>
std::string names_of(std::string_view separator) {
  std::string text;
  for (const Named<E>& each : EnumNames<E>::kAll)
    text.append(text.empty() ? "" : separator).append(each.name);
  return text;
}

/// The value of a name. Throws InputError for any other word: "KEY is WORD; it must be one of a, b, c."
template <HasNames E>
E parse(std::string_view key, std::string_view word) {
  const std::optional<E> value = find_named<E>(word);
  if (!value) refuse("{} is {}; it must be one of {}.", key, word, names_of<E>(", "));
  return *value;
}

}  // namespace nystrom
