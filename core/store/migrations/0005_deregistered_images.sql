-- A deregistered image whose file is still needed, by images made from it or by volumes on it: nobody sees the row any
-- more, and it goes when every host has let go of the file. Its name is free again at once.
ALTER TABLE image ADD COLUMN deregistered INTEGER NOT NULL DEFAULT 0 CHECK (deregistered IN (0, 1));
