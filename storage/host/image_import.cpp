#include "storage/host/image_import.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace virga::storage {

namespace {

/// Removes what an import leaves in the spool, however it ends.
class SpoolFiles {
 public:
  SpoolFiles(const Directory& spool, const std::string& work)
      : copy(work + ".upload"), output(work + ".output"), spool_(spool) {
    clear();
  }
  ~SpoolFiles() { clear(); }
  SpoolFiles(const SpoolFiles&) = delete;
  SpoolFiles& operator=(const SpoolFiles&) = delete;
  const std::string copy;
  const std::string output;

 private:
  void clear() {
    std::error_code ignored;  // what cannot be removed now is found again by remove_leftovers
    std::filesystem::remove_all(spool_.path_of(copy), ignored);
    std::filesystem::remove_all(spool_.path_of(output), ignored);
  }
  const Directory& spool_;
};

Result<UniqueFd> open_upload(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its other end.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd) return fd;
  if (errno == ELOOP) return refused("is a symbolic link. Give the path of the image itself");
  if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return refused("does not exist");
  if (errno == ENXIO || errno == ENODEV) return refused("is not a regular file. Give the path of the image itself");
  return fail(system_error("open an upload"));
}

/// Copies `size` bytes, leaving blocks of zeros as holes.
Result<void> copy_sparse(int from, int to, std::uint64_t size) {
  std::vector<char> buffer(1 << 20);
  std::uint64_t offset = 0;
  while (offset < size) {
    const auto want = std::min<std::uint64_t>(buffer.size(), size - offset);
    const auto got = ::pread(from, buffer.data(), want, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("read an upload"));
    if (got == 0) return refused("changed while it was read. Import it again when it is complete");
    const std::string_view block(buffer.data(), static_cast<std::size_t>(got));
    if (block.find_first_not_of('\0') != std::string_view::npos) {
      for (std::size_t done = 0; done < block.size();) {
        const auto written = ::pwrite(to, block.data() + done, block.size() - done, static_cast<off_t>(offset + done));
        if (written < 0 && errno != EINTR) return fail(system_error("write a copy of an upload"));
        if (written > 0) done += static_cast<std::size_t>(written);
      }
    }
    offset += block.size();
  }
  if (::ftruncate(to, static_cast<off_t>(size)) != 0) return fail(system_error("size a copy of an upload"));
  return {};
}

/// Whether the tool's output met the limit of its size.
Result<bool> ended_at(const Directory& output, std::uint64_t max_bytes) {
  constexpr std::uint64_t longest_write = 2 << 20;
  const auto written = TRY(output.find(converted_name));
  return written && static_cast<std::uint64_t>(written->st_size) + longest_write >= max_bytes;
}

}  // namespace

Result<ImageHeader> ImageImport::copy_checked(const std::string& source_path, const std::string& copy_name) {
  const auto source = TRY(open_upload(source_path));
  const auto bytes = TRY(ImageBytes::open(source.get()));
  const auto header = TRY(check_image(bytes, limits_.max_virtual_bytes));
  struct stat status {};
  if (::fstat(source.get(), &status) != 0) return fail(system_error("fstat an upload"));
  const auto room = TRY(room_at(spool_.fd(), limits_.reserve));
  TRY_VOID(check_room(room, std::min(bytes.size(), static_cast<std::uint64_t>(status.st_blocks) * 512)));

  const auto copy = TRY(spool_.create_file(copy_name, 0400));
  TRY_VOID(copy_sparse(source.get(), copy.get(), bytes.size()));
  if (::fchown(copy.get(), limits_.user.uid, limits_.user.gid) != 0) return fail(system_error("chown a copy"));
  const auto copied = TRY(ImageBytes::open(copy.get()));
  const auto again = TRY(check_image(copied, limits_.max_virtual_bytes));
  if (again.format != header.format || again.virtual_bytes != header.virtual_bytes)
    return refused("changed while it was read. Import it again when it is complete");
  return again;
}

Result<void> ImageImport::convert(const ImageHeader& header, const std::string& copy_name, const Directory& output) {
  const auto room = TRY(room_at(spool_.fd(), limits_.reserve));
  TRY_VOID(check_room(room, 0));
  const auto command = TRY(confined_conversion({.input = spool_.path_of(copy_name),
                                                .output_directory = output.path(),
                                                .header = header,
                                                .user = limits_.user,
                                                .room_bytes = room.free_bytes}));
  const auto result = TRY(runner_.run(command));
  if (result.ok()) return {};
  constexpr std::size_t shown_bytes = 4096;
  const auto context = fmt::format("conversion {}, exit code {}: {}", result.timed_out ? "timed out" : "failed",
                                   result.exit_code, std::string_view(result.standard_error).substr(0, shown_bytes));
  // A full file system is our failing, not the file's.
  const bool at_its_end = TRY(ended_at(output, command.max_file_bytes));
  const bool for_want_of_room = at_its_end && command.max_file_bytes < largest_output(header.virtual_bytes);
  const auto left = TRY(room_at(spool_.fd(), limits_.reserve));
  if (auto enough = check_room(for_want_of_room ? Room{} : left, 0); !enough)
    return fail(within(context, std::move(enough.error())));
  // bubblewrap's own complaints begin with its name: the sandbox could not be built, the file was not even read.
  if (result.standard_error.starts_with("bwrap:") || result.standard_error.starts_with("setpriv:"))
    return fail(internal_error(context));
  auto error = refused("could not be converted: it is damaged or needs too much time. Check it: qemu-img check FILE");
  error.value().context = context;
  return error;
}

Result<ImportedFile> ImageImport::take_over(const ImageHeader& header, const Directory& output) {
  const auto status = TRY(output.find(converted_name));
  if (!status || status->st_nlink != 1) return fail(internal_error("the conversion left no file of its own"));
  const auto file = TRY(output.open_file(converted_name));
  const auto bytes = TRY(ImageBytes::open(file.get()));
  const auto written = check_image(bytes, limits_.max_virtual_bytes);
  if (!written || written->format != ImageFormat::qcow2 || written->virtual_bytes != header.virtual_bytes)
    return fail(internal_error("the conversion wrote something else: " +
                               (written ? std::string("another size or format") : describe(written.error()))));
  if (::fchown(file.get(), ::geteuid(), ::getegid()) != 0 || ::fchmod(file.get(), 0444) != 0)
    return fail(system_error("own a converted image"));
  TRY_VOID(sync_file(file.get()));
  auto hash = TRY(sha256_of(file.get()));
  return ImportedFile{header.virtual_bytes, bytes.size(), std::move(hash)};
}

Result<ImportedFile> ImageImport::run(const std::string& source_path, const std::string& work, const Directory& to,
                                      const std::string& name) {
  const SpoolFiles files(spool_, work);
  const auto header = TRY(copy_checked(source_path, files.copy));
  const auto output = TRY(Directory::open(spool_.path_of(files.output), 0700));
  if (::fchown(output.fd(), limits_.user.uid, limits_.user.gid) != 0) return fail(system_error("chown the output"));
  TRY_VOID(convert(header, files.copy, output));
  const auto imported = TRY(take_over(header, output));
  TRY_VOID(to.adopt(output, converted_name, name));
  return imported;
}

}  // namespace virga::storage
