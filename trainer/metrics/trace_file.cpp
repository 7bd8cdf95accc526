#include "trainer/metrics/trace_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>
#include <vector>

#include "kernels/core/files.h"

namespace nystrom {
namespace {

constexpr std::string_view kGathering = "the gathering of the trace";
constexpr std::size_t kMessageBytes = std::size_t{64} << 20U;

enum Thread { kTraining, kLoading, kSaving };
constexpr std::string_view kThreads[] = {"training", "loader", "checkpoint writer"};

Thread thread_of(Trace::Kind kind) {
  if (kind == Trace::Kind::kLoader) return kLoading;
  if (kind == Trace::Kind::kCheckpoint) return kSaving;
  return kTraining;
}

/// By which viewers filter.
std::string_view category(Trace::Kind kind) {
  constexpr std::string_view kNames[Trace::kKinds] = {"step", "phase",      "part",   "op",
                                                      "wait", "collective", "loader", "checkpoint"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// As a JSON text. Names are ours, but for those of machines.
std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return result + '"';
}

std::string name_of_event(const Trace::Event& event) {
  if (event.kind == Trace::Kind::kWait) return json_text(fmt::format("wait for {}", event.name));
  return json_text(event.number < 0 ? std::string(event.name)
                                    : fmt::format("{} {}", event.name, event.number));
}

/// Nanoseconds as microseconds, exactly, so that what is nested stays so.
std::string thousandths(std::int64_t nanoseconds) {
  return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
}

class Writer {
 public:
  Writer(int rank, const ClockLine& clock, std::int64_t origin)
      : rank_(rank), clock_(clock), origin_(origin) {}

  /// `ph` "M": a name of the process, or of a thread.
  void describe(std::string_view what, int thread, std::string_view key, const std::string& value) {
    separate();
    fmt::format_to(std::back_inserter(text_),
                   R"({{"ph":"M","pid":{},"tid":{},"name":"{}","args":{{"{}":{}}}}})", rank_, thread, what,
                   key, value);
  }
  void write(const Trace::Event& event) {
    if (event.kind == Trace::Kind::kCollective) return write_collective(event);
    begin("X", event);
    fmt::format_to(out(), R"(,"tid":{},"ts":{},"dur":{})", static_cast<int>(thread_of(event.kind)),
                   microseconds(event.begin_ns), duration(event));
    end(event);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void write_collective(const Trace::Event& event) {
    ++collectives_;
    for (const bool start : {true, false}) {
      begin(start ? "b" : "e", event);
      fmt::format_to(out(), R"(,"tid":0,"id":"{}.{}","ts":{})", rank_, collectives_,
                     microseconds(start ? event.begin_ns : event.end_ns));
      end(start ? event : Trace::Event{});
    }
  }
  void begin(std::string_view phase, const Trace::Event& event) {
    separate();
    fmt::format_to(out(), R"({{"ph":"{}","pid":{},"cat":"{}","name":{})", phase, rank_, category(event.kind),
                   name_of_event(event));
  }
  void end(const Trace::Event& event) {
    if (event.flops > 0 || event.bytes > 0)
      fmt::format_to(out(), R"(,"args":{{"flops":{:.0f},"bytes":{:.0f}}})", event.flops, event.bytes);
    text_ += '}';
  }
  void separate() {
    if (!text_.empty()) text_ += ",\n";
  }
  [[nodiscard]] std::string microseconds(std::int64_t time) const {
    return thousandths(clock_(time) - origin_);
  }
  [[nodiscard]] std::string duration(const Trace::Event& event) const {
    return thousandths(clock_(event.end_ns) - clock_(event.begin_ns));
  }
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }

  int rank_;
  ClockLine clock_;
  std::int64_t origin_, collectives_ = 0;
  std::string text_;
};

/// A file that is published when it is whole.
class Target {
 public:
  explicit Target(std::string path)
      : path_(std::move(path)), temporary_(temporary_name(path_)), file_(temporary_, std::ios::binary) {}
  ~Target() {
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);  // of a published one removes nothing
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  void append(std::string_view text) { file_.write(text.data(), std::ssize(text)); }
  /// Why it could not, or an empty text.
  std::string publish() {
    file_.close();
    if (!file_) return fmt::format("{} cannot be written", temporary_);
    try {
      publish_file(temporary_, path_);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

 private:
  std::string path_, temporary_;
  std::ofstream file_;
};

/// Sends, or receives, in messages that MPI can count.
template <class Start>
void in_messages(Comm& comm, std::size_t bytes, const Start& start) {
  for (std::size_t begin = 0; begin < bytes; begin += kMessageBytes)
    comm.wait(start(begin, std::min(kMessageBytes, bytes - begin)));
}

void send(Comm& comm, const std::string& text) {
  const std::uint64_t size = text.size();
  comm.wait(comm.start_send(std::as_bytes(std::span(&size, 1)), 0, kGathering));
  const auto bytes = std::as_bytes(std::span(text));
  in_messages(comm, text.size(), [&](std::size_t begin, std::size_t count) {
    return comm.start_send(bytes.subspan(begin, count), 0, kGathering);
  });
}

std::string receive(Comm& comm, int rank) {
  std::uint64_t size = 0;
  comm.wait(comm.start_receive(std::as_writable_bytes(std::span(&size, 1)), rank, kGathering));
  std::string text(size, ' ');
  const auto bytes = std::as_writable_bytes(std::span(text));
  in_messages(comm, text.size(), [&](std::size_t begin, std::size_t count) {
    return comm.start_receive(bytes.subspan(begin, count), rank, kGathering);
  });
  return text;
}

/// The begin of the first event of all ranks, on rank 0's clock.
std::int64_t first_begin(const Trace& trace, const ClockLine& clock, Comm& comm) {
  std::int64_t mine = trace.end_ns();
  for (const Trace::Event& event : trace.events()) mine = std::min(mine, event.begin_ns);
  mine = clock(mine);
  std::vector<std::int64_t> all(static_cast<std::size_t>(comm.ranks()));
  comm.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)), kGathering);
  return *std::ranges::min_element(all);
}

}  // namespace

std::string trace_events(const Trace& trace, int rank, const std::string& name, const ClockLine& clock,
                         std::int64_t origin) {
  Writer writer(rank, clock, origin);
  writer.describe("process_name", 0, "name", json_text(name));
  writer.describe("process_sort_index", 0, "sort_index", std::to_string(rank));
  writer.describe(
      "process_labels", 0, "labels",
      json_text(fmt::format(
          "clock within {:.1f} us{}", 1e-3 * static_cast<double>(clock.error()),
          trace.dropped() == 0 ? "" : fmt::format(", {} later events left out", trace.dropped()))));
  for (int thread = 0; thread < std::ssize(kThreads); ++thread) {
    writer.describe("thread_name", thread, "name", json_text(kThreads[thread]));
    writer.describe("thread_sort_index", thread, "sort_index", std::to_string(thread));
  }
  // What surrounds others comes before them, as viewers want it.
  std::vector<Trace::Event> events = trace.events();
  std::ranges::stable_sort(events, std::less{}, [](const Trace::Event& event) {
    return std::tuple(event.begin_ns, -event.end_ns, event.kind);
  });
  for (const Trace::Event& event : events) writer.write(event);
  return writer.take();
}

std::string write_trace(const std::string& path, const Trace& trace, const ClockLine& clock, Comm& comm) {
  const std::int64_t origin = first_begin(trace, clock, comm);
  const std::string mine = trace_events(trace, comm.rank(), comm.rank_name(comm.rank()), clock, origin);
  if (comm.rank() != 0) {
    send(comm, mine);
    return {};
  }
  Target file(path);
  file.append("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
  file.append(mine);
  for (int rank = 1; rank < comm.ranks(); ++rank) {
    file.append(",\n");
    file.append(receive(comm, rank));
  }
  file.append("\n]}\n");
  return file.publish();
}

}  // namespace nystrom
