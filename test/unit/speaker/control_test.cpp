// One control socket against a neighbour that plays by a script: well, slowly, without end, or not
// at all.
#include "core/speaker/control.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::speaker;
using namespace std::chrono_literals;

namespace {

/// A listener in a thread of its own; `script` has each connection in turn.
class Neighbour {
 public:
  using Script = std::function<void(int connection)>;

  explicit Neighbour(Script script, int backlog = 8)
      : path_("/tmp/hopwise-speaker-" + std::to_string(::getpid()) + ".sock") {
    ::unlink(path_.c_str());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, backlog) == 0);
    if (!script) return;
    thread_ = std::thread([this, script = std::move(script)] {
      for (;;) {
        const int connection = ::accept(listener_, nullptr, nullptr);
        if (connection < 0) return;
        script(connection);
        ::close(connection);
      }
    });
  }
  ~Neighbour() {
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
    ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  int listener_ = -1;
  std::thread thread_;
};

void write_all(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t size = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (size <= 0) return;
    at += static_cast<std::size_t>(size);
  }
}

/// Up to `end`, without it; nothing at the connection's end.
std::optional<std::string> command(int fd, char end) {
  std::string text;
  for (char c = 0; ::read(fd, &c, 1) == 1; text += c)
    if (c == end) return text;
  return std::nullopt;
}

std::string vty(const std::string& text, char status = 0) {
  return text + std::string(3, '\0') + status;
}

/// Answers each command with itself, after "enable".
void echo_vty(int fd) {
  while (const auto asked = command(fd, '\0'))
    write_all(fd, vty(*asked == "enable" ? "" : "said " + *asked));
}

struct Asker {
  boost::asio::io_context io;
  std::size_t lost = 0;
  Control control;

  explicit Asker(Control::Options options) : control(io, std::move(options), [this] { ++lost; }) {}

  Answer ask(const std::string& text) {
    std::optional<Answer> answer;
    control.ask(text, [&](const Answer& a) { answer = a; });
    CHECK_FALSE(answer.has_value());
    io.restart();
    while (!answer && io.run_one_for(20s) > 0) {
    }
    REQUIRE(answer.has_value());
    CHECK_FALSE(control.busy());
    return *answer;
  }
};

}  // namespace

TEST_CASE("questions to a vty are answered one after the other", "[speaker]") {
  Neighbour neighbour(echo_vty);
  Asker asker({.path = neighbour.path()});
  for (const char* question : {"show version", "show ip route 10.0.0.0/8 json", "x"}) {
    const Answer answer = asker.ask(question);
    CHECK(answer.fate == Fate::answered);
    CHECK(answer.text == std::string("said ") + question);
    CHECK(answer.peer.pid == ::getpid());
    CHECK(answer.peer.age.has_value());
  }
  CHECK(asker.lost == 0);
}

TEST_CASE("BIRD greets, restricts, and answers", "[speaker]") {
  std::atomic<bool> restricted = false;
  Neighbour neighbour([&](int fd) {
    write_all(fd, "0001 BIRD 2.0.12 ready.\n");
    while (const auto asked = command(fd, '\n')) {
      restricted = restricted || *asked == "restrict";
      write_all(fd, *asked == "restrict" ? "0016 Access restricted\n"
                    : restricted         ? "1000-BIRD 2.0.12\n0013 Daemon is up and running\n"
                                         : "9001 not restricted\n");
    }
  });
  Asker asker({.path = neighbour.path(), .protocol = Protocol::bird});
  const Answer answer = asker.ask("show status");
  CHECK(answer.fate == Fate::answered);
  CHECK_THAT(answer.text, Catch::Contains("up and running"));
  CHECK(restricted);
}

