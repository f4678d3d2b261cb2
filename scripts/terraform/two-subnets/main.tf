# A VPC with a public and a private subnet and an instance in each. The public one has an address of its own; the private one
# is reached from it alone.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = { Stack = var.name }
  }
}

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

resource "aws_instance" "bastion" {
  ami                    = data.aws_ami.guest.id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.public.id
  key_name               = aws_key_pair.me.key_name
  vpc_security_group_ids = [aws_security_group.bastion.id]
  tags                   = { Name = "bastion" }

  # A route to the outside is there before the guest is.
  depends_on = [aws_route.out]
}

resource "aws_instance" "inside" {
  ami                    = data.aws_ami.guest.id
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.private.id
  key_name               = aws_key_pair.me.key_name
  vpc_security_group_ids = [aws_security_group.inside.id]
  tags                   = { Name = "inside" }
}
