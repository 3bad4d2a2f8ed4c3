#include "core/daemon/host.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/dataplane/handle.hpp"
#include "test/catch.hpp"

using namespace hopwise;

TEST_CASE("a supervisor that does not read holds nobody", "[daemon]") {
  const auto path =
      std::filesystem::temp_directory_path() / ("hopwise-notify-" + std::to_string(getpid()));
  const dataplane::Handle supervisor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  unlink(path.c_str());
  REQUIRE(bind(supervisor.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  for (int i = 0; i < 2000; ++i) notify_watchdog();  // far more than it holds
  notify_stopping();
  unsetenv("NOTIFY_SOCKET");
  unlink(path.c_str());
  char words[64];
  const ssize_t length = recv(supervisor.fd(), words, sizeof(words), MSG_DONTWAIT);
  REQUIRE(length > 0);
  CHECK(std::string(words, static_cast<std::size_t>(length)) == "WATCHDOG=1");
}
