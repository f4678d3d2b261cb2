#include "cli/terminal_filter.h"

namespace virga::cli {

namespace {
constexpr char escape = '\x1b';
constexpr char c1_lead = '\xc2';  // first byte, in UTF-8, of U+0080 to U+00BF
constexpr std::size_t longest_sequence = 64;

/// Final bytes of CSI sequences that only change what is shown.
constexpr std::string_view harmless_final = "@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu";
}  // namespace

std::string TerminalFilter::filter(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    switch (state_) {
      case State::text: in_text(c, out); break;
      case State::escape: in_escape(c, out); break;
      case State::control_sequence: in_control_sequence(c, out); break;
      case State::string:
        if (c == '\a') state_ = State::text;
        else if (c == escape) state_ = State::string_escape;
        break;
      case State::string_escape: state_ = c == '\\' ? State::text : State::string; break;
    }
  }
  return out;
}

void TerminalFilter::in_text(char c, std::string& out) {
  const auto byte = static_cast<unsigned char>(c);
  if (held_lead_) {  // U+0080 to U+009F are C1 controls
    held_lead_ = false;
    if (byte >= 0x80 && byte <= 0x9f) return;
    out += c1_lead;
  }
  if (c == escape) state_ = State::escape;
  else if (c == c1_lead) held_lead_ = true;
  else if (byte >= 0x20 ? byte != 0x7f : (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\a')) out += c;
}

void TerminalFilter::in_escape(char c, std::string& out) {
  state_ = State::text;
  switch (c) {
    case '[':
      pending_ = "\x1b[";
      state_ = State::control_sequence;
      break;
    case ']': case 'P': case '_': case '^': case 'X': state_ = State::string; break;
    case '7': case '8': case 'D': case 'E': case 'M': case '=': case '>':
      out += escape;
      out += c;
      break;
    default: break;  // everything else, an unknown or a reset, is swallowed
  }
}

void TerminalFilter::in_control_sequence(char c, std::string& out) {
  if (c == escape) {
    state_ = State::escape;
    return;
  }
  pending_ += c;
  if (pending_.size() > longest_sequence) state_ = State::text;
  const auto byte = static_cast<unsigned char>(c);
  if (byte < 0x40 || byte > 0x7e) {
    if (byte < 0x20 || byte > 0x7e) state_ = State::text;
    return;
  }
  state_ = State::text;
  if (harmless_final.find(c) != std::string_view::npos) out += pending_;
}

}  // namespace virga::cli
