#pragma once

// Finds where a request's header block ends, and refuses what lenient parsers accept and proxies disagree about: bare
// LF, bare CR, folded fields, NUL, an empty first line, too many lines. Beast reads the block only after it passed
// here.

#include <cstddef>
#include <string_view>

namespace virga::http {

class HeaderScan {
 public:
  enum class Verdict { need_more, complete, malformed, too_large };

  HeaderScan(std::size_t max_bytes, std::size_t max_lines) : max_bytes_(max_bytes), max_lines_(max_lines) {}

  /// `received`: everything received of this request so far. Bytes seen by an earlier call are not looked at again.
  Verdict scan(std::string_view received);
  /// After `complete`: bytes of the block, with the empty line at its end.
  std::size_t size() const { return position_; }

 private:
  Verdict step(char byte);

  std::size_t max_bytes_;
  std::size_t max_lines_;
  std::size_t position_ = 0;
  std::size_t lines_ = 0;        ///< complete lines, the request line included
  std::size_t line_length_ = 0;  ///< bytes of the current line so far, CR not counted
  bool carriage_return_ = false;
};

}  // namespace virga::http
