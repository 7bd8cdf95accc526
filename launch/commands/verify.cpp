#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>

#include "kernels/core/check.h"
#include "kernels/core/printable.h"
#include "launch/cli/command.h"
#include "launch/cli/option_parser.h"
#include "launch/setup/backend.h"
#include "launch/verify/self_check.h"
#include "launch/verify/verification.h"

namespace nystrom {
namespace {

struct Arguments {
  VerifyOptions verify;
  std::string backend = "cpu", against, precision = "fp32";
  bool json = false, self = false;
};

DType precision_named(const std::string& name) {
  if (name == "fp32") return DType::kF32;
  if (name == "bf16") return DType::kBF16;
  if (name == "fp64") return DType::kF64;
  refuse("`--precision` is {}; it must be fp32, bf16 or fp64.", name);
}

void choose_devices(Arguments& arguments) {
  if (arguments.backend != "cpu" && arguments.backend != "cuda")
    refuse("`--backend` is {}; it must be cpu or cuda.", arguments.backend);
  if (choose_backend(parse<BackendChoice>("`--backend`", arguments.backend), "--backend").cuda)
    arguments.verify.device = Device::gpu(0);
  if (arguments.against.empty()) return;
  if (arguments.against != "cpu" || arguments.backend != "cuda")
    refuse("`--against` compares the CUDA backend with the CPU; use `--backend cuda --against cpu`.");
  arguments.verify.against_cpu = true;
}

void print_group(std::string_view what, const std::vector<Distance>& distances) {
  for (const Distance& distance : distances)
    fmt::print("{:<8}  {:<66}  {:.2e}  {}\n", what, distance.name, distance.value,
               distance.within() ? "ok" : fmt::format("FAR (limit {:.0e})", distance.limit));
}

std::size_t count_far(const std::vector<Distance>& distances) {
  return static_cast<std::size_t>(
      std::ranges::count_if(distances, [](const auto& d) { return !d.within(); }));
}

void print_text(const Arguments& arguments, const Verification& result) {
  for (const std::string& note : result.notes) fmt::print("note: {}\n", printable(note));
  print_group("output", result.outputs);
  print_group("gradient", result.gradients);
  const std::size_t all = result.outputs.size() + result.gradients.size();
  if (result.passed())
    fmt::print(
        "passed: {} distances in {}, outputs within {:.0e}{}\n", all, arguments.precision, result.tolerance,
        arguments.verify.gradients ? fmt::format(", gradients within {:.0e}", 10 * result.tolerance) : "");
  else
    fmt::print("FAILED: {} of {} distances in {} exceed their limit\n",
               count_far(result.outputs) + count_far(result.gradients), all, arguments.precision);
}

nlohmann::ordered_json by_name(const std::vector<Distance>& distances) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const Distance& distance : distances) object[distance.name] = distance.value;
  return object;
}

void print_json(const Arguments& arguments, const Verification& result) {
  nlohmann::ordered_json object;
  object["model"] = arguments.verify.model;
  object["case"] = arguments.verify.case_file;
  object["backend"] = arguments.backend;
  object["precision"] = arguments.precision;
  object["tolerance"] = result.tolerance;
  object["passed"] = result.passed();
  object["outputs"] = by_name(result.outputs);
  if (arguments.verify.gradients) object["gradients"] = by_name(result.gradients);
  object["notes"] = result.notes;
  fmt::print("{}\n", object.dump());
}

double largest(const std::vector<Distance>& distances) {
  double value = 0;
  for (const Distance& distance : distances) value = std::max(value, distance.value);
  return value;
}

int run_self(const Arguments& arguments) {
  if (!arguments.verify.model.empty() || arguments.verify.against_cpu || arguments.json)
    refuse("`--self` takes neither a model nor `--against` or `--json`.");
  std::size_t far = 0, all = 0;
  const auto checks = check_self(arguments.verify);
  for (const auto& [name, result] : checks) {
    fmt::print("{:<54}  outputs {:.1e}  gradients {:.1e}  {}\n", name, largest(result.outputs),
               largest(result.gradients), result.passed() ? "ok" : "FAR");
    all += result.outputs.size() + result.gradients.size();
    far += count_far(result.outputs) + count_far(result.gradients);
  }
  const double tolerance = checks.front().distances.tolerance;
  if (far == 0)
    fmt::print(
        "passed: {} numbers of {} small models agree with PyTorch's float64 in {}, outputs within {:.0e}, "
        "gradients within {:.0e}\n",
        all, checks.size(), arguments.precision, tolerance, 10 * tolerance);
  else
    fmt::print("FAILED: {} of {} distances in {} exceed their limit\n", far, all, arguments.precision);
  return far == 0 ? kDone : kFailed;
}

int run(Arguments& arguments) {
  choose_devices(arguments);
  arguments.verify.precision = precision_named(arguments.precision);
  if (arguments.verify.tolerance < 0)
    refuse("`--tolerance` is {}; it must be above 0.", arguments.verify.tolerance);
  if (arguments.self) return run_self(arguments);
  if (arguments.verify.model.empty() || arguments.verify.case_file.empty())
    refuse("verify needs a model and a case file, or `--self`.");
  const Verification result = verify(arguments.verify);
  if (arguments.json)
    print_json(arguments, result);
  else
    print_text(arguments, result);
  return result.passed() ? kDone : kFailed;
}

}  // namespace

Command verify_command() {
  auto arguments = std::make_shared<Arguments>();
  return {
      .name = "verify",
      .summary = "Compare a model's outputs and gradients with PyTorch's.",
      .details =
          "Runs a model on a file of reference values and prints the distance |ours - reference| / "
          "|reference| of each output and, with `--gradients`, of each parameter's gradient. The exit status "
          "is 0 if outputs are within the tolerance and gradients within ten times the tolerance, else 1. "
          "With `--self`, the same for small models whose reference values are built into the program.",
      .example =
          "nystrom verify --self\n"
          "nystrom verify my-model case.h5 --gradients",
      .options =
          [arguments](OptionParser& app) {
            app.add_option("M", arguments->verify.model, "Model: a checkpoint or a Hugging Face folder.");
            app.add_option(
                "CASE", arguments->verify.case_file,
                "Reference values, an HDF5 file (docs/exactness.md; launch/verify/make_case.py writes one).");
            app.add_flag("--self", arguments->self, "Check built-in small models, without files.");
            app.add_flag("--gradients", arguments->verify.gradients, "Compare gradients too.");
            app.add_option("--backend", arguments->backend, "cpu or cuda.")
                ->type_name("cpu|cuda")
                ->capture_default_str();
            app.add_option("--against", arguments->against,
                           "cpu: compare with the CPU backend instead of PyTorch.");
            app.add_option("--precision", arguments->precision, "fp32, bf16 or fp64.")
                ->type_name("fp32|bf16|fp64")
                ->capture_default_str();
            app.add_option("--tolerance", arguments->verify.tolerance,
                           "Tolerance of outputs. Default: 1e-5 in fp32, 1e-7 in fp64, 5e-2 in bf16.");
            app.add_flag("--json", arguments->json, "Print one JSON object instead of a table.");
          },
      .run = [arguments](const Invocation&) { return run(*arguments); }};
}

}  // namespace nystrom
