-- Snapshots of volumes: one flat, unchanging file each, on the host that has the volume. The volume's row may go before.
CREATE TABLE snapshot (
  id               TEXT PRIMARY KEY REFERENCES resource(id),
  account          TEXT NOT NULL REFERENCES account(id),
  volume           TEXT NOT NULL,            -- it was made of; EC2 goes on showing it
  host             TEXT NOT NULL REFERENCES host(name),
  size_gib         INTEGER NOT NULL CHECK (size_gib > 0),  -- of the volume, as the snapshot was begun
  description      TEXT NOT NULL,
  state            TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'error', 'deleting')),
  problem          TEXT NOT NULL DEFAULT '',
  failing_since_ms INTEGER,                  -- since when a pending one has a problem
  done_bytes       INTEGER NOT NULL DEFAULT 0,
  total_bytes      INTEGER NOT NULL DEFAULT 0,
  file_bytes       INTEGER NOT NULL DEFAULT 0,
  waits_for        TEXT,                     -- an instance whose guest must be off before it may begin (CreateImage)
  started_ms       INTEGER NOT NULL,
  completed_ms     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_by_account ON snapshot(account, id);
CREATE INDEX snapshot_pending ON snapshot(volume) WHERE state = 'pending';
CREATE INDEX snapshot_waiting ON snapshot(waits_for) WHERE waits_for IS NOT NULL;

-- The snapshot that a volume was made from: EC2 shows it for as long as there is the volume, even when it is deleted.
ALTER TABLE volume ADD COLUMN snapshot TEXT;
CREATE INDEX volume_by_snapshot ON volume(snapshot) WHERE snapshot IS NOT NULL;

-- Hosts are told of snapshots too.
CREATE TABLE wanted_10 (
  host       TEXT NOT NULL REFERENCES host(name),
  kind       TEXT NOT NULL CHECK (kind IN ('vpc', 'volume', 'image', 'instance', 'snapshot')),
  id         TEXT NOT NULL,
  generation INTEGER NOT NULL,
  digest     TEXT NOT NULL,
  pushed     INTEGER NOT NULL DEFAULT 0,
  removed    INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),
  PRIMARY KEY (kind, id, host)
) STRICT, WITHOUT ROWID;
INSERT INTO wanted_10 (host, kind, id, generation, digest, pushed, removed)
  SELECT host, kind, id, generation, digest, pushed, removed FROM wanted;
DROP TABLE wanted;
ALTER TABLE wanted_10 RENAME TO wanted;
CREATE INDEX wanted_to_push ON wanted(host, kind, id) WHERE pushed < generation;
CREATE INDEX wanted_removed ON wanted(host) WHERE removed = 1;

CREATE TABLE outbox_10 (
  kind TEXT NOT NULL CHECK (kind IN ('vpc', 'volume', 'image', 'instance', 'snapshot')),
  id   TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO outbox_10 (kind, id) SELECT kind, id FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_10 RENAME TO outbox;

-- The volumes of a launch from an image. An image with a file of its own (imported, or on one that is: image.bytes) has
-- no mapping of its root device here; any other has one, which names a snapshot, and its `bytes` is empty.
CREATE TABLE image_mapping (
  image                 TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  device                TEXT NOT NULL,
  snapshot              TEXT REFERENCES snapshot(id),  -- NULL: an empty volume
  size_gib              INTEGER NOT NULL CHECK (size_gib > 0),
  type                  TEXT NOT NULL,
  iops                  INTEGER,
  throughput            INTEGER,
  delete_on_termination INTEGER NOT NULL CHECK (delete_on_termination IN (0, 1)),
  PRIMARY KEY (image, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_mapping_by_snapshot ON image_mapping(snapshot) WHERE snapshot IS NOT NULL;

-- The instance that an image was made of (CreateImage), and what launches from it are told of the metadata service.
ALTER TABLE image ADD COLUMN source_instance TEXT;
ALTER TABLE image ADD COLUMN imds_support TEXT NOT NULL DEFAULT '' CHECK (imds_support IN ('', 'v2.0'));

-- The image for which the instance's guest is kept off while its volumes are copied; its state stays what it was.
ALTER TABLE instance ADD COLUMN image_hold TEXT;
CREATE INDEX instance_image_hold ON instance(image_hold) WHERE image_hold IS NOT NULL;

-- From when on an image is left out of lists (EnableImageDeprecation), and when an instance was last launched from it.
ALTER TABLE image ADD COLUMN deprecated_ms INTEGER;
ALTER TABLE image ADD COLUMN launched_ms INTEGER;
CREATE INDEX image_pending ON image(id) WHERE state = 'pending';

-- Accounts that may see an image, and launch from it, beside its owner. (To everybody: image.public.)
CREATE TABLE image_launch_permission (
  image   TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  account TEXT NOT NULL REFERENCES account(id),
  PRIMARY KEY (image, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_launch_permission_by_account ON image_launch_permission(account);

-- Images that the operator provides to everybody: what EC2 calls amazon's. One that an account makes public is not.
ALTER TABLE image ADD COLUMN provided INTEGER NOT NULL DEFAULT 0 CHECK (provided IN (0, 1));
UPDATE image SET provided = public WHERE bytes = id;

-- What RegisterImage was told of the image, kept and answered: guests get virtio devices and a BIOS whatever it says.
ALTER TABLE image ADD COLUMN ena_support INTEGER NOT NULL DEFAULT 1 CHECK (ena_support IN (0, 1));
ALTER TABLE image ADD COLUMN sriov_net_support TEXT NOT NULL DEFAULT '' CHECK (sriov_net_support IN ('', 'simple'));
ALTER TABLE image ADD COLUMN boot_mode TEXT NOT NULL DEFAULT 'legacy-bios' CHECK (boot_mode IN ('', 'legacy-bios'));
