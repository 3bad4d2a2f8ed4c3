// Where an answer on a control socket ends, and what it says. Pure: bytes in, answers out.
//
// FRR's vty: the command and a NUL; the answer's text, three NULs and a status byte (lib/vty.c,
// vtysh_write; lib/command.h has the codes). BIRD: one line; lines that begin with a four digit
// code and "-" where more follow or " " in the last (doc/reply_codes), or with a blank or "+" where
// they go on with the code before.
#pragma once

#include <optional>
#include <string>

namespace hopwise::speaker {

enum class Protocol : std::uint8_t { vty, bird };

struct Reply {
  bool accepted = false;  // false: the daemon refused the command, and `text` says why
  std::string text;       // without the framing of the vty; BIRD's lines as they came
};

/// The bytes to send for a command.
std::string framed(Protocol protocol, const std::string& command);

/// Finds the end of an answer in what has come so far. Keeps where it has looked: each byte is read
/// once, however the answer is cut.
class ReplyReader {
 public:
  explicit ReplyReader(Protocol protocol) : protocol_(protocol) {}

  /// Takes the answer off the front of `bytes`, once it is whole.
  std::optional<Reply> take(std::string& bytes);

 private:
  std::optional<Reply> take_vty(std::string& bytes);
  std::optional<Reply> take_bird(std::string& bytes);

  Protocol protocol_;
  std::size_t looked_ = 0;  // bytes that hold no end
};

}  // namespace hopwise::speaker
