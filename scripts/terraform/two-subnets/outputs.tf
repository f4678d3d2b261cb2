output "bastion" {
  value = {
    id         = aws_instance.bastion.id
    public_ip  = aws_instance.bastion.public_ip
    private_ip = aws_instance.bastion.private_ip
  }
}

output "inside" {
  value = {
    id         = aws_instance.inside.id
    private_ip = aws_instance.inside.private_ip
  }
}
