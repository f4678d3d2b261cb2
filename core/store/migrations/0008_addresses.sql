-- Public addresses: elastic ones, which an account keeps until it releases them, and those that EC2 assigns to a network
-- interface for as long as its instance is not stopped. What is in no row is free.
CREATE TABLE public_address (
  address         INTEGER PRIMARY KEY,       -- as a number, for finding free ones in order
  account         TEXT NOT NULL REFERENCES account(id),
  allocation      TEXT UNIQUE REFERENCES resource(id),  -- eipalloc-...; NULL: assigned by EC2
  interface       TEXT REFERENCES network_interface(id),
  private_address INTEGER,                   -- the interface's address that it stands for
  association     TEXT UNIQUE,               -- eipassoc-...
  created_ms      INTEGER NOT NULL,
  CHECK (allocation IS NOT NULL OR interface IS NOT NULL),
  CHECK ((interface IS NULL) = (private_address IS NULL)),
  CHECK ((interface IS NULL) = (association IS NULL))
) STRICT;
CREATE INDEX public_address_by_account ON public_address(account, allocation);
CREATE UNIQUE INDEX public_address_by_private ON public_address(interface, private_address) WHERE interface IS NOT NULL;

-- Whether instances launched into the subnet get a public address. As on EC2, those of default subnets do.
ALTER TABLE subnet ADD COLUMN map_public_ip INTEGER NOT NULL DEFAULT 0 CHECK (map_public_ip IN (0, 1));
-- Whether the interface is to have an assigned public address while its instance runs.
ALTER TABLE network_interface ADD COLUMN wants_public_ip INTEGER NOT NULL DEFAULT 0 CHECK (wants_public_ip IN (0, 1));
