-- A host is known by an identity it keeps on its own disk; what it calls itself may change. `name` stays the key that
-- other rows refer to: that of a host from before is what it called itself then, that of a new one its identity.
ALTER TABLE host ADD COLUMN identity TEXT NOT NULL DEFAULT '';   -- empty: not learned yet
ALTER TABLE host ADD COLUMN label TEXT NOT NULL DEFAULT '';      -- what it calls itself, for people
UPDATE host SET label = name;
CREATE UNIQUE INDEX host_by_identity ON host(identity) WHERE identity <> '';
