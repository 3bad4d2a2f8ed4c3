#include "core/api/server.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <boost/asio.hpp>
#include <filesystem>
#include <thread>

#include "core/api/client.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace hopwise::api;
namespace asio = boost::asio;

namespace {

/// A folder that goes with the test.
struct Folder {
  Folder() {
    std::string name = "/tmp/hopwise-api-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

Handlers example_handlers() {
  return {.metrics = [] { return std::string("hopwise_ready 1\n"); },
          .status = [] { return example_status(); },
          .explain = [](const FlowTuple&) -> Result<Explanation> { return example_explanation(); },
          .reload = []() -> Result<> { return {}; }};
}

/// A real server on loopback and a unix socket, on a thread of its own.
struct Running {
  explicit Running(Handlers handlers = example_handlers(), Options wanted = {}) : options(wanted) {
    options.listen = "127.0.0.1:0";
    options.socket = folder.path + "/run/hopwise.sock";
    auto opened = Server::open(io, options, std::move(handlers));
    if (!opened) FAIL(opened.error().message);
    server = std::move(*opened);
    thread = std::thread([this] { io.run(); });
  }
  ~Running() {
    asio::post(io, [this] { server.reset(); });
    thread.join();  // ends by itself: nothing is left to wait for
  }

  /// Sends `text` over TCP and reads until the server closes.
  std::string exchange(const std::string& text) const {
    asio::io_context mine;
    asio::ip::tcp::socket socket = connect(mine);
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(text), ignored);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), ignored);
    return answer;
  }
  [[nodiscard]] asio::ip::tcp::socket connect(asio::io_context& mine) const {
    asio::ip::tcp::socket socket(mine);
    socket.connect({asio::ip::address_v4::loopback(), server->port()});
    return socket;
  }

  Folder folder;
  Options options;
  asio::io_context io;
  std::unique_ptr<Server> server;
  std::thread thread;
};

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

}  // namespace

TEST_CASE("the same pages come over TCP and over the unix socket") {
  const Running running;
  CHECK(running.exchange(get("/metrics")).ends_with("\r\n\r\nhopwise_ready 1\n"));
  const auto reply = request(running.options.socket, "GET", "/metrics");
  if (!reply) FAIL(reply.error().message);
  CHECK(reply->status == 200);
  CHECK(reply->body == "hopwise_ready 1\n");
  CHECK(request(running.options.socket, "GET", "/nothing")->status == 404);
  CHECK(request(running.options.socket, "HEAD", "/metrics")->status == 200);
}

TEST_CASE("the client encodes what may not stand in a request line") {
  const Running running;
  const auto reply =
      request(running.options.socket, "GET", "/api/v1/explain?src=10.0.0.2 x&dst=\n");
  REQUIRE(reply.has_value());
  CHECK(reply->status == 400);
  CHECK(reply->body.find("10.0.0.2 x") != std::string::npos);
}

TEST_CASE("reload is refused over TCP and done over the unix socket") {
  const Running running;
  CHECK(running
            .exchange("POST /api/v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                      "Content-Length: 0\r\n\r\n")
            .starts_with("HTTP/1.1 403"));
  CHECK(request(running.options.socket, "POST", "/api/v1/reload")->status == 200);
}

TEST_CASE("HEAD has the length but not the body") {
  const Running running;
  const std::string answer =
      running.exchange("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(answer.find("Content-Length: 16\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("a connection serves many requests, also when they come at once") {
  const Running running;
  const std::string keep = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answer = running.exchange(keep + keep + get("/healthz"));
  std::size_t count = 0;
  for (std::size_t at = 0; (at = answer.find("HTTP/1.1 200", at)) != std::string::npos; ++at)
    ++count;
  CHECK(count == 3);
}

TEST_CASE("garbage is answered with a 400 or closed, and the server goes on") {
  const Running running;
  CHECK(running.exchange("hello\r\n\r\n").starts_with("HTTP/1.1 400"));
  CHECK(running.exchange("GET /a b HTTP/9.9\r\n\r\n").starts_with("HTTP/1.1 400"));
  CHECK(running.exchange("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n")
            .starts_with("HTTP/1.1 431"));
  CHECK(
      running
          .exchange("POST /api/v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
          .starts_with("HTTP/1.1 413"));
  running.exchange(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15));
  CHECK(running.exchange(get("/healthz")).starts_with("HTTP/1.1 200"));
}

TEST_CASE("clients that send nothing lose their connection and hold up nobody") {
  Options options;
  options.patience = std::chrono::milliseconds(200);
  const Running running(example_handlers(), options);
  asio::io_context mine;
  std::vector<asio::ip::tcp::socket> slow;
  for (int i = 0; i < 20; ++i) slow.push_back(running.connect(mine));
  CHECK(running.exchange(get("/healthz")).starts_with("HTTP/1.1 200"));
  for (auto& socket : slow) {
    char byte = 0;
    boost::system::error_code error;
    socket.read_some(asio::buffer(&byte, 1), error);  // returns when the server closes
    CHECK(error == asio::error::eof);
  }
}

TEST_CASE("more connections than the limit wait, and are served in the end") {
  Options options;
  options.patience = std::chrono::milliseconds(200);
  const Running running(example_handlers(), options);
  asio::io_context mine;
  std::vector<asio::ip::tcp::socket> idle;
  for (int i = 0; i < 70; ++i) idle.push_back(running.connect(mine));
  CHECK(request(running.options.socket, "GET", "/healthz")->status ==
        200);  // a listener of its own
  CHECK(running.exchange(get("/healthz")).starts_with("HTTP/1.1 200"));
}

TEST_CASE("many clients at once all get the whole answer") {
  const Running running;
  const std::string expected = request(running.options.socket, "GET", "/metrics")->body;
  std::atomic<int> good = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        const auto reply = request(running.options.socket, "GET", "/metrics");
        good += reply && reply->status == 200 && reply->body == expected;
      }
    });
  for (auto& client : clients) client.join();
  CHECK(good == 400);
}

