# Two tiers: web servers with elastic addresses, and a database server that only they reach, with its data on a volume that
# outlives it.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {}

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_ami" "guest" {
  filter {
    name   = "name"
    values = [var.image_name]
  }
}

resource "aws_key_pair" "me" {
  key_name   = var.name
  public_key = var.public_key
}

resource "aws_instance" "web" {
  count = var.web_servers

  ami                    = data.aws_ami.guest.id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.web.id
  key_name               = aws_key_pair.me.key_name
  vpc_security_group_ids = [aws_security_group.web.id]
  user_data              = "#!/bin/sh\necho web ${count.index}\n"
  tags                   = { Name = "web-${count.index}", Tier = "web" }
  volume_tags            = { Tier = "web" }
}

resource "aws_eip" "web" {
  count = var.web_servers

  domain = "vpc"
  tags   = { Name = "web-${count.index}" }
}

resource "aws_eip_association" "web" {
  count = var.web_servers

  allocation_id = aws_eip.web[count.index].id
  instance_id   = aws_instance.web[count.index].id
}

resource "aws_instance" "database" {
  ami                    = data.aws_ami.guest.id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.database.id
  private_ip             = cidrhost(aws_subnet.database.cidr_block, 10)
  key_name               = aws_key_pair.me.key_name
  vpc_security_group_ids = [aws_security_group.database.id]
  tags                   = { Name = "database", Tier = "database" }

  root_block_device {
    volume_type = "gp3"
    tags        = { Name = "database root" }
  }
}

resource "aws_ebs_volume" "data" {
  availability_zone = aws_instance.database.availability_zone
  size              = var.data_gib
  type              = "gp3"
  tags              = { Name = "database data" }
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.database.id
}
