-- The last modification of each volume (ModifyVolume). Kept until the volume goes.
CREATE TABLE volume_modification (
  volume              TEXT PRIMARY KEY REFERENCES volume(id) ON DELETE CASCADE,
  account             TEXT NOT NULL REFERENCES account(id),
  original_size_gib   INTEGER NOT NULL,
  original_type       TEXT NOT NULL,
  original_iops       INTEGER,
  original_throughput INTEGER,
  target_size_gib     INTEGER NOT NULL,
  target_type         TEXT NOT NULL,
  target_iops         INTEGER,
  target_throughput   INTEGER,
  state               TEXT NOT NULL CHECK (state IN ('modifying', 'optimizing', 'completed', 'failed')),
  problem             TEXT NOT NULL DEFAULT '',
  started_ms          INTEGER NOT NULL,
  ended_ms            INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX volume_modification_by_account ON volume_modification(account, volume);
