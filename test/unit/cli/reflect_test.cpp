#include "core/cli/reflect.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::cli;

namespace {

// A file of its own that goes with this.
class KeyFile {
 public:
  KeyFile(const std::string& content, mode_t mode) {
    std::array<char, 32> name{"/tmp/hopwise-key-XXXXXX"};
    const int fd = mkstemp(name.data());
    REQUIRE(fd >= 0);
    close(fd);
    path_ = name.data();
    std::ofstream(path_) << content;
    REQUIRE(chmod(path_.c_str(), mode) == 0);
  }
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;
  ~KeyFile() { unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string fault(const ReflectLine& line) {
  const auto options = reflector_options(line);
  return options ? "none" : options.error().message;
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the line of reflect is the reflector's options", "[cli][stamp]") {
  ReflectLine line;
  CHECK(reflector_options(line)->port == 862);
  CHECK(reflector_options(line)->source_rate == 1000);
  CHECK((reflector_options(line)->mode == probes::ReflectorOptions::Mode::stateful));
  line.listen = {"192.0.2.1", "2001:db8::1"};
  line.allow = {"192.0.2.0/24", "2001:db8::7"};
  line.port = "18620";
  line.rate = "500000";
  line.stateless = true;
  const KeyFile key("a key \r\n", 0600);
  line.key_file = key.path();
  const auto options = reflector_options(line);
  REQUIRE(options.has_value());
  CHECK(options->listen.size() == 2);
  CHECK(options->allow[0].text() == "192.0.2.0/24");
  CHECK(options->allow[1].text() == "2001:db8::7/128");
  CHECK(options->port == 18620);
  CHECK(options->source_rate == 500000);
  CHECK(options->total_rate >= 500000);
  CHECK((options->mode == probes::ReflectorOptions::Mode::stateless));
  CHECK(options->key == "a key ");
}

TEST_CASE("a wrong line of reflect says what to write", "[cli][stamp]") {
  ReflectLine line;
  line.port = GENERATE("0", "65536", "862x", "", "-1");
  CHECK(contains(fault(line), "--port"));
  line = {};
  line.rate = GENERATE("0", "fast", "1e3");
  CHECK(contains(fault(line), "--rate"));
  line = {};
  line.listen = {"localhost"};
  CHECK(contains(fault(line), "--listen localhost"));
  line = {};
  line.allow = {"10.0.0.1/8"};
  CHECK(contains(fault(line), "--allow 10.0.0.1/8"));
}

TEST_CASE("a key file that is none, or that all may read, is refused", "[cli][stamp]") {
  ReflectLine line;
  line.key_file = "/nonexistent/key";
  CHECK(contains(fault(line), "/nonexistent/key: No such file"));
  line.key_file = "/tmp";
  CHECK(contains(fault(line), "no regular file"));
  const KeyFile empty("", 0600), blank("\n", 0600), open("secret", 0604),
      large(std::string(5000, 'k'), 0600);
  line.key_file = empty.path();
  CHECK(contains(fault(line), "empty"));
  line.key_file = blank.path();
  CHECK(contains(fault(line), "no key"));
  line.key_file = open.path();
  CHECK(contains(fault(line), "chmod o="));
  line.key_file = large.path();
  CHECK(contains(fault(line), "4096"));
}

TEST_CASE("the reflector's summary names every fate, as text and as JSON", "[cli][stamp]") {
  probes::ReflectorCounters counters;
  for (std::size_t i = 0; i < probes::kFates; i++) counters.datagrams[i] = i + 1;
  counters.sessions = 99;
  const std::string text = render_summary(counters, SummaryFormat::text);
  CHECK(text.starts_with("answered=1 too_short=2 "));
  CHECK(text.find('\n') == std::string::npos);
  const auto json = nlohmann::json::parse(render_summary(counters, SummaryFormat::json));
  CHECK(json.at("unsent") == 11);
  CHECK(json.at("sessions") == 99);
  for (const auto& [name, value] : json.items())
    CHECK(text.find(name + "=" + value.dump()) != std::string::npos);
}