TEST_CASE("a handler that throws costs one answer, not the server") {
  Handlers handlers = example_handlers();
  handlers.metrics = []() -> std::string { throw std::runtime_error("no counters"); };
  const Running running(handlers);
  CHECK(running.exchange(get("/metrics")).starts_with("HTTP/1.1 500"));
  CHECK(running.exchange(get("/healthz")).starts_with("HTTP/1.1 200"));
}

TEST_CASE("the unix socket is for its owner and group, in a folder that all may enter") {
  const Running running;
  struct stat file {};
  REQUIRE(::stat(running.options.socket.c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0660);
  REQUIRE(::stat((running.folder.path + "/run").c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0755);
}

TEST_CASE("a second server on the same socket is told that another hopwise runs") {
  const Running running;
  asio::io_context io;
  const auto second = Server::open(io, {.listen = "", .socket = running.options.socket}, {});
  REQUIRE(second.has_error());
  CHECK(second.error().message.find("another hopwise runs") != std::string::npos);
  CHECK(request(running.options.socket, "GET", "/healthz")->status == 200);
}

TEST_CASE("a dead daemon's socket file is replaced, another's file is not") {
  const Folder folder;
  const std::string path = folder.path + "/hopwise.sock";
  {
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(dead);
  }
  asio::io_context io;
  {
    const auto server = Server::open(io, {.listen = "", .socket = path}, example_handlers());
    CHECK(server.has_value());
  }
  CHECK(!std::filesystem::exists(path));  // removed by the destructor

  ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0644));
  const auto server = Server::open(io, {.listen = "", .socket = path}, example_handlers());
  REQUIRE(server.has_error());
  CHECK(server.error().message.find("is no socket") != std::string::npos);
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a TCP port in use names the key to change, and leaves no socket file") {
  const Running running;
  const Folder folder;
  asio::io_context io;
  const std::string listen = "127.0.0.1:" + std::to_string(running.server->port());
  const auto second = Server::open(io, {.listen = listen, .socket = folder.path + "/s"}, {});
  REQUIRE(second.has_error());
  CHECK(second.error().message == "listen on " + listen +
                                      ": Address already in use (choose another address or port by "
                                      "api.listen)");
  CHECK(!std::filesystem::exists(folder.path + "/s"));
}

TEST_CASE("the client says that no daemon runs") {
  const Folder folder;
  const auto reply = request(folder.path + "/none.sock", "GET", "/api/v1/status");
  REQUIRE(reply.has_error());
  CHECK(reply.error().message == "no daemon answers at " + folder.path +
                                     "/none.sock: No such file or directory (is `hopwise run` "
                                     "running?)");
  CHECK(request("/" + std::string(300, 'x'), "GET", "/").has_error());
  CHECK(request("", "GET", "/").has_error());
}

TEST_CASE("closing the server with connections open calls no handler afterwards") {
  auto alive = std::make_shared<bool>(true);
  Handlers handlers = example_handlers();
  handlers.metrics = [alive] { return std::string("x\n"); };
  {
    const Running running(handlers);
    asio::io_context mine;
    auto idle = running.connect(mine);
    asio::write(idle, asio::buffer(std::string("GET /met")));
    CHECK(running.exchange(get("/metrics")).starts_with("HTTP/1.1 200"));
  }
  handlers = {};
  CHECK(alive.use_count() == 1);  // nobody keeps them
}
