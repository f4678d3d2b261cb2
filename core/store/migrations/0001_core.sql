-- Who: accounts, their users and access keys.
CREATE TABLE account (
  id         TEXT PRIMARY KEY,               -- twelve digits
  name       TEXT NOT NULL UNIQUE,
  created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE iam_user (
  account    TEXT NOT NULL REFERENCES account(id),
  name       TEXT NOT NULL,
  user_id    TEXT NOT NULL UNIQUE,           -- AIDA...
  role       TEXT NOT NULL CHECK (role IN ('administrator', 'operator', 'read-only')),
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_key (
  id            TEXT PRIMARY KEY,            -- AKIA...
  account       TEXT NOT NULL,
  user_name     TEXT NOT NULL,
  sealed_secret TEXT NOT NULL,               -- base64(nonce || secretbox), by the master key file
  version       INTEGER NOT NULL DEFAULT 1,  -- cached signing keys are keyed by (id, version)
  active        INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  created_ms    INTEGER NOT NULL,
  FOREIGN KEY (account, user_name) REFERENCES iam_user(account, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX access_key_by_user ON access_key(account, user_name);

-- What: every resource of every kind has one row here. The number is dense and never reused: names of bridges, taps
-- and chains derive from it, so that an orphan on a host can be recognised.
CREATE TABLE resource (
  number     INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  account    TEXT NOT NULL REFERENCES account(id),
  type       TEXT NOT NULL,                  -- EC2's resource type: instance, security-group, ...
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX resource_by_account ON resource(account, type, id);

CREATE TABLE tag (
  resource_id TEXT NOT NULL REFERENCES resource(id) ON DELETE CASCADE,
  key         TEXT NOT NULL,
  value       TEXT NOT NULL,
  account     TEXT NOT NULL,
  PRIMARY KEY (resource_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_by_account ON tag(account, key, value);

-- Quotas are counters, changed in the transaction that creates or deletes; limits without a row are the defaults.
CREATE TABLE quota (
  account   TEXT NOT NULL REFERENCES account(id),
  name      TEXT NOT NULL,
  used      INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0),
  max_value INTEGER,
  PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

-- Idempotency: what a ClientToken already made.
CREATE TABLE client_token (
  account     TEXT NOT NULL,
  action      TEXT NOT NULL,
  token       TEXT NOT NULL,
  parameters  TEXT NOT NULL,                 -- SHA-256 of the request without token and authentication
  response    TEXT NOT NULL,                 -- the answer, JSON
  created_ms  INTEGER NOT NULL,
  PRIMARY KEY (account, action, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX client_token_by_age ON client_token(created_ms);

-- The journal: one row per change, in the change's own transaction.
CREATE TABLE journal (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ms     INTEGER NOT NULL,
  account     TEXT NOT NULL,
  actor       TEXT NOT NULL,                 -- ARN of the caller, or 'virga' for a reconciler
  action      TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  before      TEXT,                          -- JSON; NULL: created
  after       TEXT                           -- JSON; NULL: deleted
) STRICT;
CREATE INDEX journal_by_resource ON journal(resource_id, seq);

-- Hosts, and what each must be told.
CREATE TABLE host (
  name             TEXT PRIMARY KEY,
  endpoint         TEXT NOT NULL,            -- unix:/run/virga/host.sock
  zones            TEXT NOT NULL,            -- JSON list of zone names it serves
  state            TEXT NOT NULL DEFAULT 'unknown',
  vcpus            INTEGER NOT NULL DEFAULT 0,   -- capacity as the host reports it, overcommit applied
  memory_mib       INTEGER NOT NULL DEFAULT 0,
  storage_gib      INTEGER NOT NULL DEFAULT 0,
  vcpus_used       INTEGER NOT NULL DEFAULT 0,   -- promised to instances, counted with their rows
  memory_mib_used  INTEGER NOT NULL DEFAULT 0,
  storage_gib_used INTEGER NOT NULL DEFAULT 0,
  seen_ms          INTEGER NOT NULL DEFAULT 0,
  details          TEXT NOT NULL DEFAULT '{}'    -- JSON: features, versions, problems
) STRICT, WITHOUT ROWID;

-- What each host is to be told of each object. The generation grows with each change of the document's digest; `pushed`
-- is the newest generation the host has taken. `removed`: the host is to let go of it; the row goes when it has.
CREATE TABLE wanted (
  host       TEXT NOT NULL REFERENCES host(name),
  kind       TEXT NOT NULL CHECK (kind IN ('vpc', 'volume', 'image', 'instance')),
  id         TEXT NOT NULL,
  generation INTEGER NOT NULL,
  digest     TEXT NOT NULL,
  pushed     INTEGER NOT NULL DEFAULT 0,
  removed    INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),
  PRIMARY KEY (kind, id, host)
) STRICT, WITHOUT ROWID;
CREATE INDEX wanted_to_push ON wanted(host, kind, id) WHERE pushed < generation;
CREATE INDEX wanted_removed ON wanted(host) WHERE removed = 1;

-- Objects whose document must be computed anew: written by whoever changes one of its rows, in the same transaction.
CREATE TABLE outbox (
  kind TEXT NOT NULL CHECK (kind IN ('vpc', 'volume', 'image', 'instance')),
  id   TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
