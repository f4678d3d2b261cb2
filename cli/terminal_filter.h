#pragma once

#include <string>
#include <string_view>

namespace virga::cli {

/// Takes from a guest's console output what would act on the reader's terminal instead of showing text: OSC, DCS, APC,
/// PM and SOS strings (clipboard, title, device control), CSI sequences that make the terminal answer or change its
/// window, and C1 control bytes. Colours, cursor movement and text pass. Keeps its state between chunks.
/// (QEMU's own console had CVE-2012-3515; here the terminal is the operator's.)
class TerminalFilter {
 public:
  std::string filter(std::string_view bytes);

 private:
  enum class State { text, escape, control_sequence, string, string_escape };
  void in_text(char c, std::string& out);
  void in_escape(char c, std::string& out);
  void in_control_sequence(char c, std::string& out);
  State state_ = State::text;
  std::string pending_;
  bool held_lead_ = false;
};

}  // namespace virga::cli
