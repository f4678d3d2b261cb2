variable "image_name" {
  description = "Name of an image that this account sees (virga image list)."
  type        = string
  default     = "tiny"
}

variable "instance_type" {
  type    = string
  default = "t3.nano"
}

variable "sites" {
  description = "Sites by name. Equal addresses are fine: each site has a VPC of its own."
  type = map(object({
    cidr    = string
    servers = number
    ports   = list(number)
  }))
  default = {
    north = { cidr = "10.40.0.0/16", servers = 2, ports = [22, 80] }
    south = { cidr = "10.40.0.0/16", servers = 1, ports = [22] }
  }
}
