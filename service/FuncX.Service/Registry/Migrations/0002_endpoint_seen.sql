-- When an endpoint's link was last opened or closed, in Unix microseconds, and the version it said then; 0 and '' before the first.
ALTER TABLE endpoints ADD COLUMN last_seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN version TEXT NOT NULL DEFAULT '';
