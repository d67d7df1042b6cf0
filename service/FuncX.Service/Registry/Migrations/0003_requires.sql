-- What functions require of a node, as python>=3.9,<3.13;dotnet>=10.
ALTER TABLE functions ADD COLUMN requires TEXT NOT NULL DEFAULT '';
