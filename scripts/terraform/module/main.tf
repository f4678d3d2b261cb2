# The same site more than once: a module with for_each, and count within it.

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

data "aws_ami" "guest" {
  filter {
    name   = "name"
    values = [var.image_name]
  }
}

module "site" {
  source   = "./site"
  for_each = var.sites

  name          = each.key
  cidr          = each.value.cidr
  servers       = each.value.servers
  ports         = each.value.ports
  image         = data.aws_ami.guest.id
  instance_type = var.instance_type
}

output "servers" {
  description = "Private addresses by site."
  value       = { for name, site in module.site : name => site.addresses }
}
