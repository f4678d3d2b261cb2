-- Key pairs. An instance keeps its own copy of the public key: deleting the pair changes no guest.
CREATE TABLE key_pair (
  id          TEXT PRIMARY KEY REFERENCES resource(id),
  account     TEXT NOT NULL REFERENCES account(id),
  name        TEXT NOT NULL,
  type        TEXT NOT NULL CHECK (type IN ('rsa', 'ed25519')),
  fingerprint TEXT NOT NULL,
  public_key  TEXT NOT NULL,                 -- OpenSSH line
  created_ms  INTEGER NOT NULL,
  UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- Images. One made from another (RegisterImage) shares its bytes: `bytes` names the image that was imported.
CREATE TABLE image (
  id             TEXT PRIMARY KEY REFERENCES resource(id),
  account        TEXT NOT NULL REFERENCES account(id),
  name           TEXT NOT NULL,
  description    TEXT NOT NULL,
  public         INTEGER NOT NULL CHECK (public IN (0, 1)),
  state          TEXT NOT NULL CHECK (state IN ('pending', 'available', 'failed')),
  problem        TEXT NOT NULL DEFAULT '',
  architecture   TEXT NOT NULL DEFAULT 'x86_64',
  root_device    TEXT NOT NULL,
  root_gib       INTEGER NOT NULL DEFAULT 0, -- size of a root volume made from it, unless the launch says otherwise
  root_type      TEXT NOT NULL DEFAULT 'gp2',
  root_delete    INTEGER NOT NULL DEFAULT 1 CHECK (root_delete IN (0, 1)),
  min_memory_mib INTEGER NOT NULL,
  bytes          TEXT NOT NULL,              -- the image whose file this is; itself when imported
  virtual_bytes  INTEGER NOT NULL DEFAULT 0,
  file_bytes     INTEGER NOT NULL DEFAULT 0,
  sha256         TEXT NOT NULL DEFAULT '',
  created_ms     INTEGER NOT NULL,
  UNIQUE (account, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_by_bytes ON image(bytes);
CREATE INDEX image_public ON image(id) WHERE public = 1;

-- Which hosts have an image's bytes, checked.
CREATE TABLE image_copy (
  image TEXT NOT NULL REFERENCES image(id),
  host  TEXT NOT NULL REFERENCES host(name),
  PRIMARY KEY (image, host)
) STRICT, WITHOUT ROWID;

-- Volumes. `in-use` is not a state of its own: a volume with an attachment row is in use.
CREATE TABLE volume (
  id         TEXT PRIMARY KEY REFERENCES resource(id),
  number     INTEGER NOT NULL UNIQUE,
  account    TEXT NOT NULL REFERENCES account(id),
  zone       TEXT NOT NULL,
  host       TEXT NOT NULL REFERENCES host(name),
  size_gib   INTEGER NOT NULL CHECK (size_gib > 0),
  type       TEXT NOT NULL,
  iops       INTEGER,
  throughput INTEGER,
  image      TEXT,                           -- the image whose bytes it lies on; NULL: made empty
  state      TEXT NOT NULL CHECK (state IN ('creating', 'available', 'deleting', 'error')),
  problem    TEXT NOT NULL DEFAULT '',
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX volume_by_account ON volume(account, id);

-- Instances. Kept apart: what is wanted (power, counters), what EC2's clients see (state), what was seen (problem).
CREATE TABLE instance (
  id                 TEXT PRIMARY KEY REFERENCES resource(id),
  number             INTEGER NOT NULL UNIQUE,
  account            TEXT NOT NULL REFERENCES account(id),
  reservation        TEXT NOT NULL,
  launch_index       INTEGER NOT NULL,
  image              TEXT NOT NULL,
  root_device        TEXT NOT NULL,
  instance_type      TEXT NOT NULL,
  vcpus              INTEGER NOT NULL,
  memory_mib         INTEGER NOT NULL,
  zone               TEXT NOT NULL,
  host               TEXT NOT NULL REFERENCES host(name),
  holds_capacity     INTEGER NOT NULL CHECK (holds_capacity IN (0, 1)),  -- counted in its host's *_used
  vpc                TEXT NOT NULL,
  subnet             TEXT NOT NULL,
  key_name           TEXT NOT NULL DEFAULT '',
  public_key         TEXT NOT NULL DEFAULT '',
  user_data          TEXT,                   -- base64
  state              TEXT NOT NULL CHECK (state IN
                       ('pending', 'running', 'stopping', 'stopped', 'shutting-down', 'terminated')),
  power              TEXT NOT NULL CHECK (power IN ('running', 'stopped')),
  start_number       INTEGER NOT NULL DEFAULT 1,
  reboot_number      INTEGER NOT NULL DEFAULT 0,
  shutdown_timeout_s INTEGER NOT NULL,
  problem            TEXT NOT NULL DEFAULT '',   -- why the host cannot start it, as last seen
  failing_start      INTEGER NOT NULL DEFAULT 0, -- the start_number that fails ...
  failing_since_ms   INTEGER NOT NULL DEFAULT 0, -- ... and since when: a host that was away has not failed
  reason_code        TEXT NOT NULL DEFAULT '',
  reason_message     TEXT NOT NULL DEFAULT '',
  transition_reason  TEXT NOT NULL DEFAULT '',
  shutdown_behavior  TEXT NOT NULL CHECK (shutdown_behavior IN ('stop', 'terminate')),
  protect_termination INTEGER NOT NULL CHECK (protect_termination IN (0, 1)),
  protect_stop       INTEGER NOT NULL CHECK (protect_stop IN (0, 1)),
  cpu_credits        TEXT NOT NULL DEFAULT '',   -- standard, unlimited; empty: not a burstable type
  http_tokens        TEXT NOT NULL,
  http_endpoint      TEXT NOT NULL,
  http_hop_limit     INTEGER NOT NULL,
  metadata_tags      TEXT NOT NULL,
  client_token       TEXT NOT NULL DEFAULT '',
  launched_ms        INTEGER NOT NULL,       -- of the last start, as EC2's launchTime
  created_ms         INTEGER NOT NULL,
  ended_ms           INTEGER                 -- when it became terminated
) STRICT, WITHOUT ROWID;
CREATE INDEX instance_by_account ON instance(account, id);
CREATE INDEX instance_ended ON instance(ended_ms) WHERE ended_ms IS NOT NULL;

-- Where compute and storage meet: a row for as long as a guest has, gets or gives back a volume.
CREATE TABLE volume_attachment (
  volume      TEXT PRIMARY KEY REFERENCES volume(id),
  instance    TEXT NOT NULL REFERENCES instance(id),
  account     TEXT NOT NULL REFERENCES account(id),
  device      TEXT NOT NULL,
  slot        INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 25),
  root        INTEGER NOT NULL CHECK (root IN (0, 1)),
  delete_on_termination INTEGER NOT NULL CHECK (delete_on_termination IN (0, 1)),
  state       TEXT NOT NULL CHECK (state IN ('attaching', 'attached', 'detaching')),
  problem     TEXT NOT NULL DEFAULT '',
  attached_ms INTEGER NOT NULL,
  UNIQUE (instance, slot),
  UNIQUE (instance, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX volume_attachment_by_account ON volume_attachment(account, instance);
