#pragma once

// How much memory the requests and answers of all connections may hold together. Without it, the limits of one request
// times the number of connections is what strangers could make a server hold.
//
// Each holder's first bytes are free, so that ordinary calls are served while others fill the budget; that part is bounded
// by the number of connections. One thread uses it (the I/O thread).

#include <algorithm>
#include <cstddef>

namespace virga::http {

class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes) : bytes_(bytes) {}
  std::size_t charged() const { return charged_; }

  /// What one connection holds; given back when it ends.
  class Share {
   public:
    static constexpr std::size_t free_bytes = 16 << 10;

    explicit Share(MemoryBudget& budget) : budget_(budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { release(); }

    /// Makes the share what holding so many bytes costs. False, and nothing changed: it would take more than there is.
    /// What is alone always fits.
    bool hold(std::size_t bytes) {
      const auto cost = bytes - std::min(bytes, free_bytes);
      const auto others = budget_.charged_ - cost_;
      if (others > 0 && cost > cost_ && cost > budget_.bytes_ - std::min(budget_.bytes_, others)) return false;
      budget_.charged_ = others + cost;
      cost_ = cost;
      return true;
    }
    void release() { hold(0); }

   private:
    MemoryBudget& budget_;
    std::size_t cost_ = 0;
  };

 private:
  const std::size_t bytes_;
  std::size_t charged_ = 0;
};

}  // namespace virga::http
