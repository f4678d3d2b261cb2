#pragma once

// What the files about images share, and the rows of those that image.cpp lists.

#include <vector>

#include "api/action.h"
#include "ec2/shape/BlockDeviceMapping.h"
#include "storage/images.h"

namespace virga::api {

std::vector<Action> image_making_rows();  // CreateImage, DeregisterImage, RegisterImage
std::vector<Action>
image_attribute_rows();  // Describe-, Modify-, ResetImageAttribute, Enable-, DisableImageDeprecation

/// As answers show them; none of an image whose volumes are not known yet.
std::vector<ec2::BlockDeviceMapping> mappings_of(const storage::Image& image);

}  // namespace virga::api
