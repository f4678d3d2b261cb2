#include "api/http/header_scan.h"

namespace virga::http {

HeaderScan::Verdict HeaderScan::scan(std::string_view received) {
  while (position_ < received.size()) {
    if (position_ == max_bytes_) return Verdict::too_large;
    const Verdict verdict = step(received[position_]);
    ++position_;
    if (verdict != Verdict::need_more) return verdict;
  }
  return Verdict::need_more;
}

HeaderScan::Verdict HeaderScan::step(char byte) {
  if (carriage_return_) {
    carriage_return_ = false;
    if (byte != '\n') return Verdict::malformed;
    if (line_length_ == 0) return lines_ == 0 ? Verdict::malformed : Verdict::complete;
    line_length_ = 0;
    // The request line is not counted as a field.
    return ++lines_ > max_lines_ + 1 ? Verdict::too_large : Verdict::need_more;
  }
  if (byte == '\r') {
    carriage_return_ = true;
    return Verdict::need_more;
  }
  if (byte == '\n' || byte == '\0') return Verdict::malformed;
  if (line_length_ == 0 && (byte == ' ' || byte == '\t')) return Verdict::malformed;
  ++line_length_;
  return Verdict::need_more;
}

}  // namespace virga::http
