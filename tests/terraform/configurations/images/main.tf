# Snapshots, images made of them and of an instance, and what is launched from those.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {}

data "aws_ami" "guest" {
  filter {
    name   = "name"
    values = ["tiny"]
  }
}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

resource "aws_instance" "source" {
  ami           = data.aws_ami.guest.id
  instance_type = "t3.nano"
  subnet_id     = data.aws_subnets.default.ids[0]

  ebs_block_device {
    device_name = "/dev/sdf"
    volume_size = 2
    volume_type = "gp3"
  }
}

resource "aws_ebs_volume" "this" {
  availability_zone = aws_instance.source.availability_zone
  size              = 3
}

resource "aws_ebs_snapshot" "this" {
  volume_id   = aws_ebs_volume.this.id
  description = "by Terraform"
  tags        = { Name = "copied" }
}

data "aws_ebs_snapshot" "this" {
  snapshot_ids = [aws_ebs_snapshot.this.id]
}

data "aws_ebs_snapshot_ids" "this" {
  owners = ["self"]

  filter {
    name   = "volume-id"
    values = [aws_ebs_snapshot.this.volume_id]
  }
}

# The guest is shut down for it and started again.
resource "aws_ami_from_instance" "this" {
  name               = "from-instance"
  source_instance_id = aws_instance.source.id
  description        = var.description
  deprecation_time   = "2031-01-01T00:00:00Z"
  tags               = { Name = "made" }
}

resource "aws_ami" "this" {
  name                = "registered"
  description         = var.description
  root_device_name    = "/dev/sda1"
  virtualization_type = "hvm"

  ebs_block_device {
    device_name = "/dev/sda1"
    snapshot_id = aws_ami_from_instance.this.root_snapshot_id
    volume_size = 4
  }

  ebs_block_device {
    device_name = "/dev/sdg"
    snapshot_id = aws_ebs_snapshot.this.id
    volume_type = "gp2"
  }
}

resource "aws_ami_launch_permission" "this" {
  count    = var.friend == "" ? 0 : 1
  image_id = aws_ami.this.id

  account_id = var.friend
}

# Nothing else lies on these, so that others can delete them.
resource "aws_ebs_snapshot" "lone" {
  volume_id = aws_ebs_volume.restored.id
}

resource "aws_ami" "lone" {
  name                = "lone"
  root_device_name    = "/dev/sda1"
  virtualization_type = "hvm"

  ebs_block_device {
    device_name = "/dev/sda1"
    snapshot_id = aws_ebs_snapshot.lone.id
  }
}

resource "aws_ami_from_instance" "lone" {
  name                    = "lone-from-instance"
  source_instance_id      = aws_instance.source.id
  snapshot_without_reboot = true

  depends_on = [aws_ami_from_instance.this]
}

data "aws_ami" "this" {
  owners = ["self"]

  filter {
    name   = "image-id"
    values = [aws_ami.this.id]
  }
}

resource "aws_instance" "launched" {
  ami           = aws_ami.this.id
  instance_type = "t3.nano"
  subnet_id     = data.aws_subnets.default.ids[0]

  root_block_device {
    volume_size = 5
  }
}

resource "aws_ebs_volume" "restored" {
  availability_zone = aws_instance.source.availability_zone
  snapshot_id       = aws_ebs_snapshot.this.id
}

variable "description" {
  type    = string
  default = "first"
}

variable "friend" {
  type    = string
  default = ""
}

output "facts" {
  value = {
    source     = aws_instance.source.id
    snapshot   = aws_ebs_snapshot.this.id
    read       = data.aws_ebs_snapshot.this.id
    size       = data.aws_ebs_snapshot.this.volume_size
    found      = data.aws_ebs_snapshot_ids.this.ids
    made       = aws_ami_from_instance.this.id
    made_root  = aws_ami_from_instance.this.root_snapshot_id
    registered = aws_ami.this.id
    root       = data.aws_ami.this.root_snapshot_id
    mapped     = length(data.aws_ami.this.block_device_mappings)
    launched   = aws_instance.launched.id
    restored   = aws_ebs_volume.restored.size
    lone = {
      snapshot   = aws_ebs_snapshot.lone.id
      registered = aws_ami.lone.id
      made       = aws_ami_from_instance.lone.id
    }
  }
}
