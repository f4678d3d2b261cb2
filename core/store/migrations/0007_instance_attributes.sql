-- What ModifyInstanceAttribute and its relatives change, beside what instances had from the start.
ALTER TABLE instance ADD COLUMN monitoring INTEGER NOT NULL DEFAULT 0 CHECK (monitoring IN (0, 1));
ALTER TABLE instance ADD COLUMN ebs_optimized INTEGER NOT NULL DEFAULT 0 CHECK (ebs_optimized IN (0, 1));
ALTER TABLE instance ADD COLUMN auto_recovery TEXT NOT NULL DEFAULT 'default' CHECK (auto_recovery IN ('default', 'disabled'));
