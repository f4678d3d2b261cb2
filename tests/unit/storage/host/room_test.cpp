#include "storage/host/room.h"

#include <gtest/gtest.h>

#include "storage/host/image_sandbox.h"

namespace virga::storage {
namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

TEST(Threat_H05_Room, TheLargerReserveHolds) {
  const Reserve reserve{.least_bytes = gib, .percent = 5.0};

  EXPECT_EQ(room_of(10 * gib, 4 * gib, reserve).free_bytes, 3 * gib);
  EXPECT_EQ(room_of(100 * gib, 40 * gib, reserve).free_bytes, 35 * gib);
  EXPECT_EQ(room_of(100 * gib, 40 * gib, reserve).total_bytes, 95 * gib);
}

TEST(Threat_H05_Room, BelowTheLowWaterMarkThereIsNone) {
  const Reserve reserve{.least_bytes = gib, .percent = 0};

  EXPECT_EQ(room_of(10 * gib, gib / 2, reserve).free_bytes, 0U);
  EXPECT_EQ(room_of(gib / 2, gib / 2, reserve).total_bytes, 0U);
}

TEST(Threat_H05_Room, WhatDoesNotFitIsRefusedWithEc2sCode) {
  EXPECT_TRUE(check_room({.total_bytes = 10, .free_bytes = 5}, 5));
  EXPECT_TRUE(check_room({.total_bytes = 10, .free_bytes = 1}, 0));
  EXPECT_EQ(check_room({.total_bytes = 10, .free_bytes = 5}, 6).error().code, Code::insufficient_volume_capacity);
  EXPECT_EQ(check_room({.total_bytes = 10, .free_bytes = 0}, 0).error().code, Code::insufficient_volume_capacity);
}

Command conversion_with(std::uint64_t virtual_bytes, std::uint64_t room_bytes) {
  return confined_conversion({.input = "/in",
                              .output_directory = "/out",
                              .header = {ImageFormat::qcow2, virtual_bytes},
                              .user = {},
                              .room_bytes = room_bytes})
      .value();
}

TEST(Threat_H05_Room, AConversionWritesNoMoreThanItsDiskNorThanThereIsRoom) {
  EXPECT_EQ(conversion_with(100 * gib, 500 * gib).max_file_bytes, 101 * gib + (1 << 20));
  EXPECT_EQ(conversion_with(100 * gib, 7 * gib).max_file_bytes, 7 * gib);
  EXPECT_EQ(conversion_with(100 * gib, 0).max_file_bytes, 1U) << "0 is no limit";
}

TEST(Threat_E03_Limits, AConversionHasLittleMemoryAndTimeInProportionToItsDisk) {
  const auto small = conversion_with(gib, 500 * gib);
  const auto large = conversion_with(1000 * gib, 5000 * gib);

  EXPECT_EQ(small.max_address_space_bytes, gib);
  EXPECT_EQ(large.max_address_space_bytes, gib);
  EXPECT_EQ(small.max_cpu_seconds, 30 + 1024 / 20);
  EXPECT_EQ(large.max_cpu_seconds, 30 + 1024 * 1000 / 20);
}

}  // namespace
}  // namespace virga::storage