TEST_CASE("an answer in drops is whole, and one without end is cut off", "[speaker]") {
  Neighbour neighbour([](int fd) {
    command(fd, '\0');
    write_all(fd, vty(""));
    command(fd, '\0');
    for (const char c : vty("drop by drop")) write_all(fd, std::string(1, c));
    command(fd, '\0');
    for (int i = 0; i < 4000; ++i) write_all(fd, std::string(1000, 'x'));
  });
  Asker asker({.path = neighbour.path(), .most_bytes = 100'000});
  CHECK(asker.ask("a").text == "drop by drop");
  CHECK(asker.ask("b").fate == Fate::garbled);
  CHECK(asker.ask("c").text == "drop by drop");  // by another connection
}

TEST_CASE("who does not answer, or does not even accept, is silent", "[speaker]") {
  SECTION("accepts") {
    Neighbour neighbour([](int fd) {
      while (command(fd, '\0')) {
      }
    });
    Asker asker({.path = neighbour.path(), .timeout = 100ms});
    const Answer answer = asker.ask("show version");
    CHECK(answer.fate == Fate::silent);
    CHECK_THAT(answer.text, Catch::Contains("no answer within 0.1 s"));
  }
  SECTION("does not accept: its queue fills up, and connect() would wait") {
    Neighbour neighbour(nullptr, 0);
    for (int i = 0; i < 3; ++i) {
      Asker asker({.path = neighbour.path(), .timeout = 100ms});
      CHECK(asker.ask("show version").fate == Fate::silent);
    }
  }
}

TEST_CASE("a late answer is not taken for that of the next question", "[speaker]") {
  Neighbour neighbour([](int fd) {
    while (const auto asked = command(fd, '\0')) {
      if (*asked == "slow") std::this_thread::sleep_for(300ms);
      write_all(fd, vty(*asked == "enable" ? "" : *asked));
    }
  });
  Asker asker({.path = neighbour.path(), .timeout = 100ms});
  CHECK(asker.ask("slow").fate == Fate::silent);
  for (int i = 0; i < 20; ++i) {
    const Answer answer = asker.ask("quick");
    if (answer.fate == Fate::answered) CHECK(answer.text == "quick");
  }
}

TEST_CASE("a neighbour that closes is told, with a question and without", "[speaker]") {
  Neighbour neighbour([](int fd) {
    command(fd, '\0');
    write_all(fd, vty(""));
    if (command(fd, '\0') == "die") return;
    write_all(fd, vty("fine"));
    command(fd, '\0');
  });
  Asker asker({.path = neighbour.path(), .timeout = 5s});
  CHECK(asker.ask("die").fate == Fate::closed);
  CHECK(asker.lost == 0);
  CHECK(asker.ask("live").text == "fine");
  CHECK(asker.ask("once more").fate == Fate::closed);
}

TEST_CASE("where nobody listens is unreachable, and the error names the socket", "[speaker]") {
  Asker asker({.path = "/tmp/hopwise-nowhere.sock"});
  const Answer answer = asker.ask("show version");
  CHECK(answer.fate == Fate::unreachable);
  CHECK_THAT(answer.text, Catch::Contains("/tmp/hopwise-nowhere.sock"));
}

TEST_CASE("a connection that ends between two questions is heard at once", "[speaker]") {
  Neighbour neighbour([](int fd) {
    command(fd, '\0');
    write_all(fd, vty(""));
    command(fd, '\0');
    write_all(fd, vty("the last"));
  });
  Asker asker({.path = neighbour.path()});
  CHECK(asker.ask("x").text == "the last");
  asker.io.restart();
  while (asker.lost == 0 && asker.io.run_one_for(5s) > 0) {
  }
  CHECK(asker.lost == 1);
}

TEST_CASE("garbage is no answer", "[speaker]") {
  Neighbour neighbour([](int fd) {
    command(fd, '\0');
    write_all(fd, vty(""));
    std::string noise;
    for (int i = 0; i < 5000; ++i) noise += static_cast<char>(i * 7 % 255 + 1);
    write_all(fd, noise);
    command(fd, '\0');
    command(fd, '\0');
  });
  Asker asker({.path = neighbour.path(), .timeout = 200ms});
  CHECK(asker.ask("show version").fate == Fate::silent);
}
